// How much a long suite does: a sample that changes with the date, or everything. test.sh sets the environment that
// decides; a test run by hand samples. Functions without state of ours; any thread may call them.
//
//   for (int64_t i = 0; i < effort(40, 2000); ++i) check(testSeed() + i);
#pragma once

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string_view>

namespace hone::testing {

/// \p sampled, or \p full where HONE_TEST_MODE is "full".
inline int64_t effort(int64_t sampled, int64_t full) {
  const char *mode = std::getenv("HONE_TEST_MODE");
  return mode != nullptr && std::string_view(mode) == "full" ? full : sampled;
}

/// HONE_TEST_SEED, or today's date as YYYYMMDD. Prints it, so that a failure can be repeated.
inline uint64_t testSeed() {
  uint64_t seed = 0;
  if (const char *text = std::getenv("HONE_TEST_SEED"); text != nullptr && *text != '\0') {
    seed = std::strtoull(text, nullptr, 10);
  } else {
    const std::time_t now = std::time(nullptr);
    std::tm date{};
    gmtime_r(&now, &date);
    seed = static_cast<uint64_t>((date.tm_year + 1900) * 10000 + (date.tm_mon + 1) * 100 + date.tm_mday);
  }
  std::cout << "HONE_TEST_SEED=" << seed << std::endl;
  return seed;
}

}  // namespace hone::testing
