// What moves elements in a random graph.
#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/plan/graph_generator.h"

namespace hone::plan {

void GraphGenerator::addReshape(ValueId x) {
  // Split the elements into prime factors and put them together anew, with extents of 1 between.
  int64_t rest = elements(shape(x));
  Shape result(static_cast<size_t>(1 + below(4)), 1);
  for (int64_t p = 2; rest > 1; ++p) {
    for (; rest % p == 0; rest /= p) result[static_cast<size_t>(below(std::ssize(result)))] *= p;
  }
  if (chance(30)) {
    result = shape(x);
    result.insert(result.begin() + below(std::ssize(result) + 1), 1);
  }
  add(Op::Reshape, {x}, {}, TensorType{DType::F32, result});
}

void GraphGenerator::addTranspose(ValueId x) {
  std::vector<int64_t> permutation(shape(x).size());
  std::iota(permutation.begin(), permutation.end(), 0);
  std::shuffle(permutation.begin(), permutation.end(), random_);
  add(Op::Transpose, {x}, graph::TransposeAttributes{permutation});
}

void GraphGenerator::addSlice(ValueId x) {
  graph::SliceAttributes slice;
  Shape result;
  for (int64_t extent : shape(x)) {
    const int64_t start = below(extent);
    const bool isBackwards = chance(20);
    const int64_t length = 1 + below(2);
    const int64_t step = isBackwards ? -length : length;
    const int64_t room = isBackwards ? start : extent - 1 - start;
    const bool whole = chance(50);
    slice.starts.push_back(whole ? 0 : start);
    slice.steps.push_back(whole ? 1 : step);
    result.push_back(whole ? extent : 1 + room / std::abs(step));
  }
  add(Op::Slice, {x}, slice, TensorType{DType::F32, result});
}

void GraphGenerator::addPad(ValueId x) {
  static const graph::PadMode kModes[] = {graph::PadMode::Constant, graph::PadMode::Edge, graph::PadMode::Reflect};
  graph::PadAttributes pad{{}, kModes[below(3)], below(3) - 1.0};
  const size_t rank = shape(x).size();
  for (size_t i = 0; i < 2 * rank; ++i) pad.pads.push_back(chance(40) ? below(3) : 0);
  add(Op::Pad, {x}, pad);
}

void GraphGenerator::addGather(ValueId x) {
  if (shape(x).empty()) return;
  // Indices of the input are in [-2, 1].
  for (int64_t axis = 0; axis < std::ssize(shape(x)); ++axis) {
    if (shape(x)[static_cast<size_t>(axis)] < 2 || chance(30)) continue;
    ValueId indices = indices_;
    if (chance(40)) {
      const std::string name = absl::StrCat("c", constants_++);
      indices = graph_.addConstant(name, graph::makeConstant({DType::I64, {2}}, std::vector<int64_t>{-1, 0}));
    } else if (chance(30)) {
      const size_t before = graph_.nodes.size();
      add(Op::Transpose, {indices_}, graph::TransposeAttributes{{1, 0}});
      if (graph_.nodes.size() > before) indices = graph_.nodes.back().output;
    }
    return add(Op::Gather, {x, indices}, graph::AxisAttributes{axis});
  }
}

void GraphGenerator::addConcat(ValueId x) {
  if (shape(x).empty()) return;
  const int64_t axis = below(std::ssize(shape(x)));
  std::vector<ValueId> inputs = {x};
  for (ValueId other : pool_) {
    Shape expected = shape(x);
    if (shape(other).size() != expected.size() || chance(50) || inputs.size() > 2) continue;
    expected[static_cast<size_t>(axis)] = shape(other)[static_cast<size_t>(axis)];
    if (expected == shape(other)) inputs.push_back(other);
  }
  add(Op::Concat, std::move(inputs), graph::AxisAttributes{axis});
}

void GraphGenerator::addBroadcast(ValueId x) {
  Shape result = shape(x);
  for (int64_t &extent : result) extent = extent == 1 && chance(60) ? 3 : extent;
  if (chance(50)) result.insert(result.begin(), 2);
  add(Op::Broadcast, {x}, {}, TensorType{DType::F32, result});
}

}  // namespace hone::plan
