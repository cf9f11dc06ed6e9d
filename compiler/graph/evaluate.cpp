#include "compiler/graph/evaluate.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/graph/evaluate_parts.h"

namespace hone::graph {
namespace {

// ---------------------------------------------------------------------------------------------------- movement
//
// Transpose, Broadcast, Slice and Pad are one thing: per dim of the result a table that says for every index how
// far into the operand it points; the sum over the dims is the element that is read.

constexpr int64_t kOutside = -1;
using Tables = std::vector<std::vector<int64_t>>;

bool isContiguous(const std::vector<int64_t> &table) {
  for (size_t i = 0; i < table.size(); ++i) {
    if (table[0] == kOutside || table[i] != table[0] + static_cast<int64_t>(i)) return false;
  }
  return true;
}

/// The result must be filled already with what stands for kOutside.
void copyByTables(const ConstantData &from, const Tables &tables, ConstantData &to) {
  if (to.bytes.empty()) return;
  size_t size = static_cast<size_t>(sizeOf(to.type.dtype));
  const std::vector<int64_t> single = {0};
  const std::vector<int64_t> &last = tables.empty() ? single : tables.back();
  Shape outer(to.type.shape.begin(), to.type.shape.end() - (tables.empty() ? 0 : 1)), index(outer.size(), 0);
  bool contiguous = isContiguous(last);
  char *target = to.bytes.data();
  do {
    int64_t base = 0;
    bool outside = false;
    for (size_t d = 0; d < index.size(); ++d) {
      int64_t offset = tables[d][static_cast<size_t>(index[d])];
      outside = outside || offset == kOutside;
      base += offset;
    }
    auto source = [&](int64_t offset) { return from.bytes.data() + static_cast<size_t>(base + offset) * size; };
    if (!outside && contiguous) std::memcpy(target, source(last[0]), last.size() * size);
    for (size_t i = 0; !outside && !contiguous && i < last.size(); ++i) {
      if (last[i] != kOutside) std::memcpy(target + i * size, source(last[i]), size);
    }
    target += last.size() * size;
  } while (advance(index, outer));
}

/// Tables for indices start + i * step of operand dims with the given strides.
Tables linearTables(const Shape &shape, const Shape &starts, const Shape &steps, const Shape &strides) {
  Tables tables;
  for (size_t d = 0; d < shape.size(); ++d) {
    std::vector<int64_t> table;
    for (int64_t i = 0; i < shape[d]; ++i) table.push_back((starts[d] + i * steps[d]) * strides[d]);
    tables.push_back(std::move(table));
  }
  return tables;
}

int64_t paddedIndex(PadMode mode, int64_t index, int64_t extent) {
  if (index >= 0 && index < extent) return index;
  if (mode == PadMode::Constant) return kOutside;
  if (mode == PadMode::Edge) return index < 0 ? 0 : extent - 1;
  return index < 0 ? -index : 2 * (extent - 1) - index;
}

Constant evaluatePad(const PadAttributes &pad, const ConstantData &data, const TensorType &type) {
  std::shared_ptr<ConstantData> result = makeResult(type);
  if (pad.mode == PadMode::Constant) result->bytes = makeFilled(type, pad.value)->bytes;
  if (data.bytes.empty()) return result;
  Shape strides = stridesOf(data.type.shape);
  Tables tables;
  for (size_t d = 0; d < type.shape.size(); ++d) {
    std::vector<int64_t> table;
    for (int64_t i = 0; i < type.shape[d]; ++i) {
      int64_t from = paddedIndex(pad.mode, i - pad.pads[d], data.type.shape[d]);
      table.push_back(from == kOutside ? kOutside : from * strides[d]);
    }
    tables.push_back(std::move(table));
  }
  copyByTables(data, tables, *result);
  return result;
}

Constant evaluateLinear(const Node &node, const ConstantData &data, const TensorType &type) {
  std::shared_ptr<ConstantData> result = makeResult(type);
  Shape strides = stridesOf(data.type.shape), starts(type.shape.size(), 0), steps(type.shape.size(), 1);
  if (node.op == Op::Broadcast || node.op == Op::LoopState) strides = broadcastStrides(data.type.shape, type.shape);
  if (const auto *transpose = std::get_if<TransposeAttributes>(&node.attributes)) {
    Shape permuted;
    for (int64_t from : transpose->permutation) permuted.push_back(strides[static_cast<size_t>(from)]);
    strides = permuted;
  }
  if (const auto *slice = std::get_if<SliceAttributes>(&node.attributes)) {
    starts = slice->starts;
    steps = slice->steps;
  }
  copyByTables(data, linearTables(type.shape, starts, steps, strides), *result);
  return result;
}

size_t extentBefore(const TensorType &type, int64_t axis) {
  int64_t count = 1;
  for (int64_t d = 0; d < axis; ++d) count *= type.shape[static_cast<size_t>(d)];
  return static_cast<size_t>(count);
}

Constant evaluateConcat(int64_t axis, const std::vector<Constant> &inputs, const TensorType &type) {
  std::shared_ptr<ConstantData> result = makeResult(type);
  size_t outer = extentBefore(type, axis);
  if (result->bytes.empty()) return result;
  size_t row = result->bytes.size() / outer, begin = 0;
  for (const Constant &input : inputs) {
    size_t length = input->bytes.size() / outer;
    for (size_t i = 0; i < outer && length > 0; ++i) {
      std::memcpy(result->bytes.data() + i * row + begin, input->bytes.data() + i * length, length);
    }
    begin += length;
  }
  return result;
}

absl::StatusOr<Constant> evaluateGather(const Node &node, const ConstantData &data, const ConstantData &indices,
                                        const TensorType &type) {
  int64_t axis = std::get<AxisAttributes>(node.attributes).axis;
  int64_t extent = data.type.shape[static_cast<size_t>(axis)];
  std::shared_ptr<ConstantData> result = makeResult(type);
  if (result->bytes.empty()) return result;
  size_t outer = extentBefore(data.type, axis), slab = data.bytes.size() / outer;
  size_t row = slab / static_cast<size_t>(extent);
  std::vector<int64_t> from = elementsOf<int64_t>(indices);
  for (int64_t &index : from) {
    if (index < -extent || index >= extent) {
      return absl::InvalidArgumentError(
          absl::StrCat("gather '", node.name, "': index ", index, " is outside an extent of ", extent));
    }
    if (index < 0) index += extent;
  }
  char *to = result->bytes.data();
  for (size_t i = 0; i < outer; ++i) {
    for (int64_t index : from) {
      std::memcpy(to, data.bytes.data() + i * slab + static_cast<size_t>(index) * row, row);
      to += row;
    }
  }
  return result;
}

Constant evaluateCast(const ConstantData &data, const TensorType &type) {
  bool fromFloat = isFloat(data.type.dtype);
  // u64 to a float must not pass through a signed integer.
  if (fromFloat || (data.type.dtype == DType::U64 && isFloat(type.dtype))) {
    return resultOf(type, elementsOf<double>(data));
  }
  return resultOf(type, elementsOf<int64_t>(data));
}

Constant evaluateLoopCollect(const ConstantData &state, const ConstantData &row, const ConstantData &index) {
  std::shared_ptr<ConstantData> result = makeResult(state.type);
  result->bytes = state.bytes;
  const int64_t place = elementAsInteger(index, 0);
  if (place < 0 || place >= state.type.shape[0] || row.bytes.empty()) return result;
  std::memcpy(result->bytes.data() + static_cast<size_t>(place) * row.bytes.size(), row.bytes.data(), row.bytes.size());
  return result;
}

Constant evaluateReshape(const ConstantData &data, const TensorType &type) {
  std::shared_ptr<ConstantData> result = makeResult(type);
  result->bytes = data.bytes;
  return result;
}

}  // namespace

Shape stridesOf(const Shape &shape) {
  Shape strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

Shape broadcastStrides(const Shape &from, const Shape &to) {
  Shape own = stridesOf(from), strides(to.size(), 0);
  size_t offset = to.size() - from.size();
  for (size_t d = 0; d < from.size(); ++d) strides[offset + d] = from[d] == 1 ? 0 : own[d];
  return strides;
}

bool advance(Shape &index, const Shape &shape) {
  for (size_t d = shape.size(); d-- > 0;) {
    if (++index[d] < shape[d]) return true;
    index[d] = 0;
  }
  return false;
}

absl::StatusOr<Constant> evaluate(const Node &node, const std::vector<Constant> &inputs, const TensorType &type) {
  if (node.op == Op::Compute) return evaluateCompute(std::get<ComputeAttributes>(node.attributes), inputs);
  const ConstantData &data = *inputs.at(0);
  switch (node.op) {
    case Op::Elementwise:
      return evaluateElementwise(std::get<ElementwiseAttributes>(node.attributes).op, inputs, type);
    case Op::Cast:
      return evaluateCast(data, type);
    case Op::Conv:
      return evaluateConv(std::get<ConvAttributes>(node.attributes), inputs, type);
    case Op::Pool:
      return evaluatePool(std::get<PoolAttributes>(node.attributes), data, type);
    case Op::MatMul:
      return evaluateMatMul(std::get<MatMulAttributes>(node.attributes), data, *inputs.at(1), type);
    case Op::Reduce:
      return evaluateReduce(std::get<ReduceAttributes>(node.attributes), data, type);
    case Op::Softmax:
    case Op::LogSoftmax:
      return evaluateSoftmax(std::get<AxisAttributes>(node.attributes).axis, node.op == Op::LogSoftmax, data);
    case Op::LayerNorm:
      return evaluateLayerNorm(std::get<LayerNormAttributes>(node.attributes), inputs);
    case Op::Reshape:
      return evaluateReshape(data, type);
    case Op::Transpose:
    case Op::Broadcast:
    case Op::Slice:
    case Op::LoopState:
      return evaluateLinear(node, data, type);
    case Op::Concat:
      return evaluateConcat(std::get<AxisAttributes>(node.attributes).axis, inputs, type);
    case Op::Pad:
      return evaluatePad(std::get<PadAttributes>(node.attributes), data, type);
    case Op::Gather:
      return evaluateGather(node, data, *inputs.at(1), type);
    case Op::LoopCollect:
      return evaluateLoopCollect(data, *inputs.at(1), *inputs.at(2));
    case Op::LoopEnd:
      return inputs.at(inputs.size() / 2);
    case Op::LoopResult:
      return inputs.at(1);
    case Op::Compute:
      break;
  }
  return absl::InternalError("unknown op");
}

double evaluationSteps(const Node &node, const std::vector<TensorType> &inputs, const TensorType &type) {
  if (isOfLoop(node.op)) return std::numeric_limits<double>::infinity();
  double most = static_cast<double>(type.elements()), perElement = 1;
  for (const TensorType &input : inputs) most = std::max(most, static_cast<double>(input.elements()));
  if (node.op == Op::Conv) {
    perElement = static_cast<double>(inputs[1].elements()) / std::max(1.0, static_cast<double>(inputs[1].shape[0]));
  } else if (const auto *pool = std::get_if<PoolAttributes>(&node.attributes)) {
    for (int64_t extent : pool->kernel) perElement *= static_cast<double>(extent);
  } else if (const auto *matmul = std::get_if<MatMulAttributes>(&node.attributes)) {
    perElement = static_cast<double>(inputs[0].shape[inputs[0].shape.size() - (matmul->transposeA ? 2 : 1)]);
  } else if (const auto *compute = std::get_if<ComputeAttributes>(&node.attributes)) {
    return std::max(most, interpretationSteps(*compute));
  } else {
    return most;
  }
  return std::max(most, static_cast<double>(type.elements()) * perElement);
}

}  // namespace hone::graph
