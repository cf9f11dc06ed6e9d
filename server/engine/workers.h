// What workers say, and what people decide about them. Each is applied within the group that is open; a status that is
// not OK means that the store failed. Used by the engine's thread only.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/engine/retention.h"
#include "server/engine/state.h"
#include "server/engine/transitions.h"

namespace hone::server {

class Workers {
 public:
  Workers(State &state, Transitions &transitions, Retention &retention)
      : state_(state), transitions_(transitions), retention_(retention) {}

  /// A connection on its way in. May be applied again after a group was undone.
  struct Arrival {
    SessionId id = 0;
    v1::Hello hello;
    std::string peer;
    std::shared_ptr<WorkerLink> link;
    bool hasBegun = false;  ///< the session was made
  };
  absl::Status attach(const std::shared_ptr<Arrival> &arrival);
  absl::Status receive(SessionId session, const v1::WorkerMessage &message);
  absl::Status detach(SessionId session, const std::string &reason);
  absl::Status list(const v1::ListWorkersRequest &request, const Callback<v1::ListWorkersResponse> &done);
  absl::Status drain(const v1::DrainRequest &request, const Callback<v1::Worker> &done);

 private:
  /// False: it is not (any more) that worker's.
  bool renew(const Session &session, const v1::HeldLease &held);
  /// What the worker holds and what the store says, made one; returns what the worker must drop.
  absl::StatusOr<std::vector<v1::HeldLease>> reconcile(const Session &session);
  absl::Status welcome(const Session &session);
  absl::Status refuseName(const Arrival &arrival, const Session &older);
  void replace(const Session &older);
  void heartbeat(const Session &session, const v1::Heartbeat &heartbeat);
  void progress(const Session &session, const v1::LeaseProgress &progress);
  absl::Status result(const Session &session, const v1::LeaseResult &result);
  absl::Status accept(const Session &session, LiveTask &live, const v1::LeaseResult &result);
  absl::Status items(const Session &session, const v1::LeaseItems &items);
  /// Null: \p session does not hold that lease.
  LiveTask *heldBy(const Session &session, int64_t task, int64_t epoch);
  void acknowledge(const Session &session, v1::Ack ack);
  /// Why \p result cannot be taken although its lease stands; empty: it can.
  absl::StatusOr<std::string> faultOf(const LiveTask &live, const v1::LeaseResult &result) const;
  /// What a result lacks that says DONE; empty: nothing.
  absl::StatusOr<std::string> lackOf(const LiveTask &live, const v1::TaskResult &result) const;
  v1::Worker describe(const WorkerRow &row) const;
  void addQueues(const std::string &key, v1::ListWorkersResponse &response) const;

  State &state_;
  Transitions &transitions_;
  Retention &retention_;
};

}  // namespace hone::server
