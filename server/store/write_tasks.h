// Intents about tasks, on the writer's connection inside a transaction. One thread at a time. Does not own what it is
// given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"
#include "server/store/write_events.h"

namespace hone::server::sqlite {

class TaskWriter {
 public:
  TaskWriter(Connection &connection, EventWriter &events) : connection_(&connection), events_(&events) {}

  absl::Status begin();         ///< after BEGIN
  absl::Status beforeCommit();  ///< before COMMIT

  absl::StatusOr<Grant> claim(int64_t task, const std::string &worker, int64_t nowMicros);
  absl::StatusOr<std::optional<Store::PutItems>> putItems(int64_t task, int64_t epoch,
                                                          const std::vector<v1::ItemResult> &items, int64_t nowMicros);
  absl::StatusOr<int32_t> endedItems(int64_t task);
  absl::StatusOr<bool> completeTask(int64_t task, int64_t epoch, AttemptEnd end, const v1::TaskResult &result,
                                    const std::string &log, int64_t nowMicros);
  absl::StatusOr<bool> answerTask(int64_t task, const v1::TaskResult &result, int64_t nowMicros);
  absl::StatusOr<bool> failTask(int64_t task, const v1::TaskResult &result, int64_t nowMicros);
  absl::StatusOr<bool> requeue(int64_t task, int64_t epoch, AttemptEnd end, const std::string &detail,
                               int64_t nowMicros);
  absl::StatusOr<DriverInput> driverInput(int64_t task);
  absl::Status endAttempt(int64_t task, int64_t epoch, AttemptEnd end, const std::string &log, int64_t nowMicros);

 private:
  struct Place {
    int64_t job = 0;
    std::string worker, kind;
    int32_t items = 0;
    bool isTheJob = false;  ///< the job's one task: what happens to it happens to the job
  };
  static Place placeOf(const Use &use);
  /// \p ended of the items of the task of \p place have results.
  absl::Status itemsEnded(int64_t task, const Place &place, int32_t ended, int64_t nowMicros);
  /// The task of \p place has ended, in a job that goes on.
  absl::Status taskEnded(int64_t task, const Place &place, const std::string &actor, const v1::TaskResult &result,
                         int64_t nowMicros);
  absl::StatusOr<bool> endPending(int64_t task, const char *state, const std::string &actor,
                                  const v1::TaskResult &result, int64_t nowMicros);
  absl::StatusOr<v1::TaskSpec> specOf(int64_t job, std::string_view own);
  absl::StatusOr<v1::JobState> stateOfJob(int64_t job);

  Connection *connection_;
  EventWriter *events_;
  int64_t grantSequence_ = 0;       ///< of the last grant, in this transaction or before
  int64_t savedGrantSequence_ = 0;  ///< as the database has it

  Statement readSequence_{*connection_, "SELECT value FROM counter WHERE name = 'grant_sequence'"};
  Statement saveSequence_{*connection_, "UPDATE counter SET value = ? WHERE name = 'grant_sequence'"};
#define HONE_PLACE "job, worker, kind, items, length(spec) = 0"
  Statement claimTask_{*connection_,
                       "UPDATE task SET state = 'leased', epoch = epoch + 1, worker = ?, attempts = attempts + 1, "
                       "grant_sequence = ? WHERE id = ? AND state = 'pending' RETURNING " HONE_PLACE
                       ", epoch, attempts, spec"};
  // The result of a job's one task is the job's.
#define HONE_END_TASK "UPDATE task SET state = ?, result = CASE length(spec) WHEN 0 THEN x'' ELSE ? END WHERE id = ? "
  Statement endLease_{*connection_, HONE_END_TASK "AND epoch = ? AND state = 'leased' RETURNING " HONE_PLACE};
  Statement endPending_{*connection_, HONE_END_TASK "AND state = 'pending' RETURNING " HONE_PLACE};
#undef HONE_END_TASK
  Statement isLeased_{*connection_, "SELECT " HONE_PLACE " FROM task WHERE id = ? AND epoch = ? AND state = 'leased'"};
#undef HONE_PLACE
  Statement readState_{*connection_, "SELECT state FROM job WHERE number = ?"};
  Statement startJob_{*connection_,
                      "UPDATE job SET state = 'running', started = CASE started WHEN 0 THEN ? ELSE started END, "
                      "attempts = attempts + 1, worker = ?, last_sequence = last_sequence + 1 WHERE number = ? "
                      "RETURNING last_sequence"};
  Statement requeueJob_{*connection_,
                        "UPDATE job SET state = CASE WHEN ended_tasks = 0 AND NOT EXISTS(SELECT 1 FROM task WHERE "
                        "task.job = number AND task.state = 'leased') THEN 'pending' ELSE state END, "
                        "last_sequence = last_sequence + 1 WHERE number = ? RETURNING last_sequence, state"};
  Statement tellOfJob_{*connection_,
                       "UPDATE job SET last_sequence = last_sequence + 1 WHERE number = ? "
                       "RETURNING last_sequence, state"};
  Statement countEnded_{*connection_,
                        "UPDATE job SET ended_tasks = ended_tasks + 1, state = 'running', "
                        "started = CASE started WHEN 0 THEN ? ELSE started END, last_sequence = last_sequence + 1 "
                        "WHERE number = ? RETURNING last_sequence"};
  Statement readRequest_{*connection_, "SELECT message FROM request WHERE job = ?"};
  Statement readDriver_{*connection_,
                        "SELECT job, memo, spec FROM task JOIN job ON number = task.job WHERE task.id = ?"};
  Statement insertAttempt_{*connection_, "INSERT INTO attempt(task, epoch, worker, granted) VALUES(?, ?, ?, ?)"};
  Statement endAttempt_{*connection_,
                        "UPDATE attempt SET ended = ?, outcome = ?, log = ? WHERE task = ? AND epoch = ?"};
  Statement insertItem_{*connection_, "INSERT OR IGNORE INTO item VALUES(?, ?, ?) RETURNING 1"};
  Statement countItems_{*connection_, "SELECT count(*) FROM item WHERE task = ?"};
  Statement readItems_{*connection_, "SELECT number, result FROM item WHERE task = ? ORDER BY number"};
};

}  // namespace hone::server::sqlite
