// Questions to the database. A Reader is one connection with its statements and belongs to one thread at a time; a
// ReaderPool hands them out to any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "server/store/rows.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace hone::server::sqlite {

class Reader {
 public:
  static absl::StatusOr<std::unique_ptr<Reader>> open(const std::filesystem::path &file, absl::Duration busyTimeout);

  absl::StatusOr<Unfinished> unfinished();
  absl::StatusOr<v1::Job> job(const std::string &id);
  absl::StatusOr<v1::Job> jobOfRequest(const std::string &user, const std::string &requestId);
  absl::StatusOr<v1::ListJobsResponse> jobs(const v1::ListJobsRequest &request, const Shorten &shorten);
  absl::StatusOr<std::vector<v1::JobEvent>> events(const std::string &job, int64_t afterSequence);
  absl::StatusOr<v1::AttemptsResponse> attempts(const v1::AttemptsRequest &request);
  absl::StatusOr<std::vector<v1::Attempt>> attemptsAt(int64_t task);
  absl::StatusOr<std::optional<std::string>> userOfLease(int64_t task, int64_t epoch);
  absl::StatusOr<std::vector<WorkerRow>> workers();
  absl::StatusOr<std::optional<CacheEntry>> cached(const std::string &cacheKey);
  absl::StatusOr<std::optional<BlobRow>> blob(const v1::Digest &digest);
  absl::StatusOr<std::vector<v1::Digest>> unreferencedBlobs(int64_t usedBefore, int64_t most, int64_t cacheUsedBefore);
  absl::StatusOr<UserUsage> usage(const std::string &user);
  absl::StatusOr<int64_t> countRecords(int64_t enough);
  absl::StatusOr<v1::QueryRecordsResponse> records(const v1::QueryRecordsRequest &request);

 private:
  explicit Reader(Connection connection) : connection_(std::move(connection)) {}
  absl::Status mustExist(const std::string &job);
  absl::StatusOr<v1::ListJobsResponse> readJobs(Use &use, int64_t size, std::string_view question,
                                                const Shorten &shorten);
  absl::StatusOr<v1::QueryRecordsResponse> readRecords(Use &use, int64_t size, std::string_view question);

  Connection connection_;
  Statement lastSequence_{connection_, "SELECT value FROM counter WHERE name = 'grant_sequence'"};
  Statement unfinishedJobs_{connection_,
                            "SELECT number, id, user, kind, priority, state = 'running', submitted, deadline, tasks "
                            "FROM job "
                            "WHERE number IN (SELECT job FROM task WHERE state IN ('pending', 'leased')) "
                            "ORDER BY number"};
  Statement unfinished_{connection_,
                        "SELECT id, job, kind, device_key, cache_key, items, state = 'leased', epoch, worker, "
                        "attempts, created, grant_sequence FROM task WHERE state IN ('pending', 'leased') "
                        "ORDER BY id"};
  Statement lastGrants_{connection_,
                        "SELECT user, device_key, max(grant_sequence) FROM task JOIN job ON job.number = task.job "
                        "WHERE grant_sequence > 0 GROUP BY user, device_key ORDER BY user, device_key"};
  Statement job_{connection_,
                 "SELECT " HONE_JOB_COLUMNS " FROM job JOIN request ON request.job = job.number WHERE id = ?"};
  Statement jobOfRequest_{connection_, "SELECT " HONE_JOB_COLUMNS
                                       " FROM job JOIN request ON request.job = job.number "
                                       "WHERE user = ? AND request_id = ?"};
  Statement hasJob_{connection_, "SELECT 1 FROM job WHERE id = ?"};
  // Before the job number ?1, at most ?2 of them, of the user ?3; states are bits of ?4, in the order of JobState. Each
  // state that is asked for gives its newest, by an index, and the newest of these are looked up.
#define HONE_JOB_QUERY "SELECT " HONE_JOB_COLUMNS " FROM job JOIN request ON request.job = job.number WHERE "
#define HONE_NEWEST(bit, state, user)                                                         \
  "SELECT number FROM (SELECT number FROM job WHERE ?4 & " bit " AND " user "state = '" state \
  "' AND number < ?1 ORDER BY number DESC LIMIT ?2)"
#define HONE_NEWEST_IN_STATES(user)                                                                                \
  "number IN (" HONE_NEWEST("2", "pending", user) " UNION ALL " HONE_NEWEST(                                       \
      "4", "running",                                                                                              \
      user) " UNION ALL " HONE_NEWEST("8", "succeeded",                                                            \
                                      user) " UNION ALL " HONE_NEWEST("16", "failed",                              \
                                                                      user) " UNION ALL " HONE_NEWEST("32",        \
                                                                                                      "cancelled", \
                                                                                                      user) ") "
#define HONE_NEWEST_FIRST "ORDER BY number DESC LIMIT ?2"
  Statement jobs_{connection_, HONE_JOB_QUERY "number < ?1 " HONE_NEWEST_FIRST};
  Statement jobsOfUser_{connection_, HONE_JOB_QUERY "number < ?1 AND user = ?3 " HONE_NEWEST_FIRST};
  Statement jobsInStates_{connection_, HONE_JOB_QUERY HONE_NEWEST_IN_STATES("") HONE_NEWEST_FIRST};
  Statement jobsOfUserInStates_{connection_, HONE_JOB_QUERY HONE_NEWEST_IN_STATES("user = ?3 AND ") HONE_NEWEST_FIRST};
#undef HONE_NEWEST_FIRST
#undef HONE_NEWEST_IN_STATES
#undef HONE_NEWEST
#undef HONE_JOB_QUERY
  Statement events_{connection_,
                    "SELECT sequence, micros, from_state, to_state, actor, detail, task FROM event "
                    "WHERE job = (SELECT number FROM job WHERE id = ?) AND sequence > ? ORDER BY sequence"};
  Statement attempts_{connection_,
                      "SELECT attempt.epoch, attempt.worker, granted, ended, outcome, log, attempt.task FROM task "
                      "CROSS JOIN attempt ON attempt.task = task.id WHERE job = (SELECT number FROM job WHERE id = ?1) "
                      "AND task.id >= ?2 AND (task.id > ?2 OR attempt.epoch > ?3) ORDER BY task.id, attempt.epoch "
                      "LIMIT ?4"};
  Statement attemptsAt_{connection_,
                        "SELECT epoch, worker, granted, ended, outcome, log, task FROM attempt WHERE task = ? "
                        "ORDER BY epoch"};
  Statement userOfLease_{connection_,
                         "SELECT user FROM task JOIN job ON number = task.job WHERE task.id = ? AND epoch = ? "
                         "AND task.state = 'leased'"};
  Statement workers_{connection_,
                     "SELECT name, device_key, version, reason, is_builder, is_device, target, is_draining, "
                     "is_quarantined, completed, failures, strikes, seen FROM worker ORDER BY name"};
  Statement cached_{connection_, "SELECT result FROM cache WHERE cache_key = ?"};
  Statement blob_{connection_, "SELECT user, created, used FROM blob WHERE sha256 = ? AND size = ?"};
  Statement unreferenced_{
      connection_,
      "SELECT sha256, size FROM blob WHERE used < ?1 AND NOT EXISTS(SELECT 1 FROM job_blob JOIN job ON "
      "job.number = job_blob.job WHERE job_blob.sha256 = blob.sha256 AND (role = 'result' OR ended = 0)) "
      "AND NOT EXISTS(SELECT 1 FROM cache_blob JOIN cache USING(cache_key) WHERE cache_blob.sha256 = blob.sha256 "
      "AND cache.used >= ?2) ORDER BY used LIMIT ?3"};
  Statement usage_{connection_, "SELECT blob_bytes, pending, running FROM account WHERE user = ?"};
#define HONE_RECORD_QUERY                                                                                         \
  "SELECT record.id, record_task.text, record_target.message, threads, schedule, samples, error, origin, micros " \
  "FROM record JOIN record_task ON record_task.id = record.task "                                                 \
  "JOIN record_target ON record_target.id = record.target WHERE record.id > ?1 AND (?2 = 0 OR threads = ?2) "
  Statement allRecords_{connection_, HONE_RECORD_QUERY "ORDER BY record.id LIMIT ?3"};
  Statement recordsOfTask_{connection_, HONE_RECORD_QUERY
                           "AND record.task = (SELECT id FROM record_task WHERE text = ?4) "
                           "ORDER BY record.id LIMIT ?3"};
  Statement recordsOfTarget_{connection_, HONE_RECORD_QUERY
                             "AND record.target = (SELECT id FROM record_target WHERE text = ?4) "
                             "ORDER BY record.id LIMIT ?3"};
  Statement recordsOfBoth_{connection_, HONE_RECORD_QUERY
                           "AND record.task = (SELECT id FROM record_task WHERE text = ?4) "
                           "AND record.target = (SELECT id FROM record_target WHERE text = ?5) "
                           "ORDER BY record.id LIMIT ?3"};
#undef HONE_RECORD_QUERY
  Statement lastRecord_{connection_, "SELECT ifnull(max(id), 0) FROM record"};
  Statement countRecords_{connection_, "SELECT count(*) FROM record"};
};

class ReaderPool {
 public:
  ReaderPool(std::filesystem::path file, int kept, absl::Duration busyTimeout)
      : file_(std::move(file)), kept_(static_cast<size_t>(kept)), busyTimeout_(busyTimeout) {}

  /// A reader for the time of one call; \p ask gets it and returns a StatusOr.
  template <typename Ask>
  auto with(Ask ask) -> decltype(ask(std::declval<Reader &>())) {
    absl::StatusOr<std::unique_ptr<Reader>> reader = take();
    if (!reader.ok()) return reader.status();
    auto answer = ask(**reader);
    put(*std::move(reader));
    return answer;
  }

 private:
  absl::StatusOr<std::unique_ptr<Reader>> take();
  void put(std::unique_ptr<Reader> reader);

  const std::filesystem::path file_;
  const size_t kept_;
  const absl::Duration busyTimeout_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Reader>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hone::server::sqlite
