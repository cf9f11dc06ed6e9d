#include "runtime/tools/race_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "runtime/tools/report.h"

namespace hone::runtime {

std::optional<Interval> medianInterval(std::vector<double> samples, double confidence) {
  const size_t count = samples.size();
  const double n = static_cast<double>(count);
  // P(X < k) and, as its logarithm, P(X = k): it is too small for a number where there are many samples.
  double below = 0, logarithm = -n * std::log(2.0);
  size_t k = 0;
  while (2 * k < count) {
    const double next = below + std::exp(logarithm);
    if (2 * next > 1 - confidence) break;
    below = next;
    logarithm += std::log(n - static_cast<double>(k)) - std::log(static_cast<double>(k) + 1);
    ++k;
  }
  if (k == 0) return std::nullopt;
  std::sort(samples.begin(), samples.end());
  return Interval{samples[k - 1], samples[count - k], 1 - 2 * below};
}

TimeRatio compareTimes(const std::vector<double> &times, const std::vector<double> &baseline, double confidence) {
  std::vector<double> ratios(times.size());
  std::transform(times.begin(), times.end(), baseline.begin(), ratios.begin(),
                 [](double time, double base) { return time / base; });
  return {summarise(ratios).median, medianInterval(ratios, confidence)};
}

}  // namespace hone::runtime
