// How two series of times compare that were taken in turns. Pure functions.
#pragma once

#include <optional>
#include <vector>

namespace hone::runtime {

struct Interval {
  double low = 0, high = 0;
  double confidence = 0;  ///< the probability that it holds what it is an interval of; at least what was asked for
};

/// A confidence interval of the median of the distribution that \p samples were drawn from, whatever distribution that
/// is: from the k-th smallest to the k-th largest, with the greatest k that gives \p confidence. How many samples lie
/// below the median is binomial with n and 1/2, so the confidence is exact (the interval that belongs to the sign test:
/// David and Nagaraja, Order Statistics, 3rd edition, section 7.1). Nothing when there are too few: 95 % takes 6.
std::optional<Interval> medianInterval(std::vector<double> samples, double confidence);

struct TimeRatio {
  double ratio = 1;  ///< above 1: slower
  std::optional<Interval> interval;
};

/// The median of the ratios of \p times to \p baseline, round by round: what slows the machine down for a while is in
/// both of a pair. Both have the same number of samples, at least one.
TimeRatio compareTimes(const std::vector<double> &times, const std::vector<double> &baseline, double confidence);

}  // namespace hone::runtime
