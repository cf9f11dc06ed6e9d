// Inputs that are made constants when the model is imported: what was given for them, as tensors of the declared type.
// Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/frontend/onnx/import.h"
#include "onnx/onnx_pb.h"

namespace hone::frontend {

struct BoundInputs {
  std::map<std::string, graph::Constant> constants;  ///< by the input's name
  std::map<std::string, int64_t> extents;            ///< of the named dims that they settle
};

/// Checks \p given against the types that \p inputs declare. INVALID_ARGUMENT for a name that is no input, another
/// dtype or shape, and for numbers that do not fit or whose shape nobody says.
absl::StatusOr<BoundInputs> readBoundInputs(const std::vector<const onnx::ValueInfoProto *> &inputs,
                                            const std::map<std::string, BoundValue> &given, const ImportLimits &limits);

}  // namespace hone::frontend
