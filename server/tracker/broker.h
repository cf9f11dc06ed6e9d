// Who offers, who waits, and who gets what: TVM's matching of tickets and requests, key by key, without sockets.
//
// A server puts tickets under a key; a request waits for one. Higher priority first, then first come. A key is known
// while a server has it, and for a grace after its last server left (TVM's servers dial again every five seconds); at
// the start every key has that grace, since the servers of the time before are about to come back. A request for an
// unknown key is refused at once, one that waits is refused when its key becomes unknown.
//
// All of it is in memory only, on purpose: a ticket is worth what its server's connection is worth, and TVM's servers
// offer theirs anew when they come back. One thread at a time; owns its contents. Time is passed in.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/tracker/wire.h"

namespace hone::server {

using ConnectionId = uint64_t;

class Broker {
 public:
  struct Ticket {
    ConnectionId server = 0;
    std::string address, matchKey;
    int port = 0;
  };
  struct Grant {
    ConnectionId client = 0;
    Ticket ticket;
  };

  struct Limits {
    size_t ticketsOfServer = 64;  ///< not taken; TVM's servers offer one at a time
    size_t keysOfServer = 16;
    size_t keys = 4096;
  };

  Broker(Limits limits, absl::Duration grace, absl::Duration now) : limits_(limits), grace_(grace), started_(now) {}

  /// \p server serves \p key, whether or not it offers a ticket now. RESOURCE_EXHAUSTED: a limit.
  absl::Status addServer(ConnectionId server, const std::string &key);
  /// The same ticket twice counts once. RESOURCE_EXHAUSTED: a limit.
  absl::Status put(const std::string &key, const Ticket &ticket);
  bool isKnown(const std::string &key, absl::Duration now) const;
  /// A connection waits for one ticket at a time. RESOURCE_EXHAUSTED: a limit.
  absl::Status request(ConnectionId client, const RequestMessage &request);
  /// Forgets the connection, what it offers and what it waits for.
  void remove(ConnectionId connection, absl::Duration now);

  /// Pairs the tickets and requests of \p key. \p isAlive says of both sides whether the connection still stands: a
  /// ticket or a request of one that does not is passed over.
  std::vector<Grant> match(const std::string &key, const std::function<bool(ConnectionId)> &isAlive);
  /// Requests whose key has become unknown; they wait no longer.
  std::vector<std::pair<ConnectionId, RequestMessage>> refuse(absl::Duration now);
  /// When refuse() has something to do, if nothing changes before; InfiniteDuration(): never.
  absl::Duration nextRefusal() const;

  std::vector<std::string> pendingMatchKeys(ConnectionId server) const;
  std::vector<std::string> knownKeys() const;  ///< that have a server
  std::vector<SummaryQueue> queues() const;

 private:
  using Waiting = std::tuple<int64_t, uint64_t, ConnectionId>;  // minus the priority, arrival, client
  struct Line {
    std::deque<Ticket> tickets;
    std::set<Waiting> waiting;
    std::set<ConnectionId> servers;
    absl::Duration left = absl::ZeroDuration();  // when the last server left
  };
  absl::StatusOr<Line *> lineOf(const std::string &key);
  absl::Duration knownUntil(const Line *line) const;
  std::optional<Ticket> takeTicket(Line &line, const std::function<bool(ConnectionId)> &isAlive);
  std::optional<ConnectionId> takeClient(Line &line, const std::function<bool(ConnectionId)> &isAlive);

  Limits limits_;
  absl::Duration grace_, started_;
  std::map<std::string, Line> lines_;
  std::map<ConnectionId, std::set<std::string>> keys_;  // of servers
  std::map<ConnectionId, std::pair<std::string, Waiting>> requests_;
  uint64_t arrivals_ = 0;
};

}  // namespace hone::server
