#include "worker/agent/cancellation.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <utility>

namespace hone::worker {

Cancellation::Cancellation() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Cancellation::cancel() {
  const MutexLock lock(mutex_);
  if (isCancelled_.exchange(true)) return;
  eventfd_write(event_.get(), 1);
  for (const auto &[hook, action] : hooks_) action();
}

bool Cancellation::waitFor(int milliseconds) const {
  pollfd event = {event_.get(), POLLIN, 0};
  poll(&event, 1, milliseconds);
  return isCancelled_;
}

void Cancellation::add(const Hook *hook, std::function<void()> action) {
  const MutexLock lock(mutex_);
  if (isCancelled_) action();
  hooks_.emplace(hook, std::move(action));
}

void Cancellation::remove(const Hook *hook) {
  const MutexLock lock(mutex_);
  hooks_.erase(hook);
}

Cancellation::Hook::Hook(Cancellation &cancellation, std::function<void()> action) : cancellation_(cancellation) {
  cancellation_.add(this, std::move(action));
}

Cancellation::Hook::~Hook() { cancellation_.remove(this); }

}  // namespace hone::worker
