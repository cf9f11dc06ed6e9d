// ONNX's tensors and element types. Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "compiler/frontend/build/narrow_type.h"
#include "compiler/frontend/onnx/import.h"
#include "onnx/onnx_pb.h"

namespace hone::frontend {

/// The type of a TensorProto::DataType; strings and complex numbers are unsupported.
absl::StatusOr<ElementType> readElementType(int64_t dataType);
/// The same where narrow types are not taken.
absl::StatusOr<DType> readDType(int64_t dataType);

/// A tensor of any kind; one whose data is in a file beside the model has it from the options' files. Elements of
/// narrow types come in their containers.
absl::StatusOr<graph::Constant> readTensor(const onnx::TensorProto &tensor, const ImportOptions &options);

/// The same of a tensor of which only the elements that are not 0 are written down.
absl::StatusOr<graph::Constant> readSparseTensor(const onnx::SparseTensorProto &tensor, const ImportOptions &options);

}  // namespace hone::frontend
