#include "compiler/schedule/algorithm.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "compiler/schedule/structure.h"
#include "compiler/tensor/algorithms.h"

namespace hone::schedule {
namespace {

int64_t bytesOf(const tensor::Buffer &buffer) {
  int64_t bytes = sizeOf(buffer.dtype);
  for (const int64_t extent : buffer.shape) bytes *= extent;
  return bytes;
}

bool roundsSomewhere(const tensor::Scalar &scalar) {
  const bool isRounding =
      scalar->kind == tensor::ScalarKind::Apply &&
      (scalar->op == ScalarOp::Round || scalar->op == ScalarOp::Floor || scalar->op == ScalarOp::Ceil);
  const bool isTruncation = scalar->kind == tensor::ScalarKind::Cast && isInteger(scalar->dtype);
  return isRounding || isTruncation || std::any_of(scalar->args.begin(), scalar->args.end(), roundsSomewhere);
}

/// Sums of quantised values are whole numbers that float32 holds exactly, and rounding them back asks for each unit:
/// transforms, which divide, would be seen.
bool isQuantised(const tensor::Kernel &kernel) {
  return std::any_of(kernel.buffers.begin(), kernel.buffers.end(),
                     [](const tensor::Buffer &buffer) { return isInteger(buffer.dtype); }) ||
         std::any_of(kernel.stages.begin(), kernel.stages.end(), [](const tensor::TensorOp &op) {
           return std::any_of(op.body.begin(), op.body.end(), roundsSomewhere);
         });
}

// Additions one after the other that a float32 sum bears, and that take no time worth mentioning.
constexpr int64_t kLongestChain = 1024;

// Whether neighbours in memory are summed up: vectors of them are sums apart.
bool runsAlongMemory(const tensor::Kernel &kernel, const tensor::TensorOp &op, const tensor::Access &read) {
  const tensor::Layout &layout = kernel.buffers[static_cast<size_t>(read.buffer)].layout;
  if (layout.axes.empty()) return true;
  const tensor::Index &index = read.indices[static_cast<size_t>(layout.axes.back().dim)];
  const std::vector<int> reduced = dimsOfKind(op, tensor::DimKind::Reduction);
  return std::any_of(reduced.begin(), reduced.end(), [&](int dim) { return mentions(index, dim); });
}

bool isSumAcrossMemory(const tensor::Kernel &kernel) {
  const tensor::TensorOp &op = kernel.stages.front();
  const bool isOnly = std::none_of(kernel.stages.begin() + 1, kernel.stages.end(),
                                   [](const tensor::TensorOp &stage) { return reduces(stage) || scans(stage); });
  return isOnly && !scans(op) && op.combiner.kind == tensor::CombinerKind::Sum && isFloat(op.body[0]->dtype) &&
         op.reads.size() == 1 && !runsAlongMemory(kernel, op, op.reads[0]);
}

/// The divisors next to the root, where parts and their lengths are both short, nearest first.
std::vector<int64_t> middleDivisors(int64_t extent) {
  constexpr size_t kMost = 3;
  std::vector<int64_t> divisors;
  for (int64_t divisor = 2; divisor * divisor <= extent; ++divisor) {
    if (extent % divisor != 0) continue;
    divisors.push_back(divisor);
    if (divisor != extent / divisor) divisors.push_back(extent / divisor);
  }
  std::sort(divisors.begin(), divisors.end(), [extent](int64_t a, int64_t b) {
    return std::pair(std::max(a, extent / a), a) < std::pair(std::max(b, extent / b), b);
  });
  if (divisors.size() > kMost) divisors.resize(kMost);
  return divisors;
}

std::vector<AlgorithmChoice> splitsOf(const tensor::Kernel &kernel) {
  std::vector<AlgorithmChoice> splits;
  if (!isSumAcrossMemory(kernel)) return splits;
  const tensor::TensorOp &op = kernel.stages.front();
  if (reductionPoints(op) <= kLongestChain) return splits;
  const std::vector<int> reduced = dimsOfKind(op, tensor::DimKind::Reduction);
  const int longest =
      *std::max_element(reduced.begin(), reduced.end(), [&](int a, int b) { return extent(op, a) < extent(op, b); });
  for (const int64_t parts : middleDivisors(extent(op, longest)))
    splits.push_back({absl::StrCat("split ", op.name, " ", nameOf(op, longest), " ", parts)});
  return splits;
}

}  // namespace

std::vector<AlgorithmChoice> algorithmChoices(const tensor::Kernel &kernel, const TargetDescription &target) {
  if (std::vector<AlgorithmChoice> splits = splitsOf(kernel); !splits.empty()) return splits;
  std::vector<AlgorithmChoice> choices = {{"direct"}};
  if (isQuantised(kernel)) return choices;
  for (const int64_t tile : {2, 4}) {
    AlgorithmChoice choice{absl::StrCat("winograd ", tile, " 3")};
    const absl::StatusOr<tensor::Rewrite> rewrite = tensor::applyAlgorithm(kernel, choice.algorithm);
    if (!rewrite.ok()) continue;
    const tensor::DerivedParameter &derived = rewrite->derived.front();
    const auto products = static_cast<size_t>(rewrite->derivedReader());
    const tensor::TensorOp &data = rewrite->kernel.stages[products - 1];
    const tensor::TensorOp &results = rewrite->kernel.stages[products + 1];
    // Both transforms are maps of vectors of channels.
    if (data.dims.back().extent < target.lanes() || results.dims.back().extent < target.lanes()) continue;
    choice.parameterBytes = bytesOf(rewrite->kernel.buffers[static_cast<size_t>(derived.buffer)]) -
                            bytesOf(kernel.buffers[static_cast<size_t>(derived.source)]);
    choices.push_back(std::move(choice));
  }
  return choices;
}

}  // namespace hone::schedule
