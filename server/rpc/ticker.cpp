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
    const std::lock_guard lock(mutex_);
    isEnding_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Ticker::add(const std::shared_ptr<Ticked> &one) {
  const std::lock_guard lock(mutex_);
  all_[one.get()] = one;
}

void Ticker::loop() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kInterval, [this] { return isEnding_; })) {
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
