// mod.json: the text of an ArtifactDescription and the digests of the other members. Functions without state.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "compiler/artifact/artifact.h"
#include "compiler/artifact/digest.h"

namespace hone::artifact {

struct ModJson {
  ArtifactDescription description;
  int64_t abiVersion = 0;
  MemberDigest module, parameters;
};

/// Canonical text, its own digest included.
std::string printModJson(const ModJson &content);

/// The inverse; checks the text's own digest, types and value ranges, but not what verify() checks.
absl::StatusOr<ModJson> parseModJson(std::string_view text);

}  // namespace hone::artifact
