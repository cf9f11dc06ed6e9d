#include "client/quiet_cores.h"

#include <chrono>
#include <iostream>
#include <utility>

#include "absl/status/statusor.h"

namespace hone::client {

namespace {

constexpr std::chrono::milliseconds kLong{2000};

absl::StatusOr<Measurement> begin(const runtime::Sleep &sleep) {
  auto path = coreLockPath();
  if (!path.ok()) return path.status();
  auto lock = CoreLock::open(*path);
  if (!lock.ok()) return lock.status();
  return Measurement::begin(*std::move(lock), withSiblings(allowedCores()),
                            [sleep, waited = std::chrono::milliseconds()](std::chrono::milliseconds time) mutable {
                              if (waited < kLong && waited + time >= kLong)
                                std::cerr << "note: waits until nothing is measured or built on these cores\n";
                              waited += time;
                              return sleep(time);
                            });
}

}  // namespace

bool QuietCores::operator()(const runtime::Sleep &sleep) {
  if (hasBegun_) return measurement_.has_value() && measurement_->rest();
  hasBegun_ = true;
  auto measurement = begin(sleep);
  if (measurement.ok())
    measurement_.emplace(*std::move(measurement));
  else if (!absl::IsCancelled(measurement.status()))
    std::cerr << "note: others may build on these cores meanwhile: " << measurement.status().message() << "\n";
  return false;
}

}  // namespace hone::client
