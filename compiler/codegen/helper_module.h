// The two modules of ours that every shared library gets: helpers that LLVM may call on its own, and the table of
// abi/hone_abi.h. Functions without state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/codegen/codegen.h"

namespace hone::codegen {

/// memcpy, memmove, memset, memcmp, bcmp, fmod, fmodf and the conversions to and from half types, hidden.
absl::StatusOr<std::string> compileHelpers(const TargetDescription &target);

/// hone_module_query and the constants that it returns.
absl::StatusOr<std::string> compileTable(const std::vector<ModuleKernel> &kernels, const TargetDescription &target);

}  // namespace hone::codegen
