// How a case ended. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hone::conformance {

enum class Outcome : uint8_t {
  Passed,   ///< every output of every data set has the expected dtype, shape and values
  Refused,  ///< the compiler said, in a sentence, that it does not take the model
  Wrong,    ///< an output is not what it should be
  Failed,   ///< a status that blames hone itself, or the runtime refused what the compiler made
  Crashed,  ///< the process ended by a signal, a sanitizer or an exception
  Hung,     ///< the time limit
};

inline constexpr std::array<std::string_view, 6> kOutcomeNames = {"passed", "refused", "wrong",
                                                                  "failed", "crashed", "hung"};
inline std::string_view name(Outcome outcome) { return kOutcomeNames.at(static_cast<size_t>(outcome)); }
inline std::optional<Outcome> parseOutcome(std::string_view text) {
  for (size_t i = 0; i < kOutcomeNames.size(); ++i) {
    if (kOutcomeNames[i] == text) return static_cast<Outcome>(i);
  }
  return std::nullopt;
}

struct CaseResult {
  Outcome outcome = Outcome::Crashed;
  std::string reason;  ///< one line; empty for Passed
};

}  // namespace hone::conformance
