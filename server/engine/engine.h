// The coordinator's one mind: takes what clients and workers say, decides, writes the decision to the store in groups
// of changes per commit, and only then answers. All of it on one thread of its own; whatever it keeps in memory
// (queues, sessions, deadlines) can be rebuilt from the store, and is, when a commit fails.
//
// All methods are thread-safe and return at once. Callbacks and links are called on the engine's thread, after the
// commit, and must not block. Owns nothing that is passed in; those outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hone/v1/fleet.pb.h"
#include "hone/v1/jobs.pb.h"
#include "hone/v1/records.pb.h"
#include "server/base/clock.h"
#include "server/base/failpoint.h"
#include "server/kinds/kinds.h"
#include "server/store/blob_folder.h"
#include "server/store/store.h"

namespace hone::server {

/// The longest and the most of everything; docs/operators-guide.md has the table.
struct Policy {
  absl::Duration heartbeat = absl::Seconds(3);
  absl::Duration silence = absl::Seconds(15);  ///< then a connection counts as gone
  absl::Duration lease = absl::Seconds(20);    ///< without a heartbeat that names it
  absl::Duration maxJob = absl::Hours(24);     ///< from submission
  absl::Duration maxWork = absl::Hours(1);     ///< one attempt
  int32_t maxAttempts = 4;                     ///< grants of one task
  int32_t strikesToQuarantine = 3;
  int64_t maxQueuedJobs = 10000;  ///< per user
  int64_t maxWorkers = 20'000;    ///< known, attached or not
  int64_t maxRecords = 10'000'000;
  int64_t maxRunningJobs = 64;  ///< per user; of however many tasks each
  int64_t maxUserBytes = int64_t{64} << 30;
  absl::Duration keepJobs = absl::Hours(24 * 30);
  absl::Duration blobGrace = absl::Hours(24);
  absl::Duration keepCache = absl::Hours(24 * 30);  ///< since its last use
  absl::Duration keepKeys = absl::Hours(24 * 7);    ///< a key stays known without a worker that has it
  /// Where several come at once, a group that follows another waits this long for more to join it: commits get fewer,
  /// answers hardly later. One alone, whose next step comes when it has its answer, waits for nobody.
  absl::Duration joinWindow = absl::Milliseconds(2);
};

/// One attached worker's way out. send() queues and returns.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;
  virtual void send(v1::CoordinatorMessage message) = 0;
  virtual void close() = 0;  ///< after what was sent
};

/// Told when something about a job may have changed; then reads the store.
class JobWatcher {
 public:
  virtual ~JobWatcher() = default;
  virtual void changed() = 0;  ///< there are new events
  virtual void progress(const v1::Progress &progress) = 0;
};

/// Counters and durations for the metrics page; called on the engine's thread.
class EngineObserver {
 public:
  virtual ~EngineObserver() = default;
  virtual void submitted(const std::string &kind) {}
  virtual void ended(const std::string &kind, const v1::Job &job) {}
  virtual void queued(absl::Duration wait) {}       ///< at a lease: since submission or requeue
  virtual void leased(absl::Duration sinceFree) {}  ///< at a lease: since the worker's slot was free
  virtual void nameTaken(const std::string &name, const std::string &peer) {}  ///< a newcomer was refused
  virtual void expired() {}
  virtual void stale() {}  ///< a result dropped by its epoch
  virtual void cacheHit() {}
  virtual void cacheMiss() {}
  virtual void committed(absl::Duration duration, int64_t changes) {}
  virtual void commitFailed() {}
};

/// What is now; for metrics, readiness and tests.
struct EngineState {
  int64_t pending = 0, leased = 0, sessions = 0;
  bool isDraining = false;
  absl::Status lastCommit;
};

template <typename T>
using Callback = std::function<void(absl::StatusOr<T>)>;

using SessionId = int64_t;

class Engine {
 public:
  struct Parts {
    Store *store;
    BlobFolder *blobs;
    const Kinds *kinds;
    const Clock *clock;
    Failpoints *failpoints;
    EngineObserver *observer;
    uint64_t seed;  ///< of ids
  };
  /// Reads the store and starts the thread. Leases that the store knows get one fresh duration.
  static absl::StatusOr<std::unique_ptr<Engine>> start(Parts parts, Policy policy);
  /// Ends the thread after what was queued; no job ends by it.
  virtual ~Engine() = default;

  // ------------------------------------------------------------------------------------------------------ clients
  /// \p request has passed checkSubmit().
  virtual void submit(std::string user, v1::SubmitRequest request, Callback<v1::Job> done) = 0;
  /// How many tasks wait before the job's first one that waits; 0: none of its tasks does.
  virtual void queuePosition(std::string job, Callback<int64_t> done) = 0;
  virtual void cancel(std::string user, std::string job, Callback<v1::Job> done) = 0;
  /// The blob's file is durable; this makes its row so. Who calls has checked the user's quota.
  virtual void blobStored(std::string user, v1::Digest digest, Callback<v1::Digest> done) = 0;
  /// Renews the grace of blobs, before somebody is told that they are there; of those used a moment ago (a 64th of the
  /// grace), as their rows say, it is not written again. The answer has those of them that are being removed now: they
  /// count as missing, though their files may still be seen.
  virtual void blobsSeen(std::vector<BlobRow> blobs, Callback<std::vector<v1::Digest>> done) = 0;
  /// Its bytes were found damaged and its file was moved away: forgets the blob and what refers to it in the cache,
  /// unless a newer file has its name by now.
  virtual void blobDamaged(v1::Digest digest) = 0;
  virtual void importRecords(v1::ImportRecordsRequest request, Callback<v1::ImportRecordsResponse> done) = 0;
  /// Until \p watcher is gone or unwatch().
  virtual void watch(const std::string &job, std::shared_ptr<JobWatcher> watcher) = 0;
  virtual void unwatch(const std::string &job, const JobWatcher *watcher) = 0;

  // ------------------------------------------------------------------------------------------------------ workers
  /// Welcome or Farewell goes through \p link.
  virtual SessionId attach(v1::Hello hello, std::string peer, std::shared_ptr<WorkerLink> link) = 0;
  virtual void receive(SessionId session, v1::WorkerMessage message) = 0;
  virtual void detach(SessionId session) = 0;
  virtual void listWorkers(v1::ListWorkersRequest request, Callback<v1::ListWorkersResponse> done) = 0;
  virtual void drainWorker(v1::DrainRequest request, Callback<v1::Worker> done) = 0;

  // -------------------------------------------------------------------------------------------------------- itself
  /// No new leases from now on; \p idle is called once no lease is held.
  virtual void drain(std::function<void()> idle) = 0;
  /// Deadlines, retention, garbage; also called by the engine itself from time to time.
  virtual void tick() = 0;
  virtual EngineState state() const = 0;
};

}  // namespace hone::server
