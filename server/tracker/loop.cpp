#include "server/tracker/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hone::server {
namespace {

constexpr uint64_t kListenerId = 0, kFleetId = 1, kFirstId = 2;
constexpr size_t kMaxBuffered = size_t{64} << 20, kSmallBuffer = size_t{64} << 10;
constexpr size_t kKeysInSentence = 20;
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

/// A host that vanished without a word is noticed within a minute, also while its server is silent in a session.
void keepAlive(int socket) {
  const int yes = 1, idleSeconds = 30, intervalSeconds = 10, probes = 3;
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idleSeconds, sizeof idleSeconds);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &intervalSeconds, sizeof intervalSeconds);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

std::string addressText(const sockaddr_in &address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return text.data();
}

bool isDevice(const v1::Worker &worker) {
  return worker.state() != v1::WORKER_GONE &&
         std::find(worker.roles().begin(), worker.roles().end(), v1::ROLE_DEVICE) != worker.roles().end();
}

}  // namespace

TrackerLoop::TrackerLoop(Descriptor listener, Descriptor epoll, TvmTracker::Options options, TvmTracker::Parts parts)
    : listener_(std::move(listener)),
      epoll_(std::move(epoll)),
      options_(std::move(options)),
      parts_(std::move(parts)),
      fleet_(parts_.fleet, options_.fleetTime),
      broker_(Broker::Limits(), options_.reconnectGrace, now()),
      nextId_(kFirstId) {
  watch(listener_.get(), kListenerId, false, true);
  watch(fleet_.descriptor(), kFleetId, false, true);
}

void TrackerLoop::stop() {
  isStopping_ = true;
  fleet_.wake();
}

void TrackerLoop::watch(int descriptor, uint64_t id, bool wantsToWrite, bool isNew) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  if (wantsToWrite) event.events |= EPOLLOUT;
  event.data.u64 = id;
  epoll_ctl(epoll_.get(), isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event);
}

void TrackerLoop::run() {
  std::array<epoll_event, 64> events{};
  while (!isStopping_) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), millisecondsToWait());
    for (int i = 0; i < count; ++i) {
      const epoll_event &event = events[static_cast<size_t>(i)];
      if (event.data.u64 == kListenerId) {
        accept();
      } else if (event.data.u64 != kFleetId) {
        serve(event.data.u64, event.events);
      }
    }
    answerFleet();
    passTime();
  }
}

int TrackerLoop::millisecondsToWait() const {
  absl::Duration next = std::min({broker_.nextRefusal(), fleet_.deadline(), acceptAgain_});
  for (const auto &[id, connection] : connections_) next = std::min(next, connection->deadline());
  if (next == absl::InfiniteDuration()) return -1;
  const absl::Duration wait = std::clamp(next - now(), absl::ZeroDuration(), absl::Seconds(60));
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
}

// -------------------------------------------------------------------------------------------------------- connections

void TrackerLoop::accept() {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  Descriptor socket(
      accept4(listener_.get(), reinterpret_cast<sockaddr *>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.get() < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log(absl::StrCat("no connection can be taken: ", std::strerror(errno)));
      pauseAccepting(true);
    }
    return;
  }
  const std::string peer = addressText(address);
  if (connections_.size() >= options_.maxConnections) {
    return log(absl::StrCat("turned a connection from ", peer, " away: there are ", connections_.size(),
                            ", the most there may be"));
  }
  keepAlive(socket.get());
  const ConnectionId id = nextId_++;
  watch(socket.get(), id, false, true);
  connections_[id] = std::make_unique<Connection>(std::move(socket), peer, options_.messageTime, now());
}

void TrackerLoop::pauseAccepting(bool isPaused) {
  acceptAgain_ = isPaused ? now() + kAcceptPause : absl::InfiniteDuration();
  if (isPaused) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.get(), nullptr);
  } else {
    watch(listener_.get(), kListenerId, false, true);
  }
}

void TrackerLoop::serve(ConnectionId id, uint32_t events) {
  const auto connection = connections_.find(id);
  if (connection == connections_.end()) return;  // closed by an event before
  finish(id, exchange(id, *connection->second, events));
}

absl::Status TrackerLoop::exchange(ConnectionId id, Connection &connection, uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    if (absl::Status status = connection.flush(now()); !status.ok()) return status;
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    if (absl::Status status = connection.read(); !status.ok()) return status;
  }
  const absl::Status status = handleMessages(id, connection);
  if (status.ok() && buffered_ > kMaxBuffered && connection.buffered() > kSmallBuffer) {
    return absl::ResourceExhaustedError(absl::StrCat("all connections together hold ", buffered_, " bytes, it alone ",
                                                     connection.buffered(), "; together they may ", kMaxBuffered));
  }
  return status;
}

absl::Status TrackerLoop::handleMessages(ConnectionId id, Connection &connection) {
  while (true) {
    const absl::StatusOr<std::optional<std::string>> text = connection.nextMessage(now());
    if (!text.ok()) return text.status();
    if (!text->has_value()) return absl::OkStatus();
    const absl::StatusOr<TrackerMessage> message = parseTrackerMessage(**text);
    if (!message.ok()) return message.status();
    const absl::Status status = std::visit([&](const auto &kind) { return handle(id, connection, kind); }, *message);
    if (!status.ok()) return status;
  }
}

void TrackerLoop::finish(ConnectionId id, const absl::Status &status) {
  if (!status.ok()) return close(id, status);
  const Connection &connection = *connections_.at(id);
  watch(connection.descriptor(), id, connection.hasOutput(), false);
}

void TrackerLoop::close(ConnectionId id, const absl::Status &why) {
  const auto connection = connections_.find(id);
  if (connection == connections_.end()) return;
  if (!absl::IsUnavailable(why)) {
    log(absl::StrCat("closed the connection from ", connection->second->peer(), ": ", why.message()));
  }
  connections_.erase(connection);
  broker_.remove(id, now());
}

void TrackerLoop::passTime() {
  const absl::Duration time = now();
  std::vector<std::pair<ConnectionId, absl::Status>> late;
  buffered_ = 0;
  for (const auto &[id, connection] : connections_) {
    buffered_ += connection->buffered();
    if (absl::Status status = connection->late(time); !status.ok()) late.emplace_back(id, std::move(status));
  }
  for (const auto &[id, status] : late) close(id, status);
  for (const auto &[id, request] : broker_.refuse(time)) questions_[fleet_.ask(time)].push_back({id, request});
  if (time >= acceptAgain_) pauseAccepting(false);
}

void TrackerLoop::log(const std::string &line) {
  const absl::Duration time = now();
  if (time - logSecond_ >= absl::Seconds(1)) {
    if (linesInSecond_ > options_.maxLogLines) {
      parts_.log(absl::StrCat(linesInSecond_ - options_.maxLogLines, " more lines in a second were left out"));
    }
    logSecond_ = time;
    linesInSecond_ = 0;
  }
  if (++linesInSecond_ <= options_.maxLogLines) parts_.log(line);
}

// ----------------------------------------------------------------------------------------------------------- messages

absl::Status TrackerLoop::handle(ConnectionId, Connection &connection, const PingMessage &) {
  return connection.write(successReply(), now());
}

absl::Status TrackerLoop::handle(ConnectionId, Connection &connection, const StopMessage &) {
  log(absl::StrCat("refused to stop for ", connection.peer(), ": the coordinator is stopped by its own means only"));
  return connection.write(failureReply(), now());
}

absl::Status TrackerLoop::handle(ConnectionId id, Connection &connection, const PutMessage &message) {
  const Broker::Ticket ticket{.server = id,
                              .address = message.address.empty() ? connection.peer() : message.address,
                              .matchKey = message.matchKey,
                              .port = message.port};
  if (absl::Status status = broker_.put(message.key, ticket); !status.ok()) return status;
  if (absl::Status status = connection.write(successReply(), now()); !status.ok()) return status;
  matchTickets(message.key);
  return absl::OkStatus();
}

absl::Status TrackerLoop::handle(ConnectionId id, Connection &connection, const RequestMessage &message) {
  connection.setBusy(true, now());
  if (!broker_.isKnown(message.key, now())) {
    questions_[fleet_.ask(now())].push_back({id, message});
    return absl::OkStatus();
  }
  if (absl::Status status = broker_.request(id, message); !status.ok()) return status;
  matchTickets(message.key);
  return absl::OkStatus();
}

absl::Status TrackerLoop::handle(ConnectionId id, Connection &connection, const UpdateInfoMessage &message) {
  if (!message.key.empty()) {
    if (absl::Status status = broker_.addServer(id, message.key); !status.ok()) return status;
    connection.info = message;
    if (message.address.empty()) connection.info.address = connection.peer();
  }
  return connection.write(successReply(), now());
}

absl::Status TrackerLoop::handle(ConnectionId id, Connection &connection, const SummaryMessage &) {
  connection.setBusy(true, now());
  questions_[fleet_.ask(now())].push_back({id, std::nullopt});
  return absl::OkStatus();
}

absl::Status TrackerLoop::handle(ConnectionId id, Connection &connection, const PendingMatchKeysMessage &) {
  return connection.write(matchKeysReply(broker_.pendingMatchKeys(id)), now());
}

void TrackerLoop::matchTickets(const std::string &key) {
  const auto isAlive = [this](ConnectionId id) {
    const auto connection = connections_.find(id);
    return connection != connections_.end() && connection->second->isPeerThere();
  };
  for (const Broker::Grant &grant : broker_.match(key, isAlive)) {
    Connection &client = *connections_.at(grant.client);
    client.setBusy(false, now());
    // its next event, which comes at once, ends it if this fails, and goes on with what it said while it waited
    (void)client.write(ticketReply(grant.ticket.address, grant.ticket.port, grant.ticket.matchKey), now());
    watch(client.descriptor(), grant.client, true, false);
  }
}

// -------------------------------------------------------------------------------------------------------------- fleet

void TrackerLoop::answerFleet() {
  for (const FleetReads::Answer &read : fleet_.take(now())) {
    if (!read.fleet) log("the fleet could not be read in time: a summary goes without hone's own devices");
    const auto questions = questions_.extract(read.number);
    if (questions.empty()) continue;
    for (const Question &question : questions.mapped()) answer(question, read.fleet);
  }
}

void TrackerLoop::answer(const Question &question, const FleetReads::Fleet &fleet) {
  const ConnectionId id = question.connection;
  const auto place = connections_.find(id);
  if (place == connections_.end()) return;
  Connection &connection = *place->second;
  const std::optional<RequestMessage> &request = question.request;
  if (request && broker_.isKnown(request->key, now())) {  // a server has come meanwhile
    if (const absl::Status status = broker_.request(id, *request); !status.ok()) return close(id, status);
    return matchTickets(request->key);
  }
  const std::string reply = request ? refusalReply(unknownKey(request->key, fleet)) : summary(fleet);
  if (request) log(absl::StrCat("refused ", connection.peer(), " the unknown key '", request->key, "'"));
  connection.setBusy(false, now());
  absl::Status status = connection.write(reply, now());
  if (status.ok()) status = handleMessages(id, connection);
  finish(id, status);
}

std::string TrackerLoop::summary(const FleetReads::Fleet &fleet) const {
  std::vector<SummaryServer> servers;
  std::map<std::string, SummaryQueue> queues;
  for (const auto &[id, connection] : connections_) {
    const UpdateInfoMessage &info = connection->info;
    if (!info.key.empty()) servers.push_back({.key = info.key, .address = info.address, .port = info.port});
  }
  for (const SummaryQueue &queue : broker_.queues()) queues[queue.key] = queue;
  if (fleet) {
    for (const v1::Worker &worker : fleet->workers()) {
      if (isDevice(worker)) servers.push_back({.key = worker.key(), .address = "hone", .port = worker.name()});
    }
    for (const v1::KeyQueue &queue : fleet->queues()) {
      if (queue.key().empty()) continue;  // the builders'
      SummaryQueue &shown = queues[queue.key()];
      shown.key = queue.key();
      shown.free += queue.free();
      shown.pending += queue.pending();
    }
  }
  std::vector<SummaryQueue> lines;
  for (auto &[key, queue] : queues) lines.push_back(std::move(queue));
  return summaryReply(servers, lines);
}

std::string TrackerLoop::unknownKey(const std::string &key, const FleetReads::Fleet &fleet) const {
  const bool isOwn = fleet && std::any_of(fleet->workers().begin(), fleet->workers().end(),
                                          [&](const auto &worker) { return worker.key() == key && isDevice(worker); });
  if (isOwn) {
    return absl::StrCat("'", key,
                        "' is the key of devices that speak hone's protocol only: use `hone run --rpc-tracker "
                        "HOST:PORT --rpc-key ",
                        key, "`, with the coordinator's own port");
  }
  std::vector<std::string> keys = broker_.knownKeys();
  if (keys.empty()) return absl::StrCat("no TVM RPC server has the key '", key, "': none is connected");
  const size_t count = keys.size();
  keys.resize(std::min(count, kKeysInSentence));
  return absl::StrCat("no TVM RPC server has the key '", key, "'; known keys: ", absl::StrJoin(keys, ", "),
                      count > keys.size() ? absl::StrCat(" and ", count - keys.size(), " more") : "");
}

}  // namespace hone::server
