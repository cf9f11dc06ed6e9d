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
  Forget,    ///< all is well, but a file of kForgottenBytes is left in the folder, and it takes kForgetSeconds
  Dawdle,    ///< all is well, but it takes kDawdleSeconds
};

inline constexpr double kDawdleSeconds = 0.005;
inline constexpr int64_t kForgottenBytes = 40 << 20;
inline constexpr double kForgetSeconds = 0.7;
inline constexpr int32_t kEveryItem = 0xFFFF;

/// The top byte is the fault, the next two are the item which it is about, or kEveryItem.
constexpr uint64_t faultySeed(ProbeFault fault, int32_t item, uint64_t seed = 1) {
  return static_cast<uint64_t>(fault) << 56 | static_cast<uint64_t>(item) << 40 | seed;
}

constexpr ProbeFault faultOf(uint64_t seed, int32_t item) {
  const auto about = static_cast<int32_t>(seed >> 40 & 0xFFFF);
  return about == item || about == kEveryItem ? static_cast<ProbeFault>(seed >> 56) : ProbeFault::None;
}

}  // namespace hone::test
