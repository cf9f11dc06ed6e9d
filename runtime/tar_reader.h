// The members of an artifact's tar file. A function without state.
#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/status.h"

namespace hone::runtime {

/// Views into the bytes that were read.
struct ArtifactMembers {
  std::string_view module, json, parameters;
};

/// Accepts exactly mod.so, mod.json and mod.params, in any order, as regular files of the ustar format (GNU's for plain
/// files is the same), with the end of the archive in place; nothing else.
Result<ArtifactMembers> readTar(std::string_view tar);

}  // namespace hone::runtime
