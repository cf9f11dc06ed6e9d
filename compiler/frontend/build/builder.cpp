#include "compiler/frontend/build/builder.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "compiler/base/status.h"
#include "compiler/frontend/build/empty_parts.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using graph::Op;

// Larger results, and longer work, are left to the compiler's constant folding.
constexpr int64_t kFoldedElements = 1 << 14;
constexpr double kFoldedSteps = 1 << 18;
// Compiling a kernel takes time with the square of its buffers: more parts than this are joined in several steps, as
// loops that were written out leave thousands.
constexpr size_t kMostParts = 64;
// All folds of one import together: a hostile model must not buy hours with a few bytes.
constexpr double kAllFoldedSteps = 1 << 28;

bool isEmpty(const graph::TensorType &type) { return type.elements() == 0; }

}  // namespace

absl::Status Builder::checkSize(const graph::TensorType &type) const {
  return checkedElements(type.shape, limits_).status();
}

std::vector<graph::Port> Builder::inputsBehind(ValueId value) const {
  std::vector<bool> isBehind(graph_.values.size(), false);
  isBehind[static_cast<size_t>(value)] = true;
  // Operands come before their nodes, so that one way back passes them all.
  for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
    if (!isBehind[static_cast<size_t>(node->output)]) continue;
    for (ValueId input : node->inputs) isBehind[static_cast<size_t>(input)] = true;
  }
  std::vector<graph::Port> inputs;
  for (const graph::Port &port : graph_.inputs) {
    if (isBehind[static_cast<size_t>(port.value)]) inputs.push_back(port);
  }
  return inputs;
}

Result Builder::constant(graph::Constant constant, std::string name) {
  if (__builtin_add_overflow(constantBytes_, static_cast<int64_t>(constant->bytes.size()), &constantBytes_) ||
      constantBytes_ > limits_.constantBytes) {
    return invalid("the constants take more than ", limits_.constantBytes, " bytes");
  }
  return graph_.addConstant(std::move(name), std::move(constant));
}

Result Builder::number(DType dtype, double value) {
  return constant(graph::makeConstant({dtype, {}}, std::vector<double>{value}));
}

Result Builder::integer(DType dtype, int64_t value) {
  return constant(graph::makeConstant({dtype, {}}, std::vector<int64_t>{value}));
}

Result Builder::integers(const std::vector<int64_t> &values) {
  return constant(graph::makeConstant({DType::I64, {static_cast<int64_t>(values.size())}}, values));
}

absl::StatusOr<std::optional<ValueId>> Builder::fold(const graph::Node &node, const graph::TensorType &type) {
  if (type.elements() > kFoldedElements) return std::nullopt;
  std::vector<graph::Constant> operands;
  std::vector<graph::TensorType> types;
  for (ValueId input : node.inputs) {
    const graph::Value &value = graph_.values.at(static_cast<size_t>(input));
    if (!value.constant) return std::nullopt;
    operands.push_back(value.constant);
    types.push_back(value.type);
  }
  double steps = graph::evaluationSteps(node, types, type);
  if (steps > kFoldedSteps || foldedSteps_ + steps > kAllFoldedSteps) return std::nullopt;
  foldedSteps_ += steps;
  HONE_ASSIGN_OR_RETURN(graph::Constant result, graph::evaluate(node, operands, type));
  HONE_ASSIGN_OR_RETURN(ValueId folded, constant(std::move(result)));
  return std::optional<ValueId>(folded);
}

Result Builder::fromNothing(const graph::Node &node, const graph::TensorType &type) {
  const DType dtype = type.dtype;
  switch (node.op) {
    case Op::Reduce:
      return broadcast(reductionOfNothing(std::get<graph::ReduceAttributes>(node.attributes).kind, dtype), type.shape);
    case Op::Pool: {
      // As everywhere, an average that counts no element is 0.
      const bool isMaximum = std::get<graph::PoolAttributes>(node.attributes).kind == graph::PoolKind::Max;
      return broadcast(isMaximum ? reductionOfNothing(graph::ReduceKind::Max, dtype) : number(dtype, 0), type.shape);
    }
    case Op::MatMul:
      return broadcast(number(dtype, 0), type.shape);
    case Op::Conv: {
      Result sum = number(dtype, 0);
      if (node.inputs.size() == 3) {
        Shape perChannel(type.shape.size(), 1);
        perChannel[1] = type.shape[1];
        sum = reshape(node.inputs[2], perChannel);
      }
      return broadcast(sum, type.shape);
    }
    case Op::Pad:
      return broadcast(number(dtype, std::get<graph::PadAttributes>(node.attributes).value), type.shape);
    default:
      return unsupported("it makes ", graph::typeText(type), " of a tensor without elements");
  }
}

Result Builder::reductionOfNothing(graph::ReduceKind kind, DType dtype) {
  using tensor::CombinerKind;
  CombinerKind combiner = CombinerKind::Sum;
  switch (kind) {
    case graph::ReduceKind::Sum:
      break;
    case graph::ReduceKind::Mean:
      if (!isFloat(dtype)) return unsupported("the mean of no integers");
      return number(dtype, std::numeric_limits<double>::quiet_NaN());
    case graph::ReduceKind::Max:
      combiner = CombinerKind::Max;
      break;
    case graph::ReduceKind::Min:
      combiner = CombinerKind::Min;
      break;
    case graph::ReduceKind::Product:
      combiner = CombinerKind::Product;
      break;
  }
  const tensor::Scalar neutral = tensor::identity(combiner, dtype);
  return isFloat(dtype) ? number(dtype, neutral->number) : integer(dtype, neutral->integer);
}

ElementType Builder::elementType(ValueId value) const {
  const auto found = narrow_.find(value);
  return found == narrow_.end() ? ElementType(dtype(value)) : ElementType(found->second);
}

void Builder::setElementType(ValueId value, ElementType type) {
  if (type.narrow) narrow_[value] = *type.narrow;
}

const ScaledIntegers *Builder::scaledIntegers(ValueId value) const {
  const auto found = scaled_.find(value);
  return found == scaled_.end() ? nullptr : &found->second;
}

const Summands *Builder::summands(ValueId value) const {
  const auto found = summands_.find(value);
  return found == summands_.end() ? nullptr : &found->second;
}

Result Builder::relabelled(Result data, ElementType type) {
  if (!data.ok() || elementType(*data) == type) return data;
  Result same = graph_.values.at(static_cast<size_t>(*data)).constant
                    ? Result(graph_.addConstant("", graph_.values.at(static_cast<size_t>(*data)).constant))
                    : emitNode(Op::Reshape, {data}, std::monostate(), this->type(*data));
  if (same.ok()) setElementType(*same, type);
  return same;
}

absl::StatusOr<std::optional<NarrowType>> Builder::narrowResult(Op op, const graph::Attributes &attributes,
                                                                const std::vector<Result> &operands) const {
  if (narrow_.empty()) return std::nullopt;
  // The operands whose elements are passed on as they are; conditions and indices beside them are not.
  size_t first = 0, last = 0;
  switch (op) {
    case Op::Reshape:
    case Op::Transpose:
    case Op::Broadcast:
    case Op::Slice:
    case Op::Pad:
    case Op::Concat:
      last = operands.size();
      break;
    case Op::Gather:
      last = 1;
      break;
    case Op::Elementwise:
      if (std::get<graph::ElementwiseAttributes>(attributes).op == ScalarOp::Select) first = 1, last = operands.size();
      break;
    default:
      break;
  }
  for (size_t i = 0; i < operands.size(); ++i) {
    const ElementType type = elementType(*operands[i]);
    const bool isPassedOn = first <= i && i < last;
    if (isPassedOn ? type == elementType(*operands[first]) : !type.narrow) continue;
    const std::string_view narrow = name(type.narrow ? type : elementType(*operands[first]));
    return unsupported("elements of type ", absl::string_view(narrow.data(), narrow.size()),
                       " are moved and converted only; cast them to a wider type in front of this");
  }
  return first < last ? elementType(*operands[first]).narrow : std::nullopt;
}

Result Builder::emit(Op op, const std::vector<Result> &operands, graph::Attributes attributes,
                     std::optional<graph::TensorType> type) {
  for (const Result &operand : operands) {
    if (!operand.ok()) return operand;
  }
  HONE_ASSIGN_OR_RETURN(std::optional<NarrowType> narrow, narrowResult(op, attributes, operands));
  Result result = emitNode(op, operands, std::move(attributes), std::move(type));
  if (result.ok() && narrow) setElementType(*result, *narrow);
  return result;
}

Result Builder::emitNode(Op op, const std::vector<Result> &operands, graph::Attributes attributes,
                         std::optional<graph::TensorType> type) {
  graph::Node node;
  node.op = op;
  std::vector<graph::TensorType> types;
  for (const Result &operand : operands) {
    if (!operand.ok()) return operand.status();
    node.inputs.push_back(*operand);
    types.push_back(this->type(*operand));
  }
  node.attributes = std::move(attributes);
  HONE_ASSIGN_OR_RETURN(graph::TensorType result, graph::inferType(op, node.attributes, types, type));
  HONE_RETURN_IF_ERROR(checkSize(result));
  if (result.elements() == 0) return constant(graph::makeConstant(result, std::vector<int64_t>()));
  if (std::any_of(types.begin(), types.end(), isEmpty)) return fromNothing(node, result);
  HONE_ASSIGN_OR_RETURN(std::optional<ValueId> folded, fold(node, result));
  if (folded) return *folded;
  if (static_cast<int64_t>(graph_.nodes.size()) >= limits_.nodes) {
    return invalid("the graph has more than ", limits_.nodes, " nodes");
  }
  const ValueId output = graph_.add(op, std::move(node.inputs), std::move(node.attributes), provenance_, type);
  bounds_.derive(graph_, graph_.nodes.back());
  return output;
}

Result Builder::apply(ScalarOp op, const std::vector<Result> &operands) {
  if (areBounded(operands)) return applyBounded(op, operands);
  return emit(Op::Elementwise, operands, graph::ElementwiseAttributes{op});
}

Result Builder::cast(Result data, DType dtype) {
  if (!data.ok() || this->dtype(*data) == dtype) return data;
  Result result =
      mark(emit(Op::Cast, {data}, std::monostate(), graph::TensorType{dtype, shape(*data)}), allExtents(*data));
  if (result.ok() && isInteger(dtype) && this->dtype(*data) == DType::Bool) bounds_.setTruths(*result);
  return result;
}

Result Builder::conv(Result data, Result weight, const std::vector<Result> &bias, graph::ConvAttributes attributes) {
  std::vector<Result> operands = {data, weight};
  operands.insert(operands.end(), bias.begin(), bias.end());
  Result result = emit(Op::Conv, operands, std::move(attributes));
  return areBounded(operands) ? windowBounded(result, operands) : result;
}

Result Builder::pool(Result data, graph::PoolAttributes attributes) {
  Result result = emit(Op::Pool, {data}, std::move(attributes));
  return areBounded({data}) ? windowBounded(result, {data}) : result;
}

Result Builder::matMul(Result a, Result b, bool transposeA, bool transposeB) {
  if (a.ok() && b.ok() && areBounded({a, b})) return matMulBounded(*a, *b, transposeA, transposeB);
  return emit(Op::MatMul, {a, b}, graph::MatMulAttributes{transposeA, transposeB});
}

Result Builder::reduce(graph::ReduceKind kind, Result data, std::vector<int64_t> axes, bool keepDims) {
  if (!data.ok() || axes.empty()) return data;
  Result result = isBounded(*data) ? reduceBounded(kind, *data, axes, keepDims)
                                   : emit(Op::Reduce, {data}, graph::ReduceAttributes{kind, std::move(axes), keepDims});
  if (result.ok() && kind == graph::ReduceKind::Sum && bounds_.areTruths(*data)) {
    // How many are true is a size that others have: no more than there are.
    bounds_.boundCounts(*result, type(*result), type(*data).elements());
  }
  return result;
}

Result Builder::softmax(Op op, Result data, int64_t axis) {
  if (areBounded({data})) return softmaxBounded(op, *data, axis);
  return emit(op, {data}, graph::AxisAttributes{axis});
}

Result Builder::layerNorm(Result data, Result scale, Result shift, int64_t axis, double epsilon) {
  Result result = emit(Op::LayerNorm, {data, scale, shift}, graph::LayerNormAttributes{axis, epsilon});
  if (!result.ok() || !areBounded({data, scale, shift})) return result;
  const Extents extents = allExtents(*data);
  const bool isWithin = std::any_of(extents.begin() + axis, extents.end(), [](ValueId extent) { return extent >= 0; });
  if (isWithin) return refuseBounded({data}, "a normalisation over a dim whose size depends on data");
  HONE_RETURN_IF_ERROR(refuseBounded({scale, shift}, "a scale or shift whose size depends on data"));
  return mark(result, extents);
}

Result Builder::reshape(Result data, Shape shape) {
  if (!data.ok() || this->shape(*data) == shape) return data;
  if (isBounded(*data)) return reshapeBounded(*data, shape);
  return emit(Op::Reshape, {data}, std::monostate(), graph::TensorType{dtype(*data), std::move(shape)});
}

Result Builder::transpose(Result data, std::vector<int64_t> permutation) {
  if (!data.ok()) return data;
  bool isIdentity = rank(*data) == static_cast<int64_t>(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) isIdentity = isIdentity && permutation[i] == static_cast<int64_t>(i);
  if (isIdentity) return data;
  Result result = emit(Op::Transpose, {data}, graph::TransposeAttributes{permutation});
  if (!result.ok() || !isBounded(*data)) return result;
  Extents moved;
  for (int64_t from : permutation) moved.push_back(extents(*data)[static_cast<size_t>(from)]);
  return mark(result, std::move(moved));
}

Result Builder::broadcast(Result data, Shape shape) {
  if (!data.ok() || this->shape(*data) == shape) return data;
  Extents spread = allExtents(*data);
  if (shape.size() > spread.size()) spread.insert(spread.begin(), shape.size() - spread.size(), -1);
  return mark(emit(Op::Broadcast, {data}, std::monostate(), graph::TensorType{dtype(*data), std::move(shape)}),
              std::move(spread));
}

Result Builder::concat(const std::vector<Result> &parts, int64_t axis) {
  if (parts.size() == 1) return parts[0];
  // Parts without elements (empty lists of extents are common in shape arithmetic) add nothing to the others.
  std::vector<Result> filled;
  for (const Result &part : parts) {
    if (!part.ok()) return part;
    if (type(*part).elements() != 0) filled.push_back(part);
  }
  if (areBounded(filled)) {
    for (Result &part : filled) {
      HONE_ASSIGN_OR_RETURN(part, withDimsOf(*part, parts, axis));
    }
  }
  if (filled.size() == 1 && rank(*filled[0]) > axis) return filled[0];
  if (areBounded(filled)) return concatBounded(filled, axis);
  if (filled.size() > kMostParts) {
    std::vector<Result> joined;
    for (size_t first = 0; first < filled.size(); first += kMostParts) {
      const auto begin = filled.begin() + static_cast<std::ptrdiff_t>(first);
      const size_t count = std::min(kMostParts, filled.size() - first);
      joined.push_back(concat({begin, begin + static_cast<std::ptrdiff_t>(count)}, axis));
    }
    return concat(joined, axis);
  }
  return emit(Op::Concat, filled.empty() ? parts : filled, graph::AxisAttributes{axis});
}

Result Builder::slice(Result data, Shape starts, Shape steps, Shape extents) {
  if (!data.ok()) return data;
  bool isWhole =
      extents == shape(*data) && std::all_of(steps.begin(), steps.end(), [](int64_t step) { return step > 0; });
  if (isWhole && std::all_of(starts.begin(), starts.end(), [](int64_t start) { return start == 0; })) return data;
  if (isBounded(*data)) return sliceBounded(*data, std::move(starts), std::move(steps), std::move(extents));
  return emit(Op::Slice, {data}, graph::SliceAttributes{std::move(starts), std::move(steps)},
              graph::TensorType{dtype(*data), std::move(extents)});
}

Result Builder::pad(Result data, graph::PadAttributes attributes) {
  bool isNothing = std::all_of(attributes.pads.begin(), attributes.pads.end(), [](int64_t pad) { return pad == 0; });
  if (isNothing) return data;
  const Shape pads = attributes.pads;
  Result result = emit(Op::Pad, {data}, std::move(attributes));
  if (!result.ok() || !isBounded(*data)) return result;
  for (int64_t axis = 0; axis < rank(*data); ++axis) {
    const bool isPadded = pads[static_cast<size_t>(axis)] != 0 || pads[static_cast<size_t>(axis + rank(*data))] != 0;
    if (isPadded && isBounded(*data, axis)) return refuseBounded({data}, "pads of a dim whose size depends on data");
  }
  return mark(result, extents(*data));
}

Result Builder::gather(Result data, Result indices, int64_t axis) {
  if (!data.ok() || !indices.ok()) return data.ok() ? indices : data;
  if (const graph::ConstantData *positions = constant(*indices);
      positions != nullptr && isInteger(dtype(*indices)) && axis < rank(*data)) {
    int64_t extent = shape(*data)[static_cast<size_t>(axis)];
    for (int64_t i = 0; i < positions->type.elements(); ++i) {
      int64_t index = graph::elementAsInteger(*positions, i);
      if (index < -extent || index >= extent) {
        return invalid("index ", index, " is outside the ", extent, " elements of axis ", axis);
      }
    }
  }
  if (areBounded({data, indices})) return gatherBounded(*data, indices, axis);
  return emit(Op::Gather, {data, indices}, graph::AxisAttributes{axis});
}

Result Builder::compute(tensor::Kernel kernel, const std::vector<Result> &operands) {
  HONE_RETURN_IF_ERROR(refuseBounded(operands, "an operand has sizes that depend on data"));
  return computeAs(std::move(kernel), operands);
}

Result Builder::computeBounded(tensor::Kernel kernel, const std::vector<Result> &operands, Extents extents) {
  return mark(computeAs(std::move(kernel), operands), std::move(extents));
}

Result Builder::computeAs(tensor::Kernel kernel, const std::vector<Result> &operands) {
  std::vector<Result> filled;
  for (const Result &operand : operands) {
    if (!operand.ok()) return operand;
    if (!isEmpty(type(*operand))) filled.push_back(operand);
  }
  for (const tensor::Buffer &buffer : kernel.buffers) {
    const graph::TensorType result{buffer.dtype, buffer.shape};
    if (buffer.role != tensor::BufferRole::Output || !isEmpty(result)) continue;
    return constant(graph::makeConstant(result, std::vector<int64_t>()));
  }
  HONE_RETURN_IF_ERROR(dropEmptyParts(kernel));
  return emit(Op::Compute, filled, graph::ComputeAttributes{std::make_shared<const tensor::Kernel>(std::move(kernel))});
}

}  // namespace hone::frontend
