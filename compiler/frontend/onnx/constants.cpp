// Operators whose results follow from attributes and shapes alone.
#include "compiler/graph/constants.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/tensor/host_tensor.h"

namespace hone::frontend {
namespace {

constexpr int64_t kLongestRange = 1 << 20;

template <typename T>
Result list(NodeContext &node, DType dtype, const std::vector<T> &values) {
  return node.build.constant(graph::makeConstant({dtype, {static_cast<int64_t>(values.size())}}, values));
}

Result integerRange(NodeContext &node, const std::vector<graph::Constant> &ends) {
  // Differences of 64-bit integers need 65 bits.
  using Wide = __int128;
  Wide start = graph::elementAsInteger(*ends[0], 0), limit = graph::elementAsInteger(*ends[1], 0);
  Wide delta = graph::elementAsInteger(*ends[2], 0);
  if (delta == 0) return invalid("the step is 0");
  Wide away = delta > 0 ? limit - start : start - limit, step = delta > 0 ? delta : -delta;
  Wide count = away <= 0 ? 0 : (away + step - 1) / step;
  if (count > kLongestRange) return unsupported("a range of more than ", kLongestRange, " elements");
  std::vector<int64_t> values;
  for (Wide i = 0; i < count; ++i) values.push_back(static_cast<int64_t>(start + i * delta));
  return list(node, node.dtype(0), values);
}

/// The type in which the elements are computed: of 16-bit floats the one that the model names, from version 27 on.
absl::StatusOr<DType> rangeType(const NodeContext &node) {
  if (sizeOf(node.dtype(0)) > 2) return DType::F64;
  HONE_ASSIGN_OR_RETURN(const ElementType type, node.elementType("stash_type", DType::F32));
  if (!type.narrow && isFloat(type.dtype)) return type.dtype;
  return invalid("attribute 'stash_type' names ", std::string(name(type)), ", which is no float of 16 bits or more");
}

Result floatRange(NodeContext &node, const std::vector<graph::Constant> &ends) {
  HONE_ASSIGN_OR_RETURN(const DType computed, rangeType(node));
  const auto rounded = [&](double value) { return tensor::roundTo(computed, value); };
  double start = graph::elementAsDouble(*ends[0], 0), limit = graph::elementAsDouble(*ends[1], 0);
  double delta = graph::elementAsDouble(*ends[2], 0);
  double count = std::ceil(rounded(rounded(limit - start) / delta));
  if (!std::isfinite(count) || !std::isfinite(start)) return invalid("start, limit and step do not make a range");
  if (count > kLongestRange) return unsupported("a range of more than ", kLongestRange, " elements");
  std::vector<double> values;
  for (int64_t i = 0; i < static_cast<int64_t>(count); ++i) {
    values.push_back(rounded(start + rounded(static_cast<double>(i) * delta)));
  }
  return list(node, node.dtype(0), values);
}

/// A range of integers some of whose ends are known at run time only.
Result rangeAtRunTime(NodeContext &node, int64_t step) {
  Builder &build = node.build;
  const DType dtype = node.dtype(0);
  const auto end = [&](int position) { return build.cast(build.reshape(node.input(position), {}), DType::I64); };
  const Result start = end(0), away = step > 0 ? build.apply(ScalarOp::Sub, {end(1), start})
                                               : build.apply(ScalarOp::Sub, {start, end(1)});
  const int64_t stride = step > 0 ? step : -step;
  Result extent = build.apply(ScalarOp::Max, {away, build.integer(DType::I64, 0)});
  extent = build.apply(ScalarOp::Add, {extent, build.integer(DType::I64, stride - 1)});
  HONE_ASSIGN_OR_RETURN(ValueId size, build.apply(ScalarOp::Div, {extent, build.integer(DType::I64, stride)}));
  const std::optional<int64_t> most = highest(build, size);
  if (!most) return unsupported("nothing bounds the length of a range whose ends depend on the inputs' contents");
  if (*most > kLongestRange) return unsupported("a range of up to ", *most, " elements; at most ", kLongestRange);
  const Result place = build.apply(ScalarOp::Mul, {count(build, *most), build.integer(DType::I64, step)});
  return build.bounded(build.cast(build.apply(ScalarOp::Add, {place, start}), dtype), {size});
}

}  // namespace

Result importConstant(NodeContext &node) {
  Builder &build = node.build;
  if (node.hasAttribute("value")) return node.tensorValue("value");
  if (node.hasAttribute("value_int")) {
    HONE_ASSIGN_OR_RETURN(int64_t value, node.integer("value_int"));
    return build.integer(DType::I64, value);
  }
  if (node.hasAttribute("value_float")) {
    HONE_ASSIGN_OR_RETURN(double value, node.real("value_float"));
    return build.number(DType::F32, value);
  }
  if (node.hasAttribute("value_ints")) {
    HONE_ASSIGN_OR_RETURN(std::vector<int64_t> values, node.integers("value_ints"));
    return list(node, DType::I64, values);
  }
  if (node.hasAttribute("value_floats")) {
    HONE_ASSIGN_OR_RETURN(std::vector<double> values, node.reals("value_floats"));
    return list(node, DType::F32, values);
  }
  if (node.hasAttribute("sparse_value")) {
    HONE_ASSIGN_OR_RETURN(graph::Constant value, node.sparseTensor("sparse_value"));
    return build.constant(std::move(value));
  }
  for (const char *name : {"value_string", "value_strings"}) {
    if (node.hasAttribute(name)) return unsupported("a constant given by the attribute '", name, "'");
  }
  return invalid("the attribute 'value' is missing");
}

Result importConstantOfShape(NodeContext &node) {
  Builder &build = node.build;
  Result element = build.number(DType::F32, 0);
  if (node.hasAttribute("value")) {
    HONE_ASSIGN_OR_RETURN(const ValueId value, node.tensorValue("value"));
    const int64_t elements = build.type(value).elements();
    if (elements != 1) return invalid("attribute 'value' has ", elements, " elements");
    element = build.reshape(value, {});
  }
  if (build.numbers(node.input(0)) != nullptr && element.ok()) {
    HONE_ASSIGN_OR_RETURN(std::vector<ValueId> sizes, elementsOf(build, node.input(0)));
    return expandTo(build, *element, sizes);
  }
  HONE_ASSIGN_OR_RETURN(Shape shape, node.constantIntegers(0, "shape"));
  HONE_RETURN_IF_ERROR(checkedElements(shape, node.limits()).status());
  return build.broadcast(element, shape);
}

Result importRange(NodeContext &node) {
  std::vector<graph::Constant> ends;
  constexpr const char *kNames[] = {"start", "limit", "delta"};
  const auto isRunTime = [&](int i) { return node.build.numbers(node.input(i)) != nullptr; };
  if (isInteger(node.dtype(0)) && (isRunTime(0) || isRunTime(1))) {
    HONE_ASSIGN_OR_RETURN(int64_t step, node.constantInteger(2, "delta"));
    if (step == 0 || step == std::numeric_limits<int64_t>::min()) return invalid("the step is ", step);
    return rangeAtRunTime(node, step);
  }
  for (int i = 0; i < 3; ++i) {
    HONE_ASSIGN_OR_RETURN(const graph::ConstantData *constant, node.constantInput(i, kNames[i]));
    if (constant->type.elements() != 1) return invalid("operand ", i, " (", kNames[i], ") is not a scalar");
    if (constant->type.dtype != node.dtype(0)) return invalid("the operands differ in their element types");
    ends.push_back(std::make_shared<graph::ConstantData>(*constant));
  }
  if (node.dtype(0) == DType::Bool) return invalid("there is no range of bools");
  return isFloat(node.dtype(0)) ? floatRange(node, ends) : integerRange(node, ends);
}

Result importShape(NodeContext &node) {
  const Shape &shape = node.shape(0);
  int64_t rank = node.rank(0);
  HONE_ASSIGN_OR_RETURN(int64_t start, node.integer("start", 0));
  HONE_ASSIGN_OR_RETURN(int64_t end, node.integer("end", rank));
  auto position = [&](int64_t index) { return std::clamp<int64_t>(index < 0 ? index + rank : index, 0, rank); };
  start = position(start);
  end = std::max(position(end), start);
  if (!node.build.isBounded(node.input(0)))
    return node.build.integers(Shape(shape.begin() + start, shape.begin() + end));
  std::vector<ValueId> sizes;
  for (int64_t axis = start; axis < end; ++axis) {
    HONE_ASSIGN_OR_RETURN(sizes.emplace_back(), sizeOf(node.build, node.input(0), axis));
  }
  return listOf(node.build, sizes);
}

Result importSize(NodeContext &node) {
  Builder &build = node.build;
  if (!build.isBounded(node.input(0))) return build.integer(DType::I64, build.type(node.input(0)).elements());
  Result size = build.integer(DType::I64, 1);
  for (int64_t axis = 0; axis < node.rank(0); ++axis) {
    size = build.apply(ScalarOp::Mul, {size, sizeOf(build, node.input(0), axis)});
  }
  return size;
}

}  // namespace hone::frontend
