// One accepted socket of the tracker: reads into a buffer, cuts frames out of it, keeps what the other side has not
// taken yet, and knows until when the other side must have gone on.
//
// One thread at a time. Owns the descriptor. A Status that is not OK ends the connection; its owner closes it.
// UNAVAILABLE: the other side has closed it, which is nobody's fault.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/descriptor.h"
#include "server/tracker/wire.h"

namespace hone::server {

class Connection {
 public:
  /// \p socket does not block. The greeting must have come at \p now + \p messageTime.
  Connection(Descriptor socket, std::string peer, absl::Duration messageTime, absl::Duration now);

  int descriptor() const { return socket_.get(); }
  const std::string &peer() const { return peer_; }  ///< its address, without the port

  /// Takes a part of what has arrived.
  absl::Status read();
  /// The text of the next frame, if it is whole. Answers the greeting.
  absl::StatusOr<std::optional<std::string>> nextMessage(absl::Duration now);
  /// Sends \p frame, now or when the other side takes it.
  absl::Status write(std::string_view frame, absl::Duration now);
  absl::Status flush(absl::Duration now);
  size_t buffered() const { return input_.size() + output_.size(); }
  bool hasOutput() const { return !output_.empty(); }

  /// While its message is being answered, nothing else of it is looked at; replies stay in the order of messages.
  bool isBusy() const { return isBusy_; }
  void setBusy(bool isBusy, absl::Duration now);
  /// Neither the other side nor the network has ended it, as far as this machine knows.
  bool isPeerThere() const;

  absl::Duration deadline() const;
  absl::Status late(absl::Duration now) const;  ///< OK before the deadline

  /// As UPDATE_INFO gave it; key empty: no server.
  UpdateInfoMessage info;

 private:
  void expectInput(absl::Duration now);

  Descriptor socket_;
  std::string peer_;
  absl::Duration messageTime_;
  std::string input_, output_;
  bool isGreeted_ = false, isBusy_ = false;
  absl::Duration inputDeadline_, outputDeadline_ = absl::InfiniteDuration();
};

}  // namespace hone::server
