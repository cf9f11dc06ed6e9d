// The values of `hone compile` that have a grammar of their own. Functions without state.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hone::client {

/// "name:[1,3,224,224] name2:[…]" as TVMC reads it; a name may hold colons and slashes. A negative extent, of whatever
/// size, comes out as -1: as the model has it. INVALID_ARGUMENT for a name that is given twice.
absl::StatusOr<std::vector<std::pair<std::string, std::vector<int64_t>>>> parseInputShapes(std::string_view text);

/// The target in TVM's text form, from what TVMC takes for --target (the text itself, inline JSON, the path of a JSON
/// file) and from --target-llvm-KEY flags, which win over the same key in the text.
absl::StatusOr<std::string> targetText(const std::string &target, const std::map<std::string, std::string> &flags);

}  // namespace hone::client
