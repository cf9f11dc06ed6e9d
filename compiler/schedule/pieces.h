// How work is cut into the pieces that threads take. Constants, and one function without state.
#pragma once

#include <cstdint>

#include "compiler/schedule/schedule.h"

namespace hone::schedule {

/// A parallel piece shorter than this costs more in hand-over than it balances.
inline constexpr int64_t kPieceCycles = 20000;
inline constexpr int64_t kPiecesPerCore = 8;

inline int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Gives the stages of \p kernel's scan, each scheduled as if it were alone, the loops that they may have together.
/// There is no barrier between the steps of a scan: a piece runs all steps of all stages, so what is cut is the
/// outermost dim of all of them, where the steps keep its values apart; all other loops are loops within a step.
void divideScan(const tensor::Kernel &kernel, const TargetDescription &target, Schedule &schedule);

}  // namespace hone::schedule
