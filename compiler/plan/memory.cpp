#include "compiler/plan/memory.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace hone::plan {
namespace {

struct Life {
  int buffer;
  int first, last;  // kernels, inclusive
  int64_t bytes;    // rounded up
  int64_t offset = 0;
};

/// What is there before a loop and used in it is needed until the loop's end: the next iteration may read it.
void surviveLoops(const Plan &plan, std::vector<Life> &lives) {
  for (const PlanLoop &loop : plan.loops) {
    const int first = static_cast<int>(loop.first), last = static_cast<int>(loop.first + loop.count) - 1;
    for (Life &life : lives) {
      if (life.first < first && life.last >= first) life.last = std::max(life.last, last);
    }
  }
}

std::vector<Life> livesOf(const Plan &plan) {
  std::vector<Life> lives;
  std::vector<int> entry(plan.buffers.size(), -1);
  std::vector<std::vector<int>> asked(plan.kernels.size());  // per kernel: buffers that decide whether it runs
  for (size_t k = 0; k < plan.kernels.size(); ++k) {
    for (const PlanCondition &condition : plan.kernels[k].conditions) asked[k].push_back(condition.buffer);
  }
  for (const PlanLoop &loop : plan.loops) {
    asked[loop.first].push_back(loop.condition);
    for (const PlanCondition &condition : loop.conditions) asked[loop.first].push_back(condition.buffer);
  }
  for (size_t k = 0; k < plan.kernels.size(); ++k) {
    std::vector<int> used = plan.kernels[k].arguments;
    used.insert(used.end(), asked[k].begin(), asked[k].end());
    for (int buffer : used) {
      const PlanBuffer &b = plan.buffers[static_cast<size_t>(buffer)];
      if (b.place != Place::Arena) continue;
      int &position = entry[static_cast<size_t>(buffer)];
      if (position < 0) {
        position = static_cast<int>(lives.size());
        const int64_t rounded = (b.bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
        lives.push_back({buffer, static_cast<int>(k), static_cast<int>(k), rounded});
      }
      lives[static_cast<size_t>(position)].last = static_cast<int>(k);
    }
  }
  surviveLoops(plan, lives);
  return lives;
}

/// The smallest gap between those of \p placed that live at the same time, or behind them all.
int64_t bestFit(const Life &life, const std::vector<Life> &placed) {
  std::vector<Life> meeting;
  for (const Life &other : placed) {
    if (other.first <= life.last && life.first <= other.last) meeting.push_back(other);
  }
  std::sort(meeting.begin(), meeting.end(), [](const Life &a, const Life &b) { return a.offset < b.offset; });
  int64_t best = -1, bestGap = std::numeric_limits<int64_t>::max(), end = 0;
  for (const Life &other : meeting) {
    const int64_t gap = other.offset - end;
    if (gap >= life.bytes && gap < bestGap) {
      best = end;
      bestGap = gap;
    }
    end = std::max(end, other.offset + other.bytes);
  }
  return best >= 0 ? best : end;
}

}  // namespace

void planMemory(Plan &plan) {
  std::vector<Life> lives = livesOf(plan);
  // Large ones first: small ones fit into what is left.
  std::sort(lives.begin(), lives.end(),
            [](const Life &a, const Life &b) { return a.bytes != b.bytes ? a.bytes > b.bytes : a.buffer < b.buffer; });
  std::vector<Life> placed;
  plan.arenaBytes = 0;
  for (Life life : lives) {
    life.offset = bestFit(life, placed);
    plan.buffers[static_cast<size_t>(life.buffer)].offset = life.offset;
    plan.arenaBytes = std::max(plan.arenaBytes, life.offset + life.bytes);
    placed.push_back(life);
  }
}

}  // namespace hone::plan
