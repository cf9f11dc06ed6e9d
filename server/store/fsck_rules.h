// What must hold between the rows of a sound database, as questions whose answers are sentences about what does not.
// Functions without state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/sqlite.h"

namespace hone::server::maintenance {

/// One sentence for each contradiction.
absl::StatusOr<std::vector<std::string>> contradictions(sqlite::Connection &connection);

/// Counts anew what quotas ask for. The only contradiction that can be mended: the rows themselves are the truth.
absl::Status recount(sqlite::Connection &connection);

/// All rows of a question that answers with one text each.
absl::StatusOr<std::vector<std::string>> texts(sqlite::Connection &connection, const char *sql);

}  // namespace hone::server::maintenance
