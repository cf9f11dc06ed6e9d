// The messages of TVM's tracker protocol: text in, typed message out, and the replies. A connection opens with four
// bytes each way (kTrackerMagic); then frames: the length as four bytes, least significant first, and that much JSON.
//
// Free functions of their arguments; any thread may call them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace hone::server {

inline constexpr uint32_t kTrackerMagic = 0x2F271;
inline constexpr size_t kMagicBytes = 4;
inline constexpr size_t kLengthBytes = 4;
inline constexpr uint32_t kMaxTrackerFrame = uint32_t{1} << 20;
inline constexpr size_t kMaxTrackerName = 256;  ///< of keys, match keys and addresses

struct PingMessage {};
/// Refused always: the coordinator has other ways to be stopped, with authentication.
struct StopMessage {};
/// A server offers one session under a one-time ticket.
struct PutMessage {
  std::string key, matchKey, address;  ///< address empty: the connection's own
  int port = 0;
};
/// The user that TVM's clients may name is always "", and is not kept.
struct RequestMessage {
  std::string key;
  int64_t priority = 0;  ///< higher first
};
struct UpdateInfoMessage {
  std::string key;      ///< without "server:"; empty: the connection is no server, nothing is shown
  std::string address;  ///< empty: the connection's own
  int port = 0;
};
struct SummaryMessage {};
struct PendingMatchKeysMessage {};

using TrackerMessage = std::variant<PingMessage, StopMessage, PutMessage, RequestMessage, UpdateInfoMessage,
                                    SummaryMessage, PendingMatchKeysMessage>;

/// INVALID_ARGUMENT with what is wrong. \p text has at most kMaxTrackerFrame bytes; any bytes are allowed.
absl::StatusOr<TrackerMessage> parseTrackerMessage(std::string_view text);

/// A server's line in the summary. Port as text: hone's own devices have a name there.
struct SummaryServer {
  std::string key, address;
  std::variant<int, std::string> port;
};
struct SummaryQueue {
  std::string key;
  int64_t free = 0, pending = 0;
};

// Each returns a whole frame.
std::string successReply();
std::string failureReply();
/// TVM's own tracker never refuses; its clients show what a reply holds whose first element is not 0.
std::string refusalReply(std::string_view sentence);
std::string ticketReply(std::string_view address, int port, std::string_view matchKey);
std::string matchKeysReply(const std::vector<std::string> &keys);
std::string summaryReply(const std::vector<SummaryServer> &servers, const std::vector<SummaryQueue> &queues);

/// Of the four bytes of a magic or a length.
uint32_t decodeWord(std::string_view bytes);
std::string encodeWord(uint32_t word);

}  // namespace hone::server
