#include "worker/agent/cancellation.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <utility>

namespace hone::worker {

Cancellation::Cancellation() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Cancellation::cancel() {
  const std::scoped_lock lock(mutex_);
  if (isCancelled_.exchange(true)) return;
  eventfd_write(event_.get(), 1);
  for (const auto &[hook, action] : hooks_) action();
}

bool Cancellation::waitFor(int milliseconds) const {
  pollfd event = {event_.get(), POLLIN, 0};
  poll(&event, 1, milliseconds);
  return isCancelled_;
}

Cancellation::Hook::Hook(Cancellation &cancellation, std::function<void()> action) : cancellation_(cancellation) {
  const std::scoped_lock lock(cancellation.mutex_);
  if (cancellation.isCancelled_) action();
  cancellation.hooks_.emplace(this, std::move(action));
}

Cancellation::Hook::~Hook() {
  const std::scoped_lock lock(cancellation_.mutex_);
  cancellation_.hooks_.erase(this);
}

}  // namespace hone::worker
