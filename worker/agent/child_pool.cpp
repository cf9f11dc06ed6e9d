#include "worker/agent/child_pool.h"

#include <chrono>
#include <utility>

namespace hone::worker {

using Clock = std::chrono::steady_clock;

namespace {
constexpr auto kAfterFailure = std::chrono::seconds(2);
constexpr auto kQuietInterval = std::chrono::milliseconds(50);
// To start a child, and to end one, takes a processor that whoever waits for a lease's result needs first. One in
// reserve does for the next lease.
constexpr auto kAfterLease = std::chrono::milliseconds(10);
constexpr auto kAfterLeaseWithReserve = std::chrono::milliseconds(100);
}  // namespace

ChildPool::ChildPool(ChildProgram program, const QuietLock &quiet, const Log &log)
    : program_(std::move(program)), quiet_(quiet), log_(log), thread_([this] { work(); }) {}

ChildPool::~ChildPool() { stop(); }

void ChildPool::stop() {
  {
    const MutexLock lock(mutex_);
    isEnding_ = true;
  }
  changed_.notifyAll();
  thread_.join();
}

void ChildPool::keep(int idle) {
  const MutexLock lock(mutex_);
  target_ = static_cast<size_t>(idle);
  changed_.notifyAll();
}

absl::StatusOr<std::unique_ptr<Child>> ChildPool::take() {
  {
    const MutexLock lock(mutex_);
    while (!idle_.empty()) {
      std::unique_ptr<Child> child = std::move(idle_.front());
      idle_.pop_front();
      changed_.notifyAll();
      // One that somebody has killed meanwhile is of no use.
      if (child->isAlive()) return child;
    }
  }
  return order(false);
}

absl::StatusOr<std::unique_ptr<Child>> ChildPool::takeTalkative() { return order(true); }

void ChildPool::endLater(std::unique_ptr<Child> child) {
  const MutexLock lock(mutex_);
  lastEnd_ = Clock::now();
  ending_.push_back({std::move(child), lastEnd_ + kAfterLease});
  changed_.notifyAll();
}

void ChildPool::endNow() {
  const MutexLock lock(mutex_);
  for (Ending &one : ending_) one.at = {};
  changed_.notifyAll();
  while (!ending_.empty()) done_.wait(mutex_);
}

absl::StatusOr<std::unique_ptr<Child>> ChildPool::order(bool isTalkative) {
  Order order;
  order.isTalkative = isTalkative;
  MutexLock lock(mutex_);
  orders_.push_back(&order);
  changed_.notifyAll();
  while (!order.isDone) done_.wait(mutex_);
  return std::move(order.child);
}

std::pair<ChildPool::Step, Clock::time_point> ChildPool::next() const {
  const auto now = Clock::now();
  if (!orders_.empty()) return {Step::Order, now};
  std::pair<Step, Clock::time_point> next{Step::Nothing, Clock::time_point::max()};
  if (idle_.size() < target_)
    next = quiet_.isWanted()
               ? std::pair(Step::Nothing, now + kQuietInterval)
               : std::pair(Step::Spare, lastEnd_ + (idle_.empty() ? kAfterLease : kAfterLeaseWithReserve));
  if (!ending_.empty() && ending_.front().at <= next.second) next = {Step::End, ending_.front().at};
  return next;
}

void ChildPool::work() {
  MutexLock lock(mutex_);
  while (!isEnding_) {
    const auto [step, when] = next();
    if (when == Clock::time_point::max()) {
      changed_.wait(mutex_);
    } else if (when > Clock::now()) {
      changed_.waitUntil(mutex_, when);
    } else if (step == Step::Order) {
      Order &order = *orders_.front();
      orders_.pop_front();
      lock.unlock();
      auto child = Child::spawn(program_, order.isTalkative);
      lock.lock();
      order.child = std::move(child);
      order.isDone = true;
      done_.notifyAll();
    } else if (step == Step::End) {
      std::unique_ptr<Child> child = std::move(ending_.front().child);
      lock.unlock();
      child.reset();
      lock.lock();
      ending_.pop_front();
      done_.notifyAll();
    } else if (step == Step::Spare) {
      lock.unlock();
      auto child = spare();
      lock.lock();
      if (child)
        idle_.push_back(std::move(child));
      else
        changed_.waitUntil(mutex_, Clock::now() + kAfterFailure);
    }
  }
  // Who still waits must not wait for ever.
  for (Order *order : orders_) {
    order->child = absl::UnavailableError("the worker ends");
    order->isDone = true;
  }
  orders_.clear();
  ending_.clear();
  done_.notifyAll();
  idle_.clear();
}

// None, and a line of the log, when it cannot be started.
std::unique_ptr<Child> ChildPool::spare() const {
  auto child = Child::spawn(program_, false);
  if (child.ok()) return *std::move(child);
  log_.warn("no child in reserve", {{"reason", std::string(child.status().message())}});
  return nullptr;
}

}  // namespace hone::worker
