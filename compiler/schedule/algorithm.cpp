#include "compiler/schedule/algorithm.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "compiler/schedule/structure.h"
#include "compiler/tensor/algorithms.h"

namespace hone::schedule {
namespace {

// Weights come from memory: in a network, those of a layer were last read one run ago.
constexpr double kMemoryBytesPerCycle = 5.5;

/// Cycles of a vector instruction where many are in flight. Measured on Zen 4, which does 512 bits in two halves; other
/// CPUs with vectors of their full width.
struct VectorCosts {
  double multiplyAdd = 0.5, load = 0.4, store = 1, arithmetic = 0.4;
};

VectorCosts costsOf(const TargetDescription &target) {
  if (target.cpu == "znver4" && target.vectorBytes == 64) return {1, 0.5, 2, 0.3};
  return {};
}

/// What the transforms of a tile do for one vector of channels. Operations are counted in the lines of the transforms:
/// 2 x 4 lines of 4 and 6 lines of 4 for tiles of 2, 2 x 6 lines of 13 and 10 lines of 10 for tiles of 4.
struct TransformWork {
  double loads, stores, operations;
  double cycles(const VectorCosts &costs) const {
    return loads * costs.load + stores * costs.store + operations * costs.arithmetic;
  }
};

TransformWork dataWork(int64_t tile) { return tile == 2 ? TransformWork{16, 16, 32} : TransformWork{36, 36, 156}; }
TransformWork resultWork(int64_t tile) { return tile == 2 ? TransformWork{16, 4, 24} : TransformWork{36, 16, 100}; }

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

double cyclesOfProducts(int64_t products, int64_t weightBytes, const TargetDescription &target) {
  const double arithmetic =
      static_cast<double>(products) / static_cast<double>(target.lanes()) * costsOf(target).multiplyAdd;
  return std::max(arithmetic, static_cast<double>(weightBytes) / kMemoryBytesPerCycle);
}

}  // namespace

std::vector<AlgorithmChoice> algorithmChoices(const tensor::Kernel &kernel, const TargetDescription &target) {
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
    choice.parameterBytes = bytesOf(rewrite->kernel.buffers[static_cast<size_t>(derived.buffer)]);
    const VectorCosts costs = costsOf(target);
    const auto vectors = [&](const tensor::TensorOp &op) {
      return static_cast<double>(pointsOf(op)) / static_cast<double>(target.lanes());
    };
    choice.cycles = cyclesOfProducts(pointsOf(rewrite->kernel.stages[products]), choice.parameterBytes, target) +
                    vectors(data) * dataWork(tile).cycles(costs) + vectors(results) * resultWork(tile).cycles(costs);
    AlgorithmChoice &direct = choices.front();
    direct.parameterBytes = bytesOf(kernel.buffers[static_cast<size_t>(derived.source)]);
    direct.cycles = cyclesOfProducts(pointsOf(kernel.stages[products - 1]), direct.parameterBytes, target);
    if (choice.cycles < direct.cycles) choices.push_back(std::move(choice));
  }
  return choices;
}

}  // namespace hone::schedule
