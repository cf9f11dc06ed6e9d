#include "server/tracker/wire.h"

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace hone::server {
namespace {

using nlohmann::json;

enum Code : int {
  kFailure = -1,
  kSuccess = 0,
  kPing = 1,
  kStop = 2,
  kPut = 3,
  kRequest = 4,
  kUpdateInfo = 5,
  kSummary = 6,
  kPendingMatchKeys = 7,
};

/// Of the deepest message, UPDATE_INFO: [5, {"addr": [host, port]}]. What lies deeper is not even built.
constexpr int kMaxDepth = 3;
constexpr std::string_view kServerPrefix = "server:";

absl::Status wrong(std::string_view what) {
  return absl::InvalidArgumentError(absl::string_view(what.data(), what.size()));
}

/// A text of 1 to kMaxTrackerName bytes without control characters: it will stand in logs and on terminals.
std::optional<std::string> name(const json &value) {
  if (!value.is_string()) return std::nullopt;
  std::string text = value.get<std::string>();
  if (text.empty() || text.size() > kMaxTrackerName) return std::nullopt;
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; })) return std::nullopt;
  return text;
}

/// null is "", the connection's own address.
std::optional<std::string> address(const json &value) {
  if (value.is_null()) return std::string();
  return name(value);
}

/// A number; TVM's C++ server sends it as text.
std::optional<int> port(const json &value) {
  int64_t number = 0;
  if (value.is_number_integer()) {
    number = value.get<int64_t>();
  } else if (!value.is_string() || !absl::SimpleAtoi(value.get<std::string>(), &number)) {
    return std::nullopt;
  }
  if (number < 1 || number > 65535) return std::nullopt;
  return static_cast<int>(number);
}

absl::StatusOr<TrackerMessage> parsePut(const json &message) {
  if (message.size() < 3 || message.size() > 4) return wrong("PUT has 2 or 3 arguments");
  const json &ticket = message[2];
  if (!ticket.is_array() || ticket.size() != 2) return wrong("PUT's second argument is [port, match key]");
  const std::optional<std::string> key = name(message[1]), matchKey = name(ticket[1]);
  const std::optional<std::string> host = message.size() == 4 ? address(message[3]) : std::string();
  const std::optional<int> number = port(ticket[0]);
  if (!key || !matchKey || !host) return wrong("PUT's key, match key and address are texts of 1 to 256 bytes");
  if (!number) return wrong("PUT's port is a number from 1 to 65535");
  return PutMessage{.key = *key, .matchKey = *matchKey, .address = *host, .port = *number};
}

absl::StatusOr<TrackerMessage> parseRequest(const json &message) {
  if (message.size() != 4) return wrong("REQUEST has 3 arguments");
  const std::optional<std::string> key = name(message[1]);
  if (!key) return wrong("REQUEST's key is a text of 1 to 256 bytes");
  if (!message[3].is_number_integer()) return wrong("REQUEST's priority is an integer");
  return RequestMessage{.key = *key, .priority = message[3].get<int64_t>()};
}

absl::StatusOr<TrackerMessage> parseUpdateInfo(const json &message) {
  if (message.size() != 2 || !message[1].is_object()) return wrong("UPDATE_INFO has one argument, an object");
  const json &info = message[1];
  const auto keyPlace = info.find("key");
  const std::optional<std::string> key = keyPlace == info.end() ? std::nullopt : name(*keyPlace);
  if (!key) return wrong("UPDATE_INFO's key is a text of 1 to 256 bytes");
  if (key->rfind(kServerPrefix, 0) != 0) return UpdateInfoMessage{};
  if (key->size() == kServerPrefix.size()) return wrong("UPDATE_INFO's server has an empty key");
  const auto place = info.find("addr");
  if (place == info.end() || !place->is_array() || place->size() != 2) {
    return wrong("UPDATE_INFO's addr is [address, port]");
  }
  const std::optional<std::string> host = address((*place)[0]);
  const std::optional<int> number = port((*place)[1]);
  if (!host) return wrong("UPDATE_INFO's address is null or a text of 1 to 256 bytes");
  if (!number) return wrong("UPDATE_INFO's port is a number from 1 to 65535");
  return UpdateInfoMessage{.key = key->substr(kServerPrefix.size()), .address = *host, .port = *number};
}

std::string frame(const json &value) {
  // ASCII only, and replacing what is no UTF-8: nothing that a server or a worker says may make this fail.
  const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return absl::StrCat(encodeWord(static_cast<uint32_t>(text.size())), text);
}

}  // namespace

absl::StatusOr<TrackerMessage> parseTrackerMessage(std::string_view text) {
  bool isTooDeep = false;
  const json message = json::parse(
      text.begin(), text.end(),
      [&](int depth, json::parse_event_t event, const json &) {
        const bool opens = event == json::parse_event_t::array_start || event == json::parse_event_t::object_start;
        if (opens && depth >= kMaxDepth) isTooDeep = true;
        return !isTooDeep;
      },
      /*allow_exceptions=*/false);
  if (isTooDeep) return wrong("its JSON is nested too deeply");
  if (message.is_discarded()) return wrong("it is no JSON");
  if (!message.is_array() || message.empty() || !message[0].is_number_integer()) {
    return wrong("a message is an array that begins with a code");
  }
  switch (const int64_t code = message[0].get<int64_t>()) {
    case kPing:
      return PingMessage{};
    case kStop:
      return StopMessage{};
    case kPut:
      return parsePut(message);
    case kRequest:
      return parseRequest(message);
    case kUpdateInfo:
      return parseUpdateInfo(message);
    case kSummary:
      return SummaryMessage{};
    case kPendingMatchKeys:
      return PendingMatchKeysMessage{};
    default:
      return absl::InvalidArgumentError(absl::StrCat("there is no code ", code));
  }
}

std::string successReply() { return frame(kSuccess); }

std::string failureReply() { return frame(kFailure); }

std::string refusalReply(std::string_view sentence) { return frame(json::array({kFailure, std::string(sentence)})); }

std::string ticketReply(std::string_view address, int port, std::string_view matchKey) {
  return frame(json::array({kSuccess, json::array({std::string(address), port, std::string(matchKey)})}));
}

std::string matchKeysReply(const std::vector<std::string> &keys) {
  json list = json::array();
  for (const std::string &key : keys) list.push_back(key);
  return frame(list);
}

std::string summaryReply(const std::vector<SummaryServer> &servers, const std::vector<SummaryQueue> &queues) {
  json info = json::array(), queueInfo = json::object();
  for (const SummaryServer &server : servers) {
    json port = std::visit([](const auto &value) { return json(value); }, server.port);
    info.push_back({{"key", absl::StrCat("server:", server.key)}, {"addr", json::array({server.address, port})}});
  }
  for (const SummaryQueue &queue : queues) queueInfo[queue.key] = {{"free", queue.free}, {"pending", queue.pending}};
  return frame(json::array({kSuccess, json{{"queue_info", queueInfo}, {"server_info", info}}}));
}

uint32_t decodeWord(std::string_view bytes) {
  uint32_t word = 0;
  for (int i = 3; i >= 0; --i) word = word << 8 | static_cast<uint8_t>(bytes[static_cast<size_t>(i)]);
  return word;
}

std::string encodeWord(uint32_t word) {
  std::string bytes(4, '\0');
  for (size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(word >> (8 * i) & 0xFF);
  return bytes;
}

}  // namespace hone::server
