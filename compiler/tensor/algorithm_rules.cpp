#include "compiler/tensor/algorithm_rules.h"

#include <cstddef>

#define NO_WINOGRAD "stage '$0' is not a convolution that winograd fits: "

namespace hone::tensor {
namespace {

constexpr AlgorithmSentence kSentences[] = {
    {AlgorithmRule::AlgorithmIsKnown, "unknown algorithm '$0'; use direct, winograd or split"},

    {AlgorithmRule::SplitHasItsForm, "expected 'split STAGE DIM PARTS'"},
    {AlgorithmRule::SplitStageExists, "there is no stage '$0'"},
    {AlgorithmRule::SplitDimExists, "stage '$0' has no dim '$1'"},
    {AlgorithmRule::SplitDimIsReduced, "dim $0 of stage '$1' is no reduction dim"},
    {AlgorithmRule::SplitStageIsNoScan, "stage '$0' has a scan dim; its reductions stay whole"},
    {AlgorithmRule::SplitPartsFit, "cannot cut dim '$0' of extent $1 into $2 parts; use 2 to $1"},

    {AlgorithmRule::WinogradHasItsForm, "expected 'winograd 2 3' or 'winograd 4 3'"},
    {AlgorithmRule::WinogradTileExists, "winograd has no tiles of $0; use 2 or 4"},
    {AlgorithmRule::WinogradSums, NO_WINOGRAD "it must be one sum of floats"},
    {AlgorithmRule::WinogradMultiplies, NO_WINOGRAD "its terms must be products of two reads"},
    {AlgorithmRule::WinogradIsNoScan, NO_WINOGRAD "it has a scan dim"},
    {AlgorithmRule::WinogradWeightsArePlain, NO_WINOGRAD "the weights must be read at plain dims"},
    {AlgorithmRule::WinogradPadsWithZeros, NO_WINOGRAD "data outside must be 0"},
    {AlgorithmRule::WinogradWeightsAreParameters,
     NO_WINOGRAD "its weights must be a parameter of type f32, which is transformed when the model is compiled"},
    {AlgorithmRule::WinogradSlidesTwice,
     NO_WINOGRAD "it must slide in two directions with stride 1, dilation 1 and 3 taps each"},
    {AlgorithmRule::WinogradDirectionsOccurOnce, NO_WINOGRAD "a direction occurs twice in the data's indices"},
    {AlgorithmRule::WinogradWeightsKeepPlaces, NO_WINOGRAD "its weights must not depend on the place"},
    {AlgorithmRule::WinogradWeightsHaveTaps, NO_WINOGRAD "its weights must depend on the taps"},
    {AlgorithmRule::WinogradWritesWhole, NO_WINOGRAD "its output must be written whole, at plain dims"},
    {AlgorithmRule::WinogradSumsChannels, NO_WINOGRAD "it needs input channels to sum over"},
};

constexpr bool areInOrder() {
  for (size_t i = 0; i < std::size(kSentences); ++i) {
    if (static_cast<size_t>(kSentences[i].rule) != i) return false;
  }
  return std::size(kSentences) == static_cast<size_t>(AlgorithmRule::WinogradSumsChannels) + 1;
}
static_assert(areInOrder(), "each rule has one sentence, at its place");

}  // namespace

std::span<const AlgorithmSentence> algorithmSentences() { return kSentences; }

const char *sentenceOf(AlgorithmRule rule) { return kSentences[static_cast<size_t>(rule)].text; }

}  // namespace hone::tensor

#undef NO_WINOGRAD
