#include "absl/strings/str_cat.h"
#include "tests/schedule/legal_cases.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::schedule::testing {
namespace {

using absl::StrCat;
using namespace tensor::testing;
using tensor::AlgorithmRule;
using tensor::CombinerKind;
using tensor::dim;
using tensor::Index;
using tensor::Kernel;

LegalCase textBreaks(AlgorithmRule rule, Kernel kernel, const std::string &algorithm, const std::string &sentence,
                     const std::string &repaired, const std::string &lines) {
  return {tensor::sentenceOf(rule), std::move(kernel), StrCat("algorithm ", algorithm, "\n", lines),
          "schedule: " + sentence, StrCat("algorithm ", repaired, "\n", lines)};
}

LegalCase kernelBreaks(AlgorithmRule rule, Kernel kernel, const std::string &text, const std::string &sentence,
                       Kernel repaired) {
  return {tensor::sentenceOf(rule), std::move(kernel), text, "schedule: " + sentence, text, std::move(repaired)};
}

/// x [3, 4, 8] times w [4, 8], summed along the last dim, of each step, of a scan or not.
Kernel steps(bool scans) {
  KernelBuilder b("steps");
  const int x = b.input("x", {3, 4, 8}), w = b.parameter("w", {4, 8}), y = b.output("y", {3, 4});
  b.begin("y", {scans ? scan("t", 3) : parallel("t", 3), parallel("i", 4), reduce("k", 8)});
  b.fold(CombinerKind::Sum);
  const tensor::Scalar value = b.get(x, {dim(0), dim(1), dim(2)});
  b.put(value * b.get(w, {dim(1), dim(2)}), y, {dim(0), dim(1)});
  return b.finish();
}

std::vector<LegalCase> splitCases() {
  const Kernel kernel = softmax(3, 8);
  const auto breaks = [&](AlgorithmRule rule, const std::string &algorithm, const std::string &sentence) {
    return textBreaks(rule, kernel, algorithm, sentence, "split mx c 2", "mx_partial\nmx\ne\ns\nout\n");
  };
  return {
      textBreaks(AlgorithmRule::AlgorithmIsKnown, kernel, "swiftly",
                 "unknown algorithm 'swiftly'; use direct, winograd or split", "direct", "mx\ne\ns\nout\n"),
      textBreaks(AlgorithmRule::AlgorithmIsKnown, kernel, "direct now",
                 "unknown algorithm 'direct now'; use direct, winograd or split", "direct", "mx\ne\ns\nout\n"),
      breaks(AlgorithmRule::SplitHasItsForm, "split mx c", "expected 'split STAGE DIM PARTS'"),
      breaks(AlgorithmRule::SplitHasItsForm, "split mx c two", "expected 'split STAGE DIM PARTS'"),
      breaks(AlgorithmRule::SplitStageExists, "split nothing c 2", "there is no stage 'nothing'"),
      breaks(AlgorithmRule::SplitDimExists, "split mx nothing 2", "stage 'mx' has no dim 'nothing'"),
      breaks(AlgorithmRule::SplitDimIsReduced, "split mx r 2", "dim 0 of stage 'mx' is no reduction dim"),
      breaks(AlgorithmRule::SplitPartsFit, "split mx c 1", "cannot cut dim 'c' of extent 8 into 1 parts; use 2 to 8"),
      breaks(AlgorithmRule::SplitPartsFit, "split mx c 9", "cannot cut dim 'c' of extent 8 into 9 parts; use 2 to 8"),
      kernelBreaks(AlgorithmRule::SplitStageIsNoScan, steps(true), "algorithm split y k 2\ny_partial\ny\n",
                   "stage 'y' has a scan dim; its reductions stay whole", steps(false)),
  };
}

enum class Misfit : uint8_t {
  None,
  Largest,
  TwoSums,
  Integers,
  Added,
  Squared,
  Scan,
  ShiftedWeights,
  WeightsAreData,
  Doubles,
  OneDirection,
  ThreeDirections,
  Reversed,
  SameTaps,
  PlaceAgain,
  TapAgain,
  WeightsOfPlaces,
  WeightsWithoutTaps,
  PartOfOutput,
  ShiftedOutput,
  OneChannel,
};

/// A convolution of data [t 2, ic 3, y 7, x 6] with weights [oc 4, ic, ky 3, kx 3] that has one thing wrong.
struct MisfitBuilder {
  explicit MisfitBuilder(Misfit misfit) : wrong(misfit) {}

  bool is(Misfit misfit) const { return wrong == misfit; }

  Kernel build() {
    const DType dtype = is(Misfit::Integers) ? DType::I32 : is(Misfit::Doubles) ? DType::F64 : DType::F32;
    const bool oneDirection = is(Misfit::OneDirection), oneChannel = is(Misfit::OneChannel);
    const std::vector<int64_t> weightShape = {4, 3, 3, 3, is(Misfit::WeightsOfPlaces) ? 7 : 1};
    KernelBuilder b("misfit");
    const int data = b.input("data", {2, 3, 7, 6, 7}, dtype);
    const int weight =
        is(Misfit::WeightsAreData) ? b.input("weight", weightShape, dtype) : b.parameter("weight", weightShape, dtype);
    const int out = b.output("out", {2, 4, is(Misfit::PartOfOutput) ? 9 : 7, 6}, dtype);
    b.begin("conv", {is(Misfit::Scan) ? scan("t", 2) : parallel("t", 2), parallel("oc", 4), parallel("y", 7),
                     parallel("x", 6), reduce("ky", 3), reduce("kx", 3)});
    if (!oneChannel) b.stage().dims.push_back(reduce("ic", 3));
    const Index t = dim(0), oc = dim(1), y = dim(2), x = dim(3), ky = dim(4), kx = dim(5);
    const Index zero = tensor::constant(0), ic = oneChannel ? zero : dim(6);
    Index row = y + ky - 1, column = oneDirection ? x : x + kx - 1, last = zero;
    if (is(Misfit::ThreeDirections)) last = t + ky - 1;
    if (is(Misfit::Reversed)) row = y + ky * -1 + 1;
    if (is(Misfit::SameTaps)) column = x + ky - 1;
    if (is(Misfit::PlaceAgain)) last = y;
    if (is(Misfit::TapAgain)) last = ky;
    const Index weightRow = is(Misfit::WeightsWithoutTaps) ? zero : ky;
    const Index filter = is(Misfit::ShiftedWeights) ? tensor::clamp(oc + 1, 0, 3) : oc;
    const tensor::Scalar a = b.get(data, {t, ic, row, column, last}, 0);
    const tensor::Scalar w = b.get(weight, {filter, ic, weightRow, kx, is(Misfit::WeightsOfPlaces) ? y : zero});
    const Index place = is(Misfit::ShiftedOutput) ? y + 1 : y;
    b.put(is(Misfit::Added) ? a + w : is(Misfit::Squared) ? a * a : a * w, out, {t, oc, place, x});
    if (!is(Misfit::TwoSums)) {
      b.fold(is(Misfit::Largest) ? CombinerKind::Max : CombinerKind::Sum);
      return b.finish();
    }
    const auto sum = [](int i) { return tensor::accumulator(i, DType::F32) + tensor::element(i, DType::F32); };
    b.put(a * w, b.output("again", {2, 4, 7, 6}), {t, oc, y, x});
    b.fold({sum(0), sum(1)}, {f32(0), f32(0)});
    return b.finish();
  }

  Misfit wrong;
};

std::vector<LegalCase> winogradCases() {
  const Kernel fitting = MisfitBuilder(Misfit::None).build();
  const char *lines = "conv_v\nconv_m\nconv\n";
  std::vector<LegalCase> cases;
  for (const char *algorithm : {"winograd", "winograd 4 5", "winograd four 3"}) {
    cases.push_back(textBreaks(AlgorithmRule::WinogradHasItsForm, fitting, algorithm,
                               "expected 'winograd 2 3' or 'winograd 4 3'", "winograd 4 3", lines));
  }
  cases.push_back(textBreaks(AlgorithmRule::WinogradTileExists, fitting, "winograd 3 3",
                             "winograd has no tiles of 3; use 2 or 4", "winograd 2 3", lines));
  const auto refuse = [&](AlgorithmRule rule, const std::string &why, Kernel kernel) {
    cases.push_back(kernelBreaks(rule, std::move(kernel), StrCat("algorithm winograd 4 3\n", lines),
                                 "stage 'conv' is not a convolution that winograd fits: " + why, fitting));
  };
  const auto misfits = [&](AlgorithmRule rule, const std::string &why, const std::vector<Misfit> &kinds) {
    for (const Misfit kind : kinds) refuse(rule, why, MisfitBuilder(kind).build());
  };
  misfits(AlgorithmRule::WinogradSums, "it must be one sum of floats",
          {Misfit::Largest, Misfit::TwoSums, Misfit::Integers});
  misfits(AlgorithmRule::WinogradMultiplies, "its terms must be products of two reads",
          {Misfit::Added, Misfit::Squared});
  misfits(AlgorithmRule::WinogradIsNoScan, "it has a scan dim", {Misfit::Scan});
  misfits(AlgorithmRule::WinogradWeightsArePlain, "the weights must be read at plain dims", {Misfit::ShiftedWeights});
  misfits(AlgorithmRule::WinogradWeightsAreParameters,
          "its weights must be a parameter of type f32, which is transformed when the model is compiled",
          {Misfit::WeightsAreData, Misfit::Doubles});
  const char *sliding = "it must slide in two directions with stride 1, dilation 1 and 3 taps each";
  misfits(AlgorithmRule::WinogradSlidesTwice, sliding,
          {Misfit::OneDirection, Misfit::ThreeDirections, Misfit::Reversed, Misfit::SameTaps});
  for (const ConvolutionSize &size :
       {ConvolutionSize{.stride = 2}, ConvolutionSize{.dilation = 2}, ConvolutionSize{.kernel = 5}}) {
    refuse(AlgorithmRule::WinogradSlidesTwice, sliding, convolution(size));
  }
  Kernel ones = fitting;
  ones.stages[0].reads[0].outside = 1;
  refuse(AlgorithmRule::WinogradPadsWithZeros, "data outside must be 0", ones);
  misfits(AlgorithmRule::WinogradDirectionsOccurOnce, "a direction occurs twice in the data's indices",
          {Misfit::PlaceAgain, Misfit::TapAgain});
  misfits(AlgorithmRule::WinogradWeightsKeepPlaces, "its weights must not depend on the place",
          {Misfit::WeightsOfPlaces});
  misfits(AlgorithmRule::WinogradWeightsHaveTaps, "its weights must depend on the taps", {Misfit::WeightsWithoutTaps});
  misfits(AlgorithmRule::WinogradWritesWhole, "its output must be written whole, at plain dims",
          {Misfit::PartOfOutput, Misfit::ShiftedOutput});
  misfits(AlgorithmRule::WinogradSumsChannels, "it needs input channels to sum over", {Misfit::OneChannel});
  return cases;
}

}  // namespace

std::vector<LegalCase> algorithmCases() {
  std::vector<LegalCase> cases = splitCases();
  const std::vector<LegalCase> winograd = winogradCases();
  cases.insert(cases.end(), winograd.begin(), winograd.end());
  return cases;
}

}  // namespace hone::schedule::testing
