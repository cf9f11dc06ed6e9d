// The database's tables, as numbered steps: user_version says how many of them a database has. A step that was released
// is never changed; what comes next is a new step. Functions without state.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "server/store/sqlite.h"

namespace hone::server::sqlite {

/// "hone", in the header of every database of ours.
inline constexpr int64_t kApplicationId = 0x686f6e65;

/// Step i leads from version i to version i + 1.
using Steps = std::span<const char *const>;
Steps schemaSteps();

/// Applies the steps that are missing, each in a transaction of its own that also raises the version. A step that fails
/// leaves the version before it.
absl::Status migrate(Connection &connection, Steps steps);

}  // namespace hone::server::sqlite
