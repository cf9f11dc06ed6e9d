// The tracker's thread: accepts, reads, decides, answers, closes. One epoll set holds everything, and what takes long
// (the fleet) answers later, so that no client can keep another one waiting.
//
// run() belongs to one thread; stop() may be called on any, once. Owns its sockets.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tracker/broker.h"
#include "server/tracker/connection.h"
#include "server/tracker/fleet_reads.h"
#include "server/tracker/tracker.h"
#include "server/tracker/wire.h"

namespace hone::server {

class TrackerLoop {
 public:
  TrackerLoop(Descriptor listener, Descriptor epoll, TvmTracker::Options options, TvmTracker::Parts parts);

  void run();
  void stop();

 private:
  /// Somebody whose answer needs the fleet: a summary, or a request for this unknown key.
  struct Question {
    ConnectionId connection;
    std::optional<RequestMessage> request;
  };

  absl::Duration now() const { return parts_.clock->monotonic(); }
  int millisecondsToWait() const;
  void watch(int descriptor, uint64_t id, bool wantsToWrite, bool isNew);
  void accept();
  void pauseAccepting(bool isPaused);
  void serve(ConnectionId id, uint32_t events);
  absl::Status exchange(ConnectionId id, Connection &connection, uint32_t events);
  absl::Status handleMessages(ConnectionId id, Connection &connection);
  void finish(ConnectionId id, const absl::Status &status);
  void close(ConnectionId id, const absl::Status &why);
  void answerFleet();
  void answer(const Question &question, const FleetReads::Fleet &fleet);
  void passTime();
  void matchTickets(const std::string &key);
  void log(const std::string &line);

  absl::Status handle(ConnectionId id, Connection &connection, const PingMessage &message);
  absl::Status handle(ConnectionId id, Connection &connection, const StopMessage &message);
  absl::Status handle(ConnectionId id, Connection &connection, const PutMessage &message);
  absl::Status handle(ConnectionId id, Connection &connection, const RequestMessage &message);
  absl::Status handle(ConnectionId id, Connection &connection, const UpdateInfoMessage &message);
  absl::Status handle(ConnectionId id, Connection &connection, const SummaryMessage &message);
  absl::Status handle(ConnectionId id, Connection &connection, const PendingMatchKeysMessage &message);

  std::string summary(const FleetReads::Fleet &fleet) const;
  std::string unknownKey(const std::string &key, const FleetReads::Fleet &fleet) const;

  Descriptor listener_, epoll_;
  TvmTracker::Options options_;
  TvmTracker::Parts parts_;
  std::atomic<bool> isStopping_{false};
  FleetReads fleet_;
  Broker broker_;
  std::map<ConnectionId, std::unique_ptr<Connection>> connections_;
  std::map<uint64_t, std::vector<Question>> questions_;  // by the read that will answer them
  ConnectionId nextId_;
  absl::Duration acceptAgain_ = absl::InfiniteDuration();  // after the process ran out of descriptors
  size_t buffered_ = 0;                                    // bytes that all connections hold, as of the last turn
  absl::Duration logSecond_ = -absl::InfiniteDuration();
  int64_t linesInSecond_ = 0;
};

}  // namespace hone::server
