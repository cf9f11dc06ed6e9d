// What passes the services, for the metrics page. Called from any thread; must not block.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/time/time.h"

namespace hone::server {

class TrafficObserver {
 public:
  virtual ~TrafficObserver() = default;
  /// A call has ended. \p method as "Jobs.Submit", \p code as "OK" or "NOT_FOUND".
  virtual void called(std::string_view method, std::string_view code, absl::Duration duration) {}
  virtual void blobBytesWritten(int64_t bytes) {}
  virtual void blobBytesRead(int64_t bytes) {}
  virtual void blobCorrupt() {}
};

}  // namespace hone::server
