// The agent: attaches to a coordinator, takes its leases, has children do the work, brings the results back, and does
// so again after every break. One thread (run()'s) decides everything; leases have threads of their own, which tell it
// of their progress and end. Owns nothing that is passed in.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "common/failpoint.h"
#include "common/mutex.h"
#include "hone/v1/fleet.grpc.pb.h"
#include "worker/agent/connection.h"
#include "worker/agent/lease_runner.h"
#include "worker/agent/leases.h"
#include "worker/agent/log.h"

namespace hone::worker {

class Agent {
 public:
  struct Parts {
    WorkKinds kinds;
    std::shared_ptr<grpc::Channel> channel;
    Blobs *blobs;
    ChildPool *children;
    const LeaseRunner *runner;
    const Log *log;
    std::function<absl::Duration()> now;  ///< monotonic
    uint64_t seed;                        ///< of the pauses between attempts to attach
    int signals;                          ///< a signalfd of the signals that ask to end
    Failpoints *failpoints;
  };
  /// \p hello: without held leases.
  Agent(Parts parts, v1::Hello hello);
  ~Agent();

  /// Until it was asked to end and holds nothing (0), asked twice (130), or was refused for good (6).
  int run();

 private:
  struct Running {
    std::thread thread;
    std::shared_ptr<Cancellation> cancellation;
    bool isBuilder = false;
  };
  struct Waiting {
    v1::Lease lease;
    Deadline deadline;
  };
  using Event = std::function<void()>;

  // -------------------------------------------------------------------------------------------------- from outside
  void post(Event event);
  void wait();
  void takeSignals();

  // ---------------------------------------------------------------------------------------------------- connection
  void dial();
  void received(const v1::CoordinatorMessage &message);
  void welcomed(const v1::Welcome &welcome);
  void ended(const grpc::Status &status);
  void beat();
  void checkSilence();
  void send(v1::WorkerMessage message);
  void sendGoodbye();
  bool mayGetLease(absl::Duration now) const;

  // -------------------------------------------------------------------------------------------------------- leases
  void granted(const v1::Lease &lease);
  void startWaiting();
  void start(Waiting waiting, bool isBuilder);
  LeaseRunner::Listener listenerOf(LeaseId id);
  void itemEnded(LeaseId id, v1::ItemResult item);
  void sendItems(LeaseId id);
  void acknowledged(const v1::Ack &ack);
  void finished(LeaseId id, std::optional<v1::LeaseResult> result);
  void drop(LeaseId id, const char *why);
  void refuse(const v1::Lease &lease, const std::string &sentence);
  int freeSlots() const;
  bool hasRole(v1::Role role) const;

  const Parts parts_;
  const v1::Hello hello_;
  const std::unique_ptr<v1::Fleet::Stub> fleet_;
  std::mt19937_64 random_;
  Descriptor wake_;

  Mutex mutex_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);  ///< from other threads

  std::shared_ptr<Connection> connection_;
  int64_t generation_ = 0;  ///< of connections: what an older one says no longer counts
  bool isWelcome_ = false, isClosing_ = false;
  int failedAttempts_ = 0;
  absl::Duration heartbeat_, silence_;
  absl::Duration nextDial_, nextBeat_, lastHeard_;

  LeaseBook leases_;
  std::deque<Waiting> waiting_;  ///< for a slot
  std::map<LeaseId, Running> running_;
  std::optional<int> exit_;
  bool isDraining_ = false;      ///< asked to end
  bool isGoodbyeHeard_ = false;  ///< by the coordinator: it sends no further lease
  absl::Duration goodbyeUntil_;  ///< for how long that is waited for
  bool isDrained_ = false;       ///< by the coordinator, which goes on knowing us
};

}  // namespace hone::worker
