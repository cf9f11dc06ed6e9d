// Rounds of a randomised test: each has numbers of its own from the day's seed, and a failure names its round. To be
// called by the thread that runs the test.
//
//   inRounds(5, 60, [](Random &random) { ... });
#pragma once

#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>

#include "tests/support/effort.h"
#include "tests/support/random.h"

namespace hone::testing {

/// Calls \p check with effort(\p sampled, \p full) sequences of random numbers, until one fails fatally.
template <std::invocable<Random &> Check>
void inRounds(int64_t sampled, int64_t full, const Check &check) {
  const uint64_t seed = testSeed();
  for (int64_t round = 0; round < effort(sampled, full) && !::testing::Test::HasFatalFailure(); ++round) {
    SCOPED_TRACE(::testing::Message() << "round " << round);
    Random random(seed * 1000 + static_cast<uint64_t>(round));
    check(random);
  }
}

}  // namespace hone::testing
