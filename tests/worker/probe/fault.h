// How an item of a probe task goes wrong, as its seed says. Plain values.
#pragma once

#include <cstdint>

namespace hone::test {

enum class ProbeFault : uint8_t {
  None,
  Crash,     ///< the process ends by a signal
  Quit,      ///< the process ends without a word
  Hang,      ///< the work never ends
  Nonsense,  ///< what is no report is sent
  Chatter,   ///< a result is sent, and then the one that was asked for
  Allocate,  ///< more memory is wanted than there may be
  Litter,    ///< the folder is filled
  Refuse,    ///< the item is refused
  Leave,     ///< all is well, but the process ends before it takes the next work
};

/// The top byte is the fault, the next two are the item which it is about.
constexpr uint64_t faultySeed(ProbeFault fault, int32_t item, uint64_t seed = 1) {
  return static_cast<uint64_t>(fault) << 56 | static_cast<uint64_t>(item) << 40 | seed;
}

constexpr ProbeFault faultOf(uint64_t seed, int32_t item) {
  return (seed >> 40 & 0xFFFF) == static_cast<uint64_t>(item) ? static_cast<ProbeFault>(seed >> 56) : ProbeFault::None;
}

}  // namespace hone::test
