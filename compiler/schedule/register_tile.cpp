#include "compiler/schedule/register_tile.h"

#include <algorithm>

namespace hone::schedule {
namespace {

constexpr int64_t kMostVectors = 8;
// A tile with this many times fewer sums than another is left out.
constexpr int64_t kFewSums = 3;

int64_t sumsOf(const RegisterShape &tile) { return tile.vectors * tile.rows * tile.outerRows; }

// Weights are stored for whole tiles: of the vectors that they then have, one of so many may be added.
constexpr int64_t kMostPadding = 8;

bool padsLittle(int64_t vectors, int64_t all) {
  const int64_t stored = (all + vectors - 1) / vectors * vectors;
  return kMostPadding * (stored - all) <= all;
}

bool fits(const RegisterShape &tile, const ContractionShape &shape, const TargetDescription &target) {
  // The operands of one step: its vectors, and one row's element at a time. LLVM wants a register more where it has
  // many of them, or it spills.
  const int64_t operands = tile.vectors + 1 + (target.vectorRegisters >= 32 ? 1 : 0);
  return (sumsOf(tile) + operands) * shape.registersPerVector <= target.vectorRegisters;
}

}  // namespace

std::vector<RegisterShape> registerTiles(const ContractionShape &shape, const TargetDescription &target) {
  std::vector<RegisterShape> tiles;
  const auto add = [&](const RegisterShape &tile) {
    const bool isKept = tiles.empty() || fits(tile, shape, target);
    if (isKept) tiles.push_back(tile);
    return isKept;
  };
  for (int64_t vectors = 1; vectors <= std::min(shape.vectors, kMostVectors); ++vectors) {
    if (!padsLittle(vectors, shape.vectors)) continue;
    for (int64_t rows = 1; rows <= shape.rows && add({vectors, rows, 1}); ++rows) {
    }
    for (int64_t outer = 2; outer <= shape.outerRows && add({vectors, shape.rows, outer}); ++outer) {
    }
  }
  // With few sums results are waited for, and operands are loaded more often than they need to be.
  int64_t most = 1;
  for (const RegisterShape &tile : tiles) most = std::max(most, sumsOf(tile));
  std::erase_if(tiles, [&](const RegisterShape &tile) { return kFewSums * sumsOf(tile) < most; });
  return tiles;
}

}  // namespace hone::schedule
