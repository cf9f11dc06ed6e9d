// Checks of single fields, for whoever reads what came from outside. Each takes the field's name for its sentence.
// Functions without state.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "common/name.h"
#include "hone/v1/blobs.pb.h"
#include "hone/v1/work.pb.h"

namespace hone::server {

/// The first status that is not OK, without looking at the rest.
#define HONE_CHECK(expression) \
  if (absl::Status problem = (expression); !problem.ok()) return problem

/// 1 to 64 letters, digits and dashes.
absl::Status checkId(std::string_view field, std::string_view text);
/// As the server makes them: "j-" and letters and digits.
absl::Status checkJobId(std::string_view text);
absl::Status checkLength(std::string_view field, std::string_view text, size_t most);
absl::Status checkRange(std::string_view field, int64_t value, int64_t least, int64_t most);
/// A field for the digest that must or may be there.
absl::Status checkDigestField(std::string_view field, bool isSet, const v1::Digest &digest, bool isNeeded);
/// 0 or more; beyond the most it is taken as the most.
absl::Status checkPage(int32_t pageSize, std::string_view pageToken);
absl::Status checkTarget(std::string_view field, const v1::TargetDescription &target);

}  // namespace hone::server
