#include "server/tracker/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hone::server {
namespace {

constexpr size_t kReadBytes = size_t{64} << 10;
constexpr size_t kMaxInput = kLengthBytes + kMaxTrackerFrame;
constexpr size_t kMaxOutput = size_t{8} << 20;  // summaries that nobody takes

bool wouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Connection::Connection(Descriptor socket, std::string peer, absl::Duration messageTime, absl::Duration now)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      messageTime_(messageTime),
      inputDeadline_(now + messageTime) {}

absl::Status Connection::read() {
  std::array<char, kReadBytes> bytes;
  const ssize_t count = recv(descriptor(), bytes.data(), bytes.size(), 0);
  if (count < 0) return wouldBlock() ? absl::OkStatus() : absl::UnavailableError(std::strerror(errno));
  if (count == 0) return absl::UnavailableError("closed");
  input_.append(bytes.data(), static_cast<size_t>(count));
  if (isBusy_ && input_.size() > kMaxInput) {
    return absl::ResourceExhaustedError(
        absl::StrCat("it sent ", input_.size(), " bytes while it waited for a reply; the most is ", kMaxInput));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> Connection::nextMessage(absl::Duration now) {
  if (isBusy_) return std::nullopt;
  if (!isGreeted_) {
    if (input_.size() < kMagicBytes) return std::nullopt;
    if (decodeWord(input_) != kTrackerMagic)
      return absl::InvalidArgumentError("it does not speak TVM's tracker protocol");
    input_.erase(0, kMagicBytes);
    isGreeted_ = true;
    inputDeadline_ = absl::InfiniteDuration();
    if (absl::Status status = write(encodeWord(kTrackerMagic), now); !status.ok()) return status;
  }
  if (input_.size() >= kLengthBytes) {
    const uint32_t length = decodeWord(input_);
    if (length == 0 || length > kMaxTrackerFrame) {
      return absl::InvalidArgumentError(absl::StrCat("it announced a message of ", static_cast<int32_t>(length),
                                                     " bytes; there may be 1 to ", kMaxTrackerFrame));
    }
    if (input_.size() - kLengthBytes >= length) {
      std::string message = input_.substr(kLengthBytes, length);
      input_.erase(0, kLengthBytes + length);
      if (input_.empty()) input_ = std::string();  // gives a large message's memory back
      inputDeadline_ = absl::InfiniteDuration();
      return message;
    }
  }
  expectInput(now);
  return std::nullopt;
}

void Connection::expectInput(absl::Duration now) {
  // from the message's first byte on, so that one byte now and then does not prolong it
  if (!input_.empty()) inputDeadline_ = std::min(inputDeadline_, now + messageTime_);
}

absl::Status Connection::write(std::string_view frame, absl::Duration now) {
  if (output_.size() + frame.size() > kMaxOutput) {
    return absl::ResourceExhaustedError(absl::StrCat("it has not taken ", output_.size(), " bytes of replies"));
  }
  output_ += frame;
  return flush(now);
}

absl::Status Connection::flush(absl::Duration now) {
  while (!output_.empty()) {
    const ssize_t count = send(descriptor(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (!wouldBlock()) return absl::UnavailableError(std::strerror(errno));
      outputDeadline_ = std::min(outputDeadline_, now + messageTime_);
      return absl::OkStatus();
    }
    output_.erase(0, static_cast<size_t>(count));
  }
  output_ = std::string();
  outputDeadline_ = absl::InfiniteDuration();
  return absl::OkStatus();
}

void Connection::setBusy(bool isBusy, absl::Duration now) {
  isBusy_ = isBusy;
  if (isBusy) {
    inputDeadline_ = absl::InfiniteDuration();
  } else {
    expectInput(now);
  }
}

bool Connection::isPeerThere() const {
  pollfd question{.fd = descriptor(), .events = POLLRDHUP, .revents = 0};
  return poll(&question, 1, 0) <= 0 || (question.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
}

absl::Duration Connection::deadline() const { return std::min(inputDeadline_, outputDeadline_); }

absl::Status Connection::late(absl::Duration now) const {
  const std::string time = absl::FormatDuration(messageTime_);
  if (now >= outputDeadline_) return absl::DeadlineExceededError(absl::StrCat("it took no reply for ", time));
  if (now < inputDeadline_) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat(isGreeted_ ? "its message was not whole after " : "it sent no greeting for ", time));
}

}  // namespace hone::server
