// The default schedule: the least of a space by the estimate. A pure function; thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "compiler/base/target.h"
#include "compiler/estimate/estimate.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/space.h"

namespace hone::estimate {

struct Least {
  schedule::Schedule schedule;
  Cycles cycles;
};

/// Goes from the first point of each form to the best value of one knob after the other, until none gets better.
Least leastOf(const schedule::Space &space, const TargetDescription &target);

/// That, and behind it the least of each other register tile that was met on the way, at most \p count in all: where
/// one spills that should not, schedules of the same tile do as well.
std::vector<Least> leastOfTiles(const schedule::Space &space, const TargetDescription &target, size_t count);

/// The least of one algorithm, which must fit the kernel.
schedule::Schedule leastSchedule(const tensor::Kernel &kernel, const TargetDescription &target,
                                 const std::string &algorithm = "direct");

}  // namespace hone::estimate
