#include "compiler/plan/blocks.h"

#include <algorithm>
#include <numeric>

namespace hone::plan {
namespace {

constexpr int64_t kFewChannels = 4;
constexpr int64_t kLeastBlock = 4;
/// Lanes of vectors along rows that count, on the average; at most half of them.
constexpr int64_t kLanesAlongRows = 4;

int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t vectorsInBlocks(int64_t channels, const ChannelUse &use, int64_t block) {
  if (use.run >= channels) return divideUp(channels, block);
  return channels / std::gcd(use.run, block);
}

}  // namespace

int64_t chooseBlock(int64_t channels, const std::vector<ChannelUse> &uses, int64_t lanes) {
  if (channels <= kFewChannels) return 1;
  // Counted in parts of a vector: those of rows are not whole ones.
  const int64_t parts = std::min(kLanesAlongRows, lanes / 2);
  int64_t best = 1, bestCost = 0, bestElements = channels;
  for (const ChannelUse &use : uses) bestCost += use.skipsRows ? parts * channels : channels;
  for (int64_t block = lanes; block >= kLeastBlock; block /= 2) {
    int64_t cost = 0;
    for (const ChannelUse &use : uses) cost += parts * vectorsInBlocks(channels, use, block);
    const int64_t elements = divideUp(channels, block) * block;
    const bool isBetter = cost < bestCost || (cost == bestCost && best > 1 && elements < bestElements);
    if (!isBetter) continue;
    best = block;
    bestCost = cost;
    bestElements = elements;
  }
  return best;
}

}  // namespace hone::plan
