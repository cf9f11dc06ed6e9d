// What `hone run` prints: times, top elements, the profile; as text or as one JSON object. Functions without state.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/status.h"

namespace hone::runtime {

struct TimeSummary {
  double mean = 0, median = 0, max = 0, min = 0, std = 0;
};

/// Of at least one sample; std is that of the population, as TVM computes it.
TimeSummary summarise(std::vector<double> samples);

struct ProfileRow {
  std::string name, kernel;
  double milliseconds = 0;  ///< per run
  int64_t flops = 0;
  std::string limit = {};  ///< of the compiler's estimate; empty where it made none
  double estimate = 0;     ///< milliseconds; 0 where not known
};

struct TopElements {
  std::vector<int64_t> indices;  ///< into the flattened output, largest value first
  std::vector<double> values;
};

struct OutputReport {
  std::string name, dtype;
  std::vector<int64_t> shape;
  TopElements top;  ///< empty unless asked for
};

struct RunReport {
  std::string model;
  int threads = 1;
  std::vector<OutputReport> outputs;
  std::vector<double> milliseconds;  ///< one per measurement; empty unless asked for
  std::vector<ProfileRow> profile;   ///< in the order of execution; empty unless asked for
  double peakFlops = 0;              ///< of the machine, for the profile
  double clock = 0;                  ///< cycles per second, in which the profile's estimates are; 0: not known
  int estimateThreads = 0;           ///< that the profile's estimates were made for; 0: there are none
};

/// The \p count largest elements; NaN counts as the largest, like in numpy's order, and ties go to the lower index.
TopElements topElements(hone_dtype dtype, const void *data, size_t elements, size_t count);

void printText(const RunReport &report, std::ostream &out);
void printJson(const RunReport &report, std::ostream &out);

}  // namespace hone::runtime
