// Intents about jobs and their tasks, on the writer's connection inside a transaction. One thread at a time. Does not
// own the connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/store/rows.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace hone::server::sqlite {

class JobWriter {
 public:
  explicit JobWriter(Connection &connection) : connection_(&connection) {}

  absl::Status begin();         ///< after BEGIN
  absl::Status beforeCommit();  ///< before COMMIT

  absl::StatusOr<Store::PutJob> putJob(const NewJob &job, int64_t nowMicros);
  absl::StatusOr<Grant> claim(int64_t task, const std::string &worker, int64_t nowMicros);
  absl::StatusOr<bool> complete(int64_t task, int64_t epoch, AttemptEnd end, const v1::JobResult &result,
                                const std::string &log, const std::string &cacheKey, int64_t nowMicros);
  absl::StatusOr<bool> requeue(int64_t task, int64_t epoch, AttemptEnd end, const std::string &detail,
                               int64_t nowMicros);
  absl::StatusOr<bool> finish(int64_t task, v1::JobState state, const v1::JobResult &result, const std::string &actor,
                              const std::string &detail, int64_t nowMicros);
  absl::StatusOr<int64_t> removeEndedJobs(int64_t beforeMicros, int64_t most);

 private:
  struct Change {
    v1::JobState from, to;
    std::string actor, detail;
  };
  absl::StatusOr<v1::Job> read(int64_t number);
  absl::StatusOr<Task> insert(const NewJob &job, int64_t nowMicros);
  absl::Status putEvent(int64_t job, int64_t sequence, const Change &change, int64_t nowMicros);
  absl::Status putReferences(int64_t job, const std::vector<v1::Digest> &digests, const char *role);
  absl::Status endAttempt(int64_t task, int64_t epoch, AttemptEnd end, const std::string &log, int64_t nowMicros);
  absl::Status endJob(int64_t job, const Change &change, const v1::JobResult &result, int64_t nowMicros);
  absl::Status putCacheEntry(const std::string &cacheKey, const v1::JobResult &result, int64_t nowMicros);

  Connection *connection_;
  int64_t grantSequence_ = 0;       ///< of the last grant, in this transaction or before
  int64_t savedGrantSequence_ = 0;  ///< as the database has it

  Statement readSequence_{*connection_, "SELECT value FROM counter WHERE name = 'grant_sequence'"};
  Statement saveSequence_{*connection_, "UPDATE counter SET value = ? WHERE name = 'grant_sequence'"};
  Statement findRequest_{*connection_, "SELECT number FROM job WHERE user = ? AND request_id = ?"};
  Statement findId_{*connection_, "SELECT 1 FROM job WHERE id = ?"};
  Statement readJob_{*connection_,
                     "SELECT " HONE_JOB_COLUMNS " FROM job JOIN request ON request.job = job.number WHERE number = ?"};
  Statement insertJob_{*connection_,
                       "INSERT INTO job(id, user, request_id, priority, label, state, submitted, last_sequence) "
                       "VALUES(?, ?, ?, ?, ?, 'pending', ?, 1)"};
  Statement insertRequest_{*connection_, "INSERT INTO request VALUES(?, ?)"};
  Statement insertTask_{*connection_,
                        "INSERT INTO task(job, state, device_key, cache_key, deadline) VALUES(?, 'pending', ?, ?, ?)"};
  Statement insertEvent_{*connection_, "INSERT INTO event VALUES(?, ?, ?, ?, ?, ?, ?)"};
  Statement insertReference_{*connection_, "INSERT OR IGNORE INTO job_blob VALUES(?, ?, ?)"};
  Statement claimTask_{*connection_,
                       "UPDATE task SET state = 'leased', epoch = epoch + 1, worker = ?, attempts = attempts + 1, "
                       "grant_sequence = ? WHERE id = ? AND state = 'pending' RETURNING epoch, job, attempts"};
  Statement startJob_{*connection_,
                      "UPDATE job SET state = 'running', started = CASE started WHEN 0 THEN ? ELSE started END, "
                      "attempts = ?, worker = ?, last_sequence = last_sequence + 1 WHERE number = ? "
                      "RETURNING last_sequence"};
  Statement readRequest_{*connection_, "SELECT message FROM request WHERE job = ?"};
  Statement insertAttempt_{*connection_, "INSERT INTO attempt(task, epoch, worker, granted) VALUES(?, ?, ?, ?)"};
  Statement completeTask_{*connection_,
                          "UPDATE task SET state = ? WHERE id = ? AND epoch = ? AND state = 'leased' "
                          "RETURNING job, worker"};
  Statement endAttempt_{*connection_,
                        "UPDATE attempt SET ended = ?, outcome = ?, log = ? WHERE task = ? AND epoch = ?"};
  Statement endJob_{*connection_,
                    "UPDATE job SET state = ?, ended = ?, result = ?, last_sequence = last_sequence + 1 "
                    "WHERE number = ? RETURNING last_sequence"};
  Statement requeueJob_{*connection_,
                        "UPDATE job SET state = 'pending', last_sequence = last_sequence + 1 WHERE number = ? "
                        "RETURNING last_sequence"};
  Statement readTask_{*connection_, "SELECT state, epoch, job, cache_key FROM task WHERE id = ?"};
  Statement finishTask_{*connection_,
                        "UPDATE task SET state = ?1, epoch = epoch + (state = 'leased') WHERE id = ?2 AND epoch = ?3 "
                        "AND state = ?4"};
  Statement useCache_{*connection_, "UPDATE cache SET used = max(used, ?) WHERE cache_key = ?"};
  Statement dropCache_{*connection_, "DELETE FROM cache WHERE cache_key = ?"};
  Statement insertCache_{*connection_, "INSERT INTO cache VALUES(?1, ?2, ?3, ?3)"};
  Statement insertCacheBlob_{*connection_, "INSERT OR IGNORE INTO cache_blob VALUES(?, ?)"};
  Statement removeJobs_{*connection_,
                        "DELETE FROM job WHERE number IN (SELECT number FROM job WHERE ended > 0 AND ended < ? "
                        "ORDER BY ended LIMIT ?)"};
};

}  // namespace hone::server::sqlite
