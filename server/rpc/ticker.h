// Wakes what waits for a peer, several times a second, so that it can give up: one thread for all streams instead of a
// timer for each. Thread-safe. Holds what it wakes weakly.
#pragma once

#include <map>
#include <memory>
#include <thread>

#include "absl/time/time.h"
#include "common/mutex.h"
#include "server/base/clock.h"

namespace hone::server {

class Ticked {
 public:
  virtual ~Ticked() = default;
  virtual void tick(absl::Duration now) = 0;  ///< monotonic; on the ticker's thread; must not block
};

class Ticker {
 public:
  explicit Ticker(const Clock &clock);
  ~Ticker();
  Ticker(const Ticker &) = delete;
  Ticker &operator=(const Ticker &) = delete;

  void add(const std::shared_ptr<Ticked> &one);

 private:
  void loop();

  const Clock &clock_;
  Mutex mutex_;
  Condition changed_;
  bool isEnding_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<const Ticked *, std::weak_ptr<Ticked>> all_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hone::server
