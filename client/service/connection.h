// A channel to one coordinator, with this program's rules for every call: a deadline, who calls, a request id, retries
// with jitter of what may be repeated, one sentence for what fails. Used from one thread; Ctrl-C is handled by the
// Interrupts, which outlive it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <random>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/service/endpoint.h"
#include "client/service/interrupts.h"
#include "common/failpoint.h"
#include "hone/v1/server.pb.h"

namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace hone::client {

struct Stubs;

/// How one call behaves.
struct CallRules {
  std::chrono::seconds deadline{20};  ///< of one attempt; zero: none
  bool isRepeatable = true;           ///< the same again does no harm
  std::chrono::seconds patience{30};  ///< for a server that is away, if it may be repeated
};

class Connection {
 public:
  /// Reaches the coordinator (starting the private one if need be) and asks what it can do. UNAVAILABLE after about a
  /// second when nobody answers.
  static absl::StatusOr<std::unique_ptr<Connection>> open(Endpoint endpoint, Interrupts &interrupts);
  ~Connection();

  const Endpoint &endpoint() const { return endpoint_; }
  const v1::Capabilities &capabilities() const { return capabilities_; }
  Interrupts &interrupts() { return interrupts_; }
  /// As HONE_FAILPOINT says.
  Failpoints &failpoints() { return failpoints_; }

  /// See stubs.h; most callers want calls.h.
  Stubs &stubs() { return *stubs_; }

  /// Does \p body, again and again while the server is away and the rules allow it. CANCELLED after Ctrl-C.
  absl::Status call(const CallRules &rules, const std::function<grpc::Status(grpc::ClientContext &)> &body);

  /// Waits for a server that is away: a pause that grows with \p attempt, and another start of the private one.
  /// CANCELLED after Ctrl-C, UNAVAILABLE when the private one cannot be started.
  absl::Status waitForServer(int attempt);

 private:
  Connection(Endpoint endpoint, Interrupts &interrupts);
  absl::Status connect(const std::string &target);
  absl::Status openPrivate();

  Endpoint endpoint_;
  Interrupts &interrupts_;
  Failpoints failpoints_;
  std::mt19937_64 random_;  // of pauses and request ids, which decide nothing
  v1::Capabilities capabilities_;
  std::unique_ptr<Stubs> stubs_;
};

/// "interrupted", as CANCELLED.
absl::Status interrupted();

}  // namespace hone::client
