#include "proto/frames.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hone::proto {

namespace {

constexpr size_t kHeaderBytes = 4;
constexpr size_t kReadBytes = 1 << 16;

uint32_t decodeLength(const char *bytes) {
  uint32_t length = 0;
  for (size_t i = 0; i < kHeaderBytes; ++i) length |= uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return length;
}

}  // namespace

absl::Status writeFrame(int descriptor, const google::protobuf::MessageLite &message) {
  const size_t length = message.ByteSizeLong();
  if (length > kMaxFrameBytes)
    return absl::ResourceExhaustedError(
        absl::StrCat("a message of ", length, " bytes exceeds the limit of ", kMaxFrameBytes));
  std::string frame(kHeaderBytes, '\0');
  for (size_t i = 0; i < kHeaderBytes; ++i) frame[i] = static_cast<char>(length >> (8 * i));
  if (!message.AppendToString(&frame)) return absl::InternalError("a message lacks a required field");
  for (size_t sent = 0; sent < frame.size();) {
    // MSG_NOSIGNAL: a peer that is gone is an error to report, not a signal that ends this process.
    const ssize_t count = send(descriptor, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::UnavailableError(absl::StrCat("cannot send to the other process: ", strerror(errno)));
    sent += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> FrameReader::fill() {
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  const size_t old = buffer_.size();
  buffer_.resize(old + kReadBytes);
  ssize_t count = 0;
  do count = ::read(descriptor_, buffer_.data() + old, kReadBytes);
  while (count < 0 && errno == EINTR);
  const int error = errno;
  buffer_.resize(old + static_cast<size_t>(count > 0 ? count : 0));
  // A peer that died with unread bytes in its queue resets the connection: that is an end like any other.
  if (count < 0 && error != ECONNRESET)
    return absl::UnavailableError(absl::StrCat("cannot receive from the other process: ", strerror(error)));
  return count > 0;
}

absl::StatusOr<std::optional<std::string>> FrameReader::next() {
  const size_t available = buffer_.size() - begin_;
  if (available < kHeaderBytes) return std::nullopt;
  const uint32_t length = decodeLength(buffer_.data() + begin_);
  if (length > limit_)
    return absl::DataLossError(absl::StrCat("a frame of ", length, " bytes exceeds the limit of ", limit_));
  if (available < kHeaderBytes + length) return std::nullopt;
  std::string frame = buffer_.substr(begin_ + kHeaderBytes, length);
  begin_ += kHeaderBytes + length;
  return frame;
}

absl::Status FrameReader::read(google::protobuf::MessageLite &message) {
  for (;;) {
    auto frame = next();
    if (!frame.ok()) return frame.status();
    if (frame->has_value()) {
      if (!message.ParseFromString(**frame)) return absl::DataLossError("a message from the other process is damaged");
      return absl::OkStatus();
    }
    auto more = fill();
    if (!more.ok()) return more.status();
    if (!*more) return absl::UnavailableError("the other process ended the conversation");
  }
}

}  // namespace hone::proto
