// What the coordinator remembers, spoken in intents. Everything that decides anything is here: whoever holds a Store
// can rebuild the coordinator's state from it. SqliteStore is the implementation; store_contract.h tests any.
//
// Writing: begin(), intents, commit(), all from one thread at a time (the engine's). What commit() has answered OK to
// is durable. Any other answer means that nothing since begin() has happened; the caller rolls back and reads its
// state again. Reading: any thread, at any time; sees what is committed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hone/v1/fleet.pb.h"
#include "hone/v1/jobs.pb.h"
#include "hone/v1/records.pb.h"
#include "hone/v1/tasks.pb.h"

namespace hone::server {

/// A task that is to be.
struct NewTask {
  std::string kind;      ///< as the table of kinds names it
  std::string key;       ///< of the devices; empty: builders
  std::string cacheKey;  ///< empty: never cached
  int32_t items = 0;
  std::optional<v1::TaskSpec> spec;  ///< none: the job's own specification, read as a task's
};

struct NewJob {
  std::string id;  ///< "j-" and letters and digits; unique
  std::string user;
  std::string kind;
  v1::SubmitRequest request;
  std::vector<v1::Digest> inputs;  ///< the blobs that the job reads
  std::vector<NewTask> tasks;      ///< at least one
  std::string memo;                ///< of its driver
  int64_t deadlineMicros = 0;      ///< wall clock; for people and for the time after a restart
};

/// An unfinished job, as far as decisions need it.
struct JobRow {
  int64_t number = 0;  ///< grows with each job
  std::string id;
  std::string user;
  std::string kind;
  int32_t priority = 0;
  bool isRunning = false;
  int64_t submittedMicros = 0;
  int64_t deadlineMicros = 0;
  int64_t tasks = 0;  ///< with those that have ended
};

/// One piece of a job's work, as far as scheduling needs it.
struct Task {
  int64_t id = 0;
  int64_t job = 0;  ///< its number
  std::string kind;
  std::string key;
  std::string cacheKey;
  int32_t items = 0;
  bool isLeased = false;
  int64_t epoch = 0;   ///< of the last grant; 0: never granted
  std::string worker;  ///< of the last grant
  int32_t attempts = 0;
  int64_t createdMicros = 0;
  int64_t grantSequence = 0;  ///< grows with every grant of any task; 0: never granted
};

/// How a task ended or came back.
enum class AttemptEnd : uint8_t { Done, Failed, Lost, Expired, Cancelled, Returned };
/// As in Attempt.end.
const char *nameOf(AttemptEnd end);

struct Grant {
  int64_t epoch = 0;
  v1::TaskSpec spec;
  std::vector<int32_t> endedItems;  ///< in earlier leases
};

/// What a driver decides by, when a task has ended.
struct DriverInput {
  v1::JobSpec job;
  std::string memo;
  v1::TaskSpec task;
  std::vector<v1::ItemResult> items;  ///< of the task, by number
};

struct CacheEntry {
  v1::TaskResult result;  ///< names the blobs
};

struct WorkerRow {
  std::string name, key, version, reason;
  std::vector<v1::Role> roles;
  v1::TargetDescription target;
  bool isDraining = false;
  bool isQuarantined = false;
  int64_t completed = 0, failures = 0;
  int32_t strikes = 0;  ///< failures on work that others completed, since the last reset
  int64_t seenMicros = 0;
};

struct BlobRow {
  v1::Digest digest;
  std::string user;  ///< whose quota it counts for
  int64_t createdMicros = 0;
  int64_t usedMicros = 0;
};

struct UserUsage {
  int64_t blobBytes = 0;
  int64_t queuedJobs = 0;  ///< pending
  int64_t runningJobs = 0;
};

/// Everything unfinished, as after a restart.
struct Unfinished {
  std::vector<JobRow> jobs;  ///< by number
  std::vector<Task> tasks;   ///< by id; each of one of the jobs
  int64_t lastGrantSequence = 0;
  /// The greatest grantSequence of each user's tasks in each queue, ended tasks included: whose turn it is.
  struct LastGrant {
    std::string user, key;
    int64_t grantSequence = 0;
  };
  std::vector<LastGrant> lastGrants;
};

/// What a listing leaves out of a job's specification, which depends on its kind.
using Shorten = std::function<void(v1::JobSpec &)>;

class Store {
 public:
  virtual ~Store() = default;

  // ------------------------------------------------------------------------------------------------- transactions
  virtual absl::Status begin() = 0;
  virtual absl::Status commit() = 0;
  virtual void rollback() = 0;

  // ------------------------------------------------------------------------------- jobs and tasks (inside begin())
  /// The job, new or of an earlier request of the same user with the same request id; the events that tell of it.
  struct PutJob {
    v1::Job job;
    std::optional<JobRow> row;  ///< none: the job was there already
    std::vector<Task> tasks;
  };
  virtual absl::StatusOr<PutJob> putJob(const NewJob &job, int64_t nowMicros) = 0;

  /// Grants a lease: one UPDATE from pending to leased that raises the epoch. NOT_FOUND when the task is not pending.
  virtual absl::StatusOr<Grant> claim(int64_t task, const std::string &worker, int64_t nowMicros) = 0;

  /// Keeps the results of items of a leased task; those that have one keep it. An event tells of each quarter of them.
  /// None: the epoch is stale, and nothing was changed.
  struct PutItems {
    int32_t ended = 0;  ///< how many have a result now
    bool isTold = false;
  };
  virtual absl::StatusOr<std::optional<PutItems>> putItems(int64_t task, int64_t epoch,
                                                           const std::vector<v1::ItemResult> &items,
                                                           int64_t nowMicros) = 0;
  virtual absl::StatusOr<int32_t> endedItems(int64_t task) = 0;  ///< how many have a result

  /// Ends a leased task: one UPDATE that matches (task, epoch, leased). False: the epoch is stale, and nothing was
  /// changed. \p end is Done or Failed. Its job goes on until endJob().
  virtual absl::StatusOr<bool> completeTask(int64_t task, int64_t epoch, AttemptEnd end, const v1::TaskResult &result,
                                            const std::string &log, int64_t nowMicros) = 0;
  /// Ends a pending task with the result of equal work. False: it was not pending.
  virtual absl::StatusOr<bool> answerTask(int64_t task, const v1::TaskResult &result, int64_t nowMicros) = 0;
  /// Ends a pending task that was begun too often. False: it was not pending.
  virtual absl::StatusOr<bool> failTask(int64_t task, const v1::TaskResult &result, int64_t nowMicros) = 0;

  /// A lease ends without a result, and its task is pending again. False: the epoch is stale.
  virtual absl::StatusOr<bool> requeue(int64_t task, int64_t epoch, AttemptEnd end, const std::string &detail,
                                       int64_t nowMicros) = 0;

  virtual absl::StatusOr<DriverInput> driverInput(int64_t task) = 0;
  /// An unfinished job goes on: with new tasks, if any, which the end of \p cause has made possible. Blobs of \p
  /// scratch stay until the job's end.
  virtual absl::StatusOr<std::vector<Task>> advanceJob(int64_t job, const std::string &memo,
                                                       const std::vector<NewTask> &tasks, int64_t cause,
                                                       const std::vector<v1::Digest> &scratch, int64_t nowMicros) = 0;

  /// Ends an unfinished job in a final state, with all of its tasks that have not ended. Epochs of their leases are
  /// raised, so that results will be stale. False: the job had ended.
  virtual absl::StatusOr<bool> endJob(int64_t job, v1::JobState state, const v1::JobResult &result,
                                      const std::string &actor, const std::string &detail, int64_t nowMicros) = 0;

  // -------------------------------------------------------------------------- workers, cache, blobs (inside begin())
  virtual absl::Status putWorker(const WorkerRow &worker) = 0;  ///< inserts or replaces
  /// Keeps a result for equal work, instead of the one that there is. \p blobs: that it names.
  virtual absl::Status putCacheEntry(const std::string &cacheKey, const v1::TaskResult &result,
                                     const std::vector<v1::Digest> &blobs, int64_t nowMicros) = 0;
  virtual absl::Status useCacheEntry(const std::string &cacheKey, int64_t nowMicros) = 0;
  /// Workers that were seen last before \p beforeMicros, but for those about which somebody has decided something.
  virtual absl::Status removeWorkers(int64_t beforeMicros) = 0;
  virtual absl::Status removeCacheEntry(const std::string &cacheKey) = 0;
  virtual absl::Status putBlob(const BlobRow &blob) = 0;  ///< inserts, or renews usedMicros
  virtual absl::Status touchBlobs(const std::vector<v1::Digest> &digests, int64_t nowMicros) = 0;
  virtual absl::Status removeBlob(const v1::Digest &digest) = 0;  ///< and the cache entries that name it
  struct AddedRecords {
    int32_t added = 0, known = 0;
  };
  virtual absl::StatusOr<AddedRecords> putRecords(const std::vector<v1::Record> &records, int64_t nowMicros) = 0;
  /// Removes ended jobs (with tasks, attempts, events) that ended before \p beforeMicros, at most \p most.
  virtual absl::StatusOr<int64_t> removeEndedJobs(int64_t beforeMicros, int64_t most) = 0;

  // ------------------------------------------------------------------------------------------ reading (any thread)
  virtual absl::StatusOr<Unfinished> unfinished() const = 0;
  virtual absl::StatusOr<v1::Job> job(const std::string &id) const = 0;  ///< NOT_FOUND
  virtual absl::StatusOr<v1::Job> jobOfRequest(const std::string &user, const std::string &requestId) const = 0;
  /// Newest first. \p pageToken as the answer before gave it; INVALID_ARGUMENT for any other. A page may have fewer
  /// jobs than were asked for: it ends where it would not fit into a message, or where much was read for it.
  virtual absl::StatusOr<v1::ListJobsResponse> jobs(const v1::ListJobsRequest &request,
                                                    const Shorten &shorten = nullptr) const = 0;
  virtual absl::StatusOr<std::vector<v1::JobEvent>> events(const std::string &job, int64_t afterSequence) const = 0;
  /// Of a job, in the order of tasks and epochs.
  virtual absl::StatusOr<v1::AttemptsResponse> attempts(const v1::AttemptsRequest &request) const = 0;
  virtual absl::StatusOr<std::vector<v1::Attempt>> attemptsAt(int64_t task) const = 0;
  /// The user of the job of a lease that stands; none: it does not.
  virtual absl::StatusOr<std::optional<std::string>> userOfLease(int64_t task, int64_t epoch) const = 0;
  virtual absl::StatusOr<std::vector<WorkerRow>> workers() const = 0;
  virtual absl::StatusOr<std::optional<CacheEntry>> cached(const std::string &cacheKey) const = 0;
  virtual absl::StatusOr<std::optional<BlobRow>> blob(const v1::Digest &digest) const = 0;
  /// Blobs that no unfinished job, no kept job's result and no cache entry used since \p cacheUsedBeforeMicros (none:
  /// \p usedBeforeMicros) refers to, not used since \p usedBeforeMicros, the least recently used first; at most \p
  /// most. Uploads are no references: their blobs have no row yet.
  virtual absl::StatusOr<std::vector<v1::Digest>> unreferencedBlobs(
      int64_t usedBeforeMicros, int64_t most, std::optional<int64_t> cacheUsedBeforeMicros = std::nullopt) const = 0;
  virtual absl::StatusOr<UserUsage> usage(const std::string &user) const = 0;
  /// Those that are committed; at least as many as there are, if these are no more than \p enough.
  virtual absl::StatusOr<int64_t> countRecords(int64_t enough) const = 0;
  virtual absl::StatusOr<v1::QueryRecordsResponse> records(const v1::QueryRecordsRequest &request) const = 0;
};

}  // namespace hone::server
