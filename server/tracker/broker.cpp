#include "server/tracker/broker.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

namespace hone::server {

absl::StatusOr<Broker::Line *> Broker::lineOf(const std::string &key) {
  const auto line = lines_.find(key);
  if (line != lines_.end()) return &line->second;
  if (lines_.size() >= limits_.keys) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", lines_.size(), " keys already, the most there may be"));
  }
  return &lines_[key];
}

absl::Status Broker::addServer(ConnectionId server, const std::string &key) {
  const auto keys = keys_.find(server);
  if (keys != keys_.end() && keys->second.size() >= limits_.keysOfServer && !keys->second.contains(key)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("it serves ", keys->second.size(), " keys already, the most that one server may"));
  }
  const absl::StatusOr<Line *> line = lineOf(key);
  if (!line.ok()) return line.status();
  (*line)->servers.insert(server);
  keys_[server].insert(key);
  return absl::OkStatus();
}

absl::Status Broker::put(const std::string &key, const Ticket &ticket) {
  const std::vector<std::string> pending = pendingMatchKeys(ticket.server);
  if (std::find(pending.begin(), pending.end(), ticket.matchKey) != pending.end()) return absl::OkStatus();
  if (pending.size() >= limits_.ticketsOfServer) {
    return absl::ResourceExhaustedError(
        absl::StrCat("it offers ", pending.size(), " tickets already, the most that one server may"));
  }
  if (absl::Status status = addServer(ticket.server, key); !status.ok()) return status;
  lines_.at(key).tickets.push_back(ticket);
  return absl::OkStatus();
}

absl::Duration Broker::knownUntil(const Line *line) const {
  if (line == nullptr) return started_ + grace_;
  if (!line->servers.empty()) return absl::InfiniteDuration();
  return std::max(line->left, started_) + grace_;
}

bool Broker::isKnown(const std::string &key, absl::Duration now) const {
  const auto line = lines_.find(key);
  return now < knownUntil(line == lines_.end() ? nullptr : &line->second);
}

absl::Status Broker::request(ConnectionId client, const RequestMessage &request) {
  const absl::StatusOr<Line *> line = lineOf(request.key);
  if (!line.ok()) return line.status();
  // the least integer has no opposite
  const int64_t priority = std::max(request.priority, -std::numeric_limits<int64_t>::max());
  const Waiting waiting(-priority, arrivals_++, client);
  (*line)->waiting.insert(waiting);
  requests_[client] = {request.key, waiting};
  return absl::OkStatus();
}

void Broker::remove(ConnectionId connection, absl::Duration now) {
  if (const auto request = requests_.find(connection); request != requests_.end()) {
    lines_[request->second.first].waiting.erase(request->second.second);
    requests_.erase(request);
  }
  const auto keys = keys_.find(connection);
  if (keys == keys_.end()) return;
  for (const std::string &key : keys->second) {
    Line &line = lines_[key];
    line.servers.erase(connection);
    line.left = now;
    std::erase_if(line.tickets, [&](const Ticket &ticket) { return ticket.server == connection; });
  }
  keys_.erase(keys);
}

std::optional<Broker::Ticket> Broker::takeTicket(Line &line, const std::function<bool(ConnectionId)> &isAlive) {
  while (!line.tickets.empty()) {
    Ticket ticket = std::move(line.tickets.front());
    line.tickets.pop_front();
    if (isAlive(ticket.server)) return ticket;
  }
  return std::nullopt;
}

std::optional<ConnectionId> Broker::takeClient(Line &line, const std::function<bool(ConnectionId)> &isAlive) {
  while (!line.waiting.empty()) {
    const ConnectionId client = std::get<2>(*line.waiting.begin());
    line.waiting.erase(line.waiting.begin());
    requests_.erase(client);
    if (isAlive(client)) return client;
  }
  return std::nullopt;
}

std::vector<Broker::Grant> Broker::match(const std::string &key, const std::function<bool(ConnectionId)> &isAlive) {
  std::vector<Grant> grants;
  const auto place = lines_.find(key);
  if (place == lines_.end()) return grants;
  Line &line = place->second;
  while (!line.tickets.empty() && !line.waiting.empty()) {
    std::optional<Ticket> ticket = takeTicket(line, isAlive);
    if (!ticket) break;
    const std::optional<ConnectionId> client = takeClient(line, isAlive);
    if (!client) {
      line.tickets.push_front(std::move(*ticket));
      break;
    }
    grants.push_back({*client, std::move(*ticket)});
  }
  return grants;
}

std::vector<std::pair<ConnectionId, RequestMessage>> Broker::refuse(absl::Duration now) {
  std::vector<std::pair<ConnectionId, RequestMessage>> refused;
  for (auto line = lines_.begin(); line != lines_.end();) {
    if (now < knownUntil(&line->second)) {
      ++line;
      continue;
    }
    for (const auto &[order, arrival, client] : line->second.waiting) {
      refused.emplace_back(client, RequestMessage{.key = line->first, .priority = -order});
      requests_.erase(client);
    }
    line = lines_.erase(line);
  }
  return refused;
}

absl::Duration Broker::nextRefusal() const {
  absl::Duration next = absl::InfiniteDuration();
  for (const auto &[key, line] : lines_) next = std::min(next, knownUntil(&line));
  return next;
}

std::vector<std::string> Broker::pendingMatchKeys(ConnectionId server) const {
  std::vector<std::string> found;
  const auto keys = keys_.find(server);
  if (keys == keys_.end()) return found;
  for (const std::string &key : keys->second) {
    for (const Ticket &ticket : lines_.at(key).tickets) {
      if (ticket.server == server) found.push_back(ticket.matchKey);
    }
  }
  return found;
}

std::vector<std::string> Broker::knownKeys() const {
  std::vector<std::string> known;
  for (const auto &[key, line] : lines_) {
    if (!line.servers.empty()) known.push_back(key);
  }
  return known;
}

std::vector<SummaryQueue> Broker::queues() const {
  std::vector<SummaryQueue> queues;
  for (const auto &[key, line] : lines_) {
    queues.push_back({key, static_cast<int64_t>(line.tickets.size()), static_cast<int64_t>(line.waiting.size())});
  }
  return queues;
}

}  // namespace hone::server
