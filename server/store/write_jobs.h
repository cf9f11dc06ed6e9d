// Intents about jobs, on the writer's connection inside a transaction. One thread at a time. Does not own what it is
// given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/store/rows.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"
#include "server/store/write_events.h"
#include "server/store/write_tasks.h"

namespace hone::server::sqlite {

class JobWriter {
 public:
  JobWriter(Connection &connection, EventWriter &events, TaskWriter &tasks)
      : connection_(&connection), events_(&events), tasks_(&tasks) {}

  absl::StatusOr<Store::PutJob> putJob(const NewJob &job, int64_t nowMicros);
  absl::StatusOr<std::vector<Task>> advanceJob(int64_t job, const std::string &memo, const std::vector<NewTask> &tasks,
                                               int64_t cause, const std::vector<v1::Digest> &scratch,
                                               int64_t nowMicros);
  absl::StatusOr<bool> endJob(int64_t job, v1::JobState state, const v1::JobResult &result, const std::string &actor,
                              const std::string &detail, int64_t nowMicros);
  absl::StatusOr<int64_t> removeEndedJobs(int64_t beforeMicros, int64_t most);

 private:
  absl::StatusOr<v1::Job> read(int64_t number);
  absl::Status insert(const NewJob &job, int64_t nowMicros, Store::PutJob &put);
  absl::StatusOr<std::vector<Task>> insertTasks(int64_t job, const std::vector<NewTask> &tasks, int64_t cause,
                                                int64_t nowMicros);
  absl::Status putReferences(int64_t job, const std::vector<v1::Digest> &digests, const char *role);
  absl::Status endTasks(int64_t job, v1::JobState state, int64_t nowMicros);
  absl::Status releaseScratch(int64_t job);

  Connection *connection_;
  EventWriter *events_;
  TaskWriter *tasks_;

  Statement findRequest_{*connection_, "SELECT number FROM job WHERE user = ? AND request_id = ?"};
  Statement findId_{*connection_, "SELECT 1 FROM job WHERE id = ?"};
  Statement readJob_{*connection_,
                     "SELECT " HONE_JOB_COLUMNS " FROM job JOIN request ON request.job = job.number WHERE number = ?"};
  Statement readState_{*connection_, "SELECT state FROM job WHERE number = ?"};
  Statement insertJob_{*connection_,
                       "INSERT INTO job(id, user, request_id, priority, label, state, submitted, last_sequence, kind, "
                       "deadline, memo, tasks) VALUES(?, ?, ?, ?, ?, 'pending', ?, 1, ?, ?, ?, ?)"};
  Statement insertRequest_{*connection_, "INSERT INTO request VALUES(?, ?)"};
  Statement insertTask_{*connection_,
                        "INSERT INTO task(job, state, device_key, cache_key, kind, spec, items, cause, created) "
                        "VALUES(?, 'pending', ?, ?, ?, ?, ?, ?, ?)"};
  Statement insertReference_{*connection_, "INSERT OR IGNORE INTO job_blob VALUES(?, ?, ?)"};
  Statement advance_{*connection_, "UPDATE job SET memo = ?, tasks = tasks + ? WHERE number = ?"};
  Statement unfinished_{*connection_, "SELECT id, epoch FROM task WHERE job = ? AND state = 'leased' ORDER BY id"};
  Statement endTasks_{*connection_,
                      "UPDATE task SET state = ?, epoch = epoch + (state = 'leased') WHERE job = ? "
                      "AND state IN ('pending', 'leased')"};
  Statement endJob_{*connection_,
                    "UPDATE job SET state = ?, ended = ?, result = ?, ended_tasks = tasks, memo = x'', "
                    "last_sequence = last_sequence + 1 WHERE number = ? RETURNING last_sequence"};
  // Nobody but its job has asked for such a blob: it need not wait for the end of its grace.
  Statement ageScratch_{*connection_,
                        "UPDATE blob SET used = 0 WHERE used = created AND sha256 IN "
                        "(SELECT sha256 FROM job_blob WHERE job = ? AND role = 'scratch')"};
  Statement releaseScratch_{*connection_, "DELETE FROM job_blob WHERE job = ? AND role = 'scratch'"};
  Statement removeJobs_{*connection_,
                        "DELETE FROM job WHERE number IN (SELECT number FROM job WHERE ended > 0 AND ended < ? "
                        "ORDER BY ended LIMIT ?)"};
};

}  // namespace hone::server::sqlite
