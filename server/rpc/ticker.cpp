#include "server/rpc/ticker.h"

#include <chrono>
#include <vector>

namespace hone::server {

namespace {

constexpr std::chrono::milliseconds kInterval(200);

}  // namespace

Ticker::Ticker(const Clock &clock) : clock_(clock), thread_([this] { loop(); }) {}

Ticker::~Ticker() {
  {
    const MutexLock lock(mutex_);
    isEnding_ = true;
  }
  changed_.notifyAll();
  thread_.join();
}

void Ticker::add(const std::shared_ptr<Ticked> &one) {
  const MutexLock lock(mutex_);
  all_[one.get()] = one;
}

void Ticker::loop() {
  MutexLock lock(mutex_);
  for (;;) {
    const auto end = std::chrono::steady_clock::now() + kInterval;
    while (!isEnding_ && changed_.waitUntil(mutex_, end)) continue;
    if (isEnding_) return;
    std::vector<std::shared_ptr<Ticked>> awake;
    for (auto entry = all_.begin(); entry != all_.end();) {
      if (auto one = entry->second.lock()) {
        awake.push_back(std::move(one));
        ++entry;
      } else {
        entry = all_.erase(entry);
      }
    }
    // Without the lock: the last owner of one of them may be we.
    lock.unlock();
    const absl::Duration now = clock_.monotonic();
    for (const auto &one : awake) one->tick(now);
    awake.clear();
    lock.lock();
  }
}

}  // namespace hone::server
