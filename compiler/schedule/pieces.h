// How work is cut into the pieces that threads take. Constants, and one function without state.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/schedule/choices.h"
#include "compiler/schedule/schedule.h"

namespace hone::schedule {

/// What a knob of pieces offers: at least so many for each core, as far as the loops can be cut.
inline constexpr std::array<int64_t, 5> kPieces = {8, 1, 2, 4, 32};
std::vector<std::string> pieceNames();

inline int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Gives the stages of \p kernel's scan, each scheduled as if it were alone, the loops that they may have together.
/// There is no barrier between the steps of a scan: a piece runs all steps of all stages, so what is cut is the
/// outermost dim of all of them, where the steps keep its values apart; all other loops are loops within a step.
void divideScan(const tensor::Kernel &kernel, const TargetDescription &target, Choices &choices, Schedule &schedule);

}  // namespace hone::schedule
