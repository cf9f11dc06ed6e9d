#include "compiler/tensor/algorithms.h"

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "compiler/base/status.h"
#include "compiler/tensor/algorithm_rules.h"

namespace hone::tensor {
namespace {

// Of a rewrite that only appends buffers to the \p old ones.
Rewrite withOrigins(Kernel kernel, size_t old) {
  Rewrite result{std::move(kernel), {}, {}};
  for (size_t b = 0; b < result.kernel.buffers.size(); ++b)
    result.origins.push_back(b < old ? static_cast<int>(b) : -1);
  return result;
}

absl::StatusOr<Rewrite> applySplit(const Kernel &kernel, const std::vector<std::string> &words) {
  int64_t parts = 0;
  if (words.size() != 4 || !absl::SimpleAtoi(words[3], &parts)) {
    return broken(AlgorithmRule::SplitHasItsForm);
  }
  for (size_t s = 0; s < kernel.stages.size(); ++s) {
    if (kernel.stages[s].name != words[1]) continue;
    const std::vector<Dim> &dims = kernel.stages[s].dims;
    for (size_t d = 0; d < dims.size(); ++d) {
      if (dims[d].name != words[2]) continue;
      HONE_ASSIGN_OR_RETURN(Kernel split, splitReduction(kernel, static_cast<int>(s), static_cast<int>(d), parts));
      return withOrigins(std::move(split), kernel.buffers.size());
    }
    return broken(AlgorithmRule::SplitDimExists, words[1], words[2]);
  }
  return broken(AlgorithmRule::SplitStageExists, words[1]);
}

absl::StatusOr<Rewrite> applyWinograd(const Kernel &kernel, const std::vector<std::string> &words) {
  int64_t tile = 0;
  if (words.size() != 3 || !absl::SimpleAtoi(words[1], &tile) || words[2] != "3") {
    return broken(AlgorithmRule::WinogradHasItsForm);
  }
  // What no stage fits is refused for what the first one lacks.
  absl::StatusOr<Rewrite> first = winograd(kernel, 0, tile);
  for (size_t s = 1; !first.ok() && s < kernel.stages.size(); ++s) {
    absl::StatusOr<Rewrite> rewrite = winograd(kernel, static_cast<int>(s), tile);
    if (rewrite.ok()) return rewrite;
  }
  return first;
}

}  // namespace

absl::StatusOr<Rewrite> applyAlgorithm(const Kernel &kernel, std::string_view algorithm) {
  const std::vector<std::string> words = absl::StrSplit(std::string(algorithm), ' ', absl::SkipEmpty());
  if (words == std::vector<std::string>{"direct"}) return withOrigins(kernel, kernel.buffers.size());
  if (!words.empty() && words[0] == "winograd") return applyWinograd(kernel, words);
  if (!words.empty() && words[0] == "split") return applySplit(kernel, words);
  return broken(AlgorithmRule::AlgorithmIsKnown, std::string(algorithm));
}

}  // namespace hone::tensor
