// Frames: messages on a byte stream between two processes, each as its length (four bytes, least significant first)
// and its bytes. A FrameReader belongs to one thread; writeFrame may be called from several if they take turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message_lite.h"

namespace hone::proto {

/// A longer frame is refused before anything is allocated for it.
inline constexpr uint32_t kMaxFrameBytes = 1u << 30;

/// Writes \p message to the socket \p descriptor. UNAVAILABLE when the other side is gone.
absl::Status writeFrame(int descriptor, const google::protobuf::MessageLite &message);

/// Collects bytes and hands out whole frames.
class FrameReader {
 public:
  /// \p limit: bytes of the longest frame that is accepted, for who does not trust the other side.
  explicit FrameReader(int descriptor, uint32_t limit = kMaxFrameBytes) : descriptor_(descriptor), limit_(limit) {}

  /// One read of whatever is there; blocks when nothing is. False at the end of the stream.
  absl::StatusOr<bool> fill();

  /// The next whole frame's bytes, if they have arrived. DATA_LOSS for a length above the limit.
  absl::StatusOr<std::optional<std::string>> next();

  /// Reads until \p message is complete. UNAVAILABLE when the stream ends first.
  absl::Status read(google::protobuf::MessageLite &message);

 private:
  int descriptor_;  // not owned
  uint32_t limit_;
  std::string buffer_;
  size_t begin_ = 0;
};

}  // namespace hone::proto
