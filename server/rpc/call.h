// One call of a client or worker: who makes it, under which request id, and how it ends. Everything that answers a call
// goes through close(), which makes the error's details, logs the line and counts. Used by one thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "server/rpc/site.h"

namespace hone::server {

class Call {
 public:
  enum class Kind {
    Read,    ///< logged only when it fails
    Change,  ///< always logged
    Worker,  ///< always logged; is no activity of a person
  };

  /// Reads the metadata `hone-user` and `hone-request-id`. \p context lives until the call's last reaction.
  Call(Site &site, const grpc::CallbackServerContext &context, std::string_view method, Kind kind);
  Call(const Call &) = delete;
  Call &operator=(const Call &) = delete;

  /// INVALID_ARGUMENT when the metadata is not as it should be.
  const absl::Status &opened() const { return opened_; }
  const std::string &user() const { return user_; }
  const std::string &requestId() const { return requestId_; }
  const std::string &peer() const { return peer_; }
  void setJob(const std::string &job) { job_ = job; }
  void setBlob(const v1::Digest &digest) { blob_ = digest.sha256(); }

  /// The status to send. Once, and for every call: until then it counts as activity.
  grpc::Status close(const absl::Status &status);

 private:
  Site &site_;
  const std::string method_;
  const Kind kind_;
  const absl::Duration begun_;
  std::string user_;
  std::string requestId_;
  std::string peer_;
  std::string job_;
  std::string blob_;
  absl::Status opened_;
};

}  // namespace hone::server
