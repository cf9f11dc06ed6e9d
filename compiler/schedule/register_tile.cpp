#include "compiler/schedule/register_tile.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace hone::schedule {
namespace {

constexpr int64_t kMostVectors = 8;
constexpr double kFmaPerCycle = 2;
constexpr double kLoadsPerCycle = 1.5;  // sustained; two are issued at best
constexpr double kFmaLatency = 4;
// Addresses this far apart share a set of the first-level cache, which has at least this many ways.
constexpr int64_t kSetPeriodBytes = 4096;
constexpr int64_t kWays = 8;
constexpr double kVectorFromSecondLevel = 0.5;  // cycles per vector load, beside the arithmetic

class TileCost {
 public:
  TileCost(const ContractionShape &shape, const TargetDescription &target)
      : points_(shape.points), registersPerVector_(shape.registersPerVector), target_(target) {}

  /// Cycles of one reduction step of a tile; 0 for no tile.
  double operator()(int64_t vectors, int64_t rows) const {
    if (vectors == 0 || rows == 0) return 0;
    auto v = static_cast<double>(vectors * registersPerVector_);
    auto r = static_cast<double>(rows);
    double cycles = std::max({v * r / kFmaPerCycle, (v + r) / kLoadsPerCycle, kFmaLatency});
    bool isFar = points_ * vectors * registersPerVector_ * target_.vectorBytes > target_.l1Bytes;
    if (isFar) cycles += kVectorFromSecondLevel * v;
    // Among equals, the tile with fewer loads per multiply-add; vectors come from further away than broadcasts.
    return cycles * (1 + 0.05 * (2 * v + r) / (v * r));
  }

 private:
  int64_t points_;
  int64_t registersPerVector_;
  const TargetDescription &target_;
};

int64_t mostAccumulators(const TargetDescription &target) {
  return target.vectorRegisters >= 32 ? 28 : std::max<int64_t>(target.vectorRegisters - 4, 1);
}

/// Rows that can be walked side by side without driving each other out of the first-level cache.
int64_t mostRows(int64_t rowBytes) {
  if (rowBytes == 0) return std::numeric_limits<int64_t>::max();
  return kWays * (kSetPeriodBytes / std::gcd(rowBytes, kSetPeriodBytes));
}

/// Cycles of a step of all tiles of \p tile that cover \p shape.
double totalCycles(const ContractionShape &shape, const RegisterShape &tile, const TileCost &cost) {
  const int64_t wholeVectors = shape.vectors / tile.vectors;
  const int64_t wholeRows = shape.rows / tile.rows;
  const int64_t wholeOuterRows = shape.outerRows / tile.outerRows;
  auto acrossVectors = [&](int64_t rows) {
    return static_cast<double>(wholeVectors) * cost(tile.vectors, rows) + cost(shape.vectors % tile.vectors, rows);
  };
  auto acrossRows = [&](int64_t outerRows) {
    return static_cast<double>(wholeRows) * acrossVectors(outerRows * tile.rows) +
           acrossVectors(outerRows * (shape.rows % tile.rows));
  };
  return static_cast<double>(wholeOuterRows) * acrossRows(tile.outerRows) +
         acrossRows(shape.outerRows % tile.outerRows);
}

}  // namespace

RegisterShape chooseRegisterTile(const ContractionShape &shape, const TargetDescription &target) {
  const TileCost cost(shape, target);
  RegisterShape best;
  double bestCost = std::numeric_limits<double>::infinity();
  auto consider = [&](const RegisterShape &tile) {
    const int64_t accumulators = tile.vectors * tile.rows * tile.outerRows;
    if (accumulators * shape.registersPerVector > mostAccumulators(target)) return false;
    if ((accumulators + tile.vectors + 1) * shape.registersPerVector > target.vectorRegisters) return false;
    if (tile.rows > mostRows(shape.rowBytes)) return false;
    const double total = totalCycles(shape, tile, cost);
    if (total < bestCost) {
      bestCost = total;
      best = tile;
    }
    return true;
  };
  for (int64_t vectors = 1; vectors <= std::min(shape.vectors, kMostVectors); ++vectors) {
    for (int64_t rows = 1; rows <= shape.rows && consider({vectors, rows, 1}); ++rows) {
    }
    for (int64_t outer = 2; outer <= shape.outerRows && consider({vectors, shape.rows, outer}); ++outer) {
    }
  }
  return best;
}

}  // namespace hone::schedule
