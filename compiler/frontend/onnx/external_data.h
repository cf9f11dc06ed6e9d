// Tensors whose data are in files beside the model (ONNX's external data): who calls has opened the files, this only
// looks into them. Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "compiler/frontend/onnx/import.h"
#include "onnx/onnx_pb.h"

namespace hone::frontend {

/// Whether \p tensor says that its data are in another file. What it lists of one without saying so is not looked at.
bool isExternal(const onnx::TensorProto &tensor);

/// The \p bytes of \p tensor, which is external, as a view of its file; copied only where elements of \p elementBytes
/// would not be aligned. Ranges of tensors may overlap: nobody writes to them.
absl::StatusOr<graph::ConstantBytes> readExternal(const onnx::TensorProto &tensor, int64_t bytes, int64_t elementBytes,
                                                  const DataFiles &files);

}  // namespace hone::frontend
