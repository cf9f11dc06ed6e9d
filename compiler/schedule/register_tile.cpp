#include "compiler/schedule/register_tile.h"

#include <algorithm>
#include <limits>

namespace hone::schedule {
namespace {

constexpr int64_t kMostVectors = 8;
constexpr double kFmaPerCycle = 2;
constexpr double kLoadsPerCycle = 2;
constexpr double kFmaLatency = 4;
constexpr double kVectorFromCache = 1.6;  // cycles per vector load that misses the first-level cache

double stepCycles(int64_t vectors, int64_t rows) {
  auto v = static_cast<double>(vectors);
  auto r = static_cast<double>(rows);
  double cycles = std::max({v * r / kFmaPerCycle, (v + r) / kLoadsPerCycle, v * kVectorFromCache, kFmaLatency});
  // Among equals, the tile with fewer loads per multiply-add; vectors come from further away than broadcasts.
  return cycles * (1 + 0.05 * (2 * v + r) / (v * r));
}

int64_t mostAccumulators(const TargetDescription &target) {
  return target.vectorRegisters >= 32 ? 26 : std::max<int64_t>(target.vectorRegisters - 4, 1);
}

}  // namespace

RegisterShape chooseRegisterTile(int64_t vectors, int64_t rows, const TargetDescription &target) {
  RegisterShape best;
  double bestCost = std::numeric_limits<double>::infinity();
  for (int64_t v = 1; v <= std::min(vectors, kMostVectors); ++v) {
    for (int64_t r = 1; r <= rows; ++r) {
      if (v * r > mostAccumulators(target) || v * r + v + 1 > target.vectorRegisters) break;
      auto cost = [&](int64_t v1, int64_t r1) { return v1 == 0 || r1 == 0 ? 0 : stepCycles(v1, r1); };
      const int64_t wholeVectors = vectors / v;
      const int64_t wholeRows = rows / r;
      auto fullVectors = static_cast<double>(wholeVectors);
      auto fullRows = static_cast<double>(wholeRows);
      int64_t restVectors = vectors % v;
      int64_t restRows = rows % r;
      double total = fullVectors * fullRows * cost(v, r) + fullRows * cost(restVectors, r) +
                     fullVectors * cost(v, restRows) + cost(restVectors, restRows);
      if (total < bestCost) {
        bestCost = total;
        best = {v, r};
      }
    }
  }
  return best;
}

}  // namespace hone::schedule
