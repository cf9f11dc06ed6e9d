#include "worker/agent/child_pool.h"

#include <chrono>
#include <utility>

namespace hone::worker {

namespace {
constexpr auto kAfterFailure = std::chrono::seconds(2);
constexpr auto kQuietInterval = std::chrono::milliseconds(50);
}  // namespace

ChildPool::ChildPool(ChildProgram program, const QuietLock &quiet, const Log &log)
    : program_(std::move(program)), quiet_(quiet), log_(log), thread_([this] { work(); }) {}

ChildPool::~ChildPool() {
  {
    const std::scoped_lock lock(mutex_);
    isEnding_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ChildPool::keep(int idle) {
  const std::scoped_lock lock(mutex_);
  target_ = static_cast<size_t>(idle);
  changed_.notify_all();
}

absl::StatusOr<std::unique_ptr<Child>> ChildPool::take() {
  {
    const std::scoped_lock lock(mutex_);
    while (!idle_.empty()) {
      std::unique_ptr<Child> child = std::move(idle_.front());
      idle_.pop_front();
      changed_.notify_all();
      // One that somebody has killed meanwhile is of no use.
      if (child->isAlive()) return child;
    }
  }
  return order(false);
}

absl::StatusOr<std::unique_ptr<Child>> ChildPool::takeTalkative() { return order(true); }

absl::StatusOr<std::unique_ptr<Child>> ChildPool::order(bool isTalkative) {
  Order order;
  order.isTalkative = isTalkative;
  std::unique_lock lock(mutex_);
  orders_.push_back(&order);
  changed_.notify_all();
  done_.wait(lock, [&order] { return order.isDone; });
  return std::move(order.child);
}

void ChildPool::work() {
  std::unique_lock lock(mutex_);
  while (!isEnding_) {
    if (!orders_.empty()) {
      Order &order = *orders_.front();
      orders_.pop_front();
      lock.unlock();
      auto child = Child::spawn(program_, order.isTalkative);
      lock.lock();
      order.child = std::move(child);
      order.isDone = true;
      done_.notify_all();
    } else if (idle_.size() < target_) {
      refill(lock);
    } else {
      changed_.wait(lock);
    }
  }
  // Who still waits must not wait for ever.
  for (Order *order : orders_) {
    order->child = absl::UnavailableError("the worker ends");
    order->isDone = true;
  }
  orders_.clear();
  done_.notify_all();
  idle_.clear();
}

void ChildPool::refill(std::unique_lock<std::mutex> &lock) {
  if (quiet_.isWanted()) {
    changed_.wait_for(lock, kQuietInterval);
    return;
  }
  lock.unlock();
  auto child = Child::spawn(program_, false);
  if (!child.ok()) log_.warn("no child in reserve", {{"reason", std::string(child.status().message())}});
  lock.lock();
  if (child.ok())
    idle_.push_back(*std::move(child));
  else
    changed_.wait_for(lock, kAfterFailure);
}

}  // namespace hone::worker
