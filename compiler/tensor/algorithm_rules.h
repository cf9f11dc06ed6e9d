// The rules of algorithms and what applyAlgorithm() says of one that is broken: one sentence each, so that a test can
// go through all of them. Constant data; thread-safe.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/substitute.h"

namespace hone::tensor {

/// In the order in which they are checked.
enum class AlgorithmRule : uint8_t {
  AlgorithmIsKnown,

  SplitHasItsForm,
  SplitStageExists,
  SplitDimExists,
  SplitDimIsReduced,
  SplitStageIsNoScan,
  SplitPartsFit,

  WinogradHasItsForm,
  WinogradTileExists,
  WinogradSums,
  WinogradMultiplies,
  WinogradIsNoScan,
  WinogradWeightsArePlain,
  WinogradPadsWithZeros,
  WinogradWeightsAreParameters,
  WinogradSlidesTwice,
  WinogradDirectionsOccurOnce,
  WinogradWeightsKeepPlaces,
  WinogradWeightsHaveTaps,
  WinogradWritesWhole,
  WinogradSumsChannels,
};

struct AlgorithmSentence {
  AlgorithmRule rule;
  const char *text;  ///< for absl::Substitute: $0, $1 and so on are names and numbers
};

/// One per rule, in the order of the rules.
std::span<const AlgorithmSentence> algorithmSentences();
const char *sentenceOf(AlgorithmRule rule);

/// INVALID_ARGUMENT with the rule's sentence about \p args.
template <typename... Args>
absl::Status broken(AlgorithmRule rule, const Args &...args) {
  return absl::InvalidArgumentError(absl::Substitute(sentenceOf(rule), args...));
}

}  // namespace hone::tensor
