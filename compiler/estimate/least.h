// The default schedule: the least of a space by the estimate. A pure function; thread-safe.
#pragma once

#include <string>

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

/// The least of one algorithm, which must fit the kernel.
schedule::Schedule leastSchedule(const tensor::Kernel &kernel, const TargetDescription &target,
                                 const std::string &algorithm = "direct");

}  // namespace hone::estimate
