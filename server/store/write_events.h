// The events of jobs, on the writer's connection inside a transaction. One thread at a time. Does not own the
// connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "hone/v1/jobs.pb.h"
#include "server/store/rows.h"
#include "server/store/sqlite.h"

namespace hone::server::sqlite {

/// What one event tells.
struct Change {
  v1::JobState from, to;
  std::string actor, detail;
  std::optional<v1::TaskEvent> task = std::nullopt;  ///< none: of the job as a whole
};

class EventWriter {
 public:
  explicit EventWriter(Connection &connection) : connection_(&connection) {}

  /// \p sequence: the job's last_sequence, raised for this event.
  absl::Status put(int64_t job, int64_t sequence, const Change &change, int64_t nowMicros) {
    const std::string task = change.task ? change.task->SerializeAsString() : std::string();
    return Use(insert_, job, sequence, nowMicros, stateName(change.from), stateName(change.to), change.actor,
               change.detail, Bytes{task})
        .run();
  }

 private:
  Connection *connection_;
  Statement insert_{*connection_, "INSERT INTO event VALUES(?, ?, ?, ?, ?, ?, ?, ?)"};
};

}  // namespace hone::server::sqlite
