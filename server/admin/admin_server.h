// The operator's pages over HTTP, on loopback: /metrics for Prometheus, /healthz (the process answers), /readyz (it can
// take work: the last commit went well, the disk is above its reserve, it is not draining). Owns its threads; what
// Sources holds outlives it. Start and end on any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::server {

class BlobFolder;
class Engine;

class AdminServer {
 public:
  struct Pages {
    std::function<std::string()> metrics;
    std::function<absl::Status()> ready;
  };
  /// \p host in digits, on loopback; \p port 0: any. UNAVAILABLE when the port cannot be had.
  static absl::StatusOr<std::unique_ptr<AdminServer>> start(const std::string &host, int port, Pages pages);
  virtual ~AdminServer() = default;
  virtual int port() const = 0;
};

/// OK, or why no work should be sent here.
absl::Status checkReady(const Engine &engine, const BlobFolder &blobs);

}  // namespace hone::server
