// The Builder's ops on values some of whose dims are bounds (bounded_dims.h): what each op makes of the padding, and
// the extents of its result.
#include <algorithm>
#include <limits>
#include <utility>

#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {

using graph::Op;
using graph::ReduceKind;

namespace {

bool areStatic(const Extents &extents) {
  return std::all_of(extents.begin(), extents.end(), [](ValueId extent) { return extent < 0; });
}

absl::Status refusal(std::string_view what) {
  return unsupported(std::string(what), "; make the size fixed in front of it, for example by TopK with a constant k");
}

}  // namespace

bool Builder::isBounded(ValueId value, int64_t axis) const {
  const Extents &extents = bounds_.extents(value);
  return !extents.empty() && extents[static_cast<size_t>(axis)] >= 0;
}

bool Builder::areBounded(const std::vector<Result> &operands) const {
  return std::any_of(operands.begin(), operands.end(),
                     [&](const Result &operand) { return operand.ok() && isBounded(*operand); });
}

Extents Builder::allExtents(ValueId value) const {
  return isBounded(value) ? extents(value) : Extents(shape(value).size(), -1);
}

Result Builder::mark(Result value, Extents extents) {
  if (!value.ok() || areStatic(extents)) return value;
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    if (extents[axis] < 0) continue;
    const int64_t bound = shape(*value)[axis];
    const int64_t low = std::clamp<int64_t>(lowest(*this, extents[axis]).value_or(0), 0, bound);
    setRange(extents[axis], low, std::clamp(highest(*this, extents[axis]).value_or(bound), low, bound));
  }
  bounds_.setExtents(*value, std::move(extents));
  return value;
}

void Builder::setRange(ValueId value, int64_t low, int64_t high) {
  const auto number = [](int64_t n) { return graph::makeConstant({DType::I64, {}}, std::vector<int64_t>{n}); };
  const KnownNumbers *known = numbers(value);
  bounds_.setNumbers(value, {number(low), number(high), number(value), known != nullptr && known->isOfData});
}

const graph::Node *Builder::recentProducer(ValueId value) const {
  constexpr size_t kRecent = 256;
  for (size_t back = 1; back <= std::min(kRecent, graph_.nodes.size()); ++back) {
    const graph::Node &node = graph_.nodes[graph_.nodes.size() - back];
    if (node.output == value) return &node;
  }
  return nullptr;
}

ValueId Builder::copiedInteger(ValueId value) const {
  for (;;) {
    const graph::Node *node = recentProducer(value);
    const bool isCopy = node != nullptr && (node->op == Op::Reshape || node->op == Op::Cast) &&
                        type(value).elements() == 1 && dtype(value) == DType::I64 &&
                        dtype(node->inputs[0]) == DType::I64;
    if (!isCopy) return value;
    value = node->inputs[0];
  }
}

std::optional<int64_t> Builder::distance(ValueId from, ValueId to) const {
  from = copiedInteger(from);
  const graph::Node *sum = recentProducer(copiedInteger(to));
  const auto *function = sum == nullptr ? nullptr : std::get_if<graph::ElementwiseAttributes>(&sum->attributes);
  if (function == nullptr || function->op != ScalarOp::Add) return std::nullopt;
  for (const size_t place : {size_t{0}, size_t{1}}) {
    const graph::ConstantData *added = constant(sum->inputs[1 - place]);
    if (added == nullptr || added->type.elements() != 1 || copiedInteger(sum->inputs[place]) != from) continue;
    return graph::elementAsInteger(*added, 0);
  }
  return std::nullopt;
}

Result Builder::bounded(Result value, Extents extents) {
  if (!value.ok()) return value;
  Shape kept = shape(*value);
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    if (extents[axis] < 0 || constant(extents[axis]) == nullptr) continue;
    kept[axis] = std::clamp<int64_t>(graph::elementAsInteger(*constant(extents[axis]), 0), 0, kept[axis]);
    extents[axis] = -1;
  }
  if (kept != shape(*value)) {
    value = emit(Op::Slice, {value}, graph::SliceAttributes{Shape(kept.size(), 0), Shape(kept.size(), 1)},
                 graph::TensorType{dtype(*value), kept});
  }
  if (!value.ok() || areStatic(extents)) return value;
  // A value of its own: whoever else reads this one sees all of it.
  return mark(emit(Op::Reshape, {value}, std::monostate(), type(*value)), std::move(extents));
}

Result Builder::prefix(ValueId value, int64_t axis, int64_t count) {
  Shape starts(shape(value).size(), 0), steps(starts.size(), 1), kept = shape(value);
  kept[static_cast<size_t>(axis)] = count;
  return slice(value, starts, steps, kept);
}

absl::StatusOr<ValueId> Builder::alignDim(std::vector<ValueId> &operands, size_t behind) {
  int64_t least = std::numeric_limits<int64_t>::max(), fixed = 1;
  ValueId extent = -1;
  bool isWide = false;
  const auto axisOf = [&](ValueId operand) { return rank(operand) - 1 - static_cast<int64_t>(behind); };
  for (ValueId operand : operands) {
    const int64_t axis = axisOf(operand);
    if (axis < 0) continue;
    const int64_t own = shape(operand)[static_cast<size_t>(axis)];
    if (!isBounded(operand, axis)) {
      fixed = std::max(fixed, own);
      continue;
    }
    // A dim that is at most 1 spreads over a longer one.
    if (extent < 0 || (own > 1 && !isWide)) extent = extents(operand)[static_cast<size_t>(axis)];
    if (own > 1) least = std::min(least, own);
    isWide = isWide || own > 1;
  }
  if (extent < 0) return extent;
  if (fixed > 1) return refusal(absl::StrCat("a dim of ", fixed, " elements meets one whose size depends on data"));
  for (ValueId &operand : operands) {
    const int64_t axis = axisOf(operand);
    if (axis < 0 || shape(operand)[static_cast<size_t>(axis)] <= least) continue;
    HONE_ASSIGN_OR_RETURN(operand, prefix(operand, axis, least));
  }
  return extent;
}

Result Builder::applyBounded(ScalarOp op, const std::vector<Result> &operands) {
  std::vector<ValueId> values;
  size_t most = 0;
  for (const Result &operand : operands) {
    if (!operand.ok()) return operand;
    values.push_back(*operand);
    most = std::max(most, shape(*operand).size());
  }
  Extents extents(most, -1);
  for (size_t behind = 0; behind < most; ++behind) {
    HONE_ASSIGN_OR_RETURN(extents[most - 1 - behind], alignDim(values, behind));
  }
  return mark(emit(Op::Elementwise, {values.begin(), values.end()}, graph::ElementwiseAttributes{op}),
              std::move(extents));
}

Result Builder::withoutPadding(ValueId value, const std::vector<int64_t> &axes, const Result &fill) {
  HONE_ASSIGN_OR_RETURN(std::optional<ValueId> isThere, trueElements(*this, value, axes));
  if (!isThere) return value;
  // The mask has the value's bounds, and so has what is chosen.
  return mark(emit(Op::Elementwise, {*isThere, value, fill}, graph::ElementwiseAttributes{ScalarOp::Select}),
              extents(value));
}

Result Builder::reduceBounded(ReduceKind kind, ValueId data, const std::vector<int64_t> &axes, bool keepDims) {
  const bool isMean = kind == ReduceKind::Mean;
  if (isMean && !isFloat(dtype(data))) return refusal("the mean of integers whose number depends on data");
  const ReduceKind folded = isMean ? ReduceKind::Sum : kind;
  HONE_ASSIGN_OR_RETURN(ValueId filled, withoutPadding(data, axes, reductionOfNothing(folded, dtype(data))));
  Extents kept;
  Result count = integer(DType::I64, 1);
  for (int64_t axis = 0; axis < rank(data); ++axis) {
    const bool isReduced = std::binary_search(axes.begin(), axes.end(), axis);
    if (isReduced) count = apply(ScalarOp::Mul, {count, sizeOf(*this, data, axis)});
    if (!isReduced || keepDims) kept.push_back(isReduced ? -1 : allExtents(data)[static_cast<size_t>(axis)]);
  }
  Result result = mark(emit(Op::Reduce, {filled}, graph::ReduceAttributes{folded, axes, keepDims}), kept);
  return isMean ? apply(ScalarOp::Div, {result, cast(count, dtype(data))}) : result;
}

Result Builder::matMulBounded(ValueId a, ValueId b, bool transposeA, bool transposeB) {
  const int64_t rowsOfA = rank(a) - 2, columnsOfB = rank(b) - 1;
  const int64_t innerOfA = transposeA ? rank(a) - 2 : rank(a) - 1, innerOfB = transposeB ? rank(b) - 1 : rank(b) - 2;
  const Result zero = number(dtype(a), 0);
  HONE_ASSIGN_OR_RETURN(a, withoutPadding(a, {innerOfA}, zero));
  HONE_ASSIGN_OR_RETURN(b, withoutPadding(b, {innerOfB}, zero));
  const int64_t inner = std::min(shape(a)[static_cast<size_t>(innerOfA)], shape(b)[static_cast<size_t>(innerOfB)]);
  if (isBounded(a, innerOfA)) {
    HONE_ASSIGN_OR_RETURN(a, prefix(a, innerOfA, inner));
  }
  if (isBounded(b, innerOfB)) {
    HONE_ASSIGN_OR_RETURN(b, prefix(b, innerOfB, inner));
  }
  const int64_t most = std::max(rank(a), rank(b));
  Extents extents(static_cast<size_t>(most), -1);
  std::vector<ValueId> operands = {a, b};
  for (size_t behind = 2; behind < extents.size(); ++behind) {
    HONE_ASSIGN_OR_RETURN(extents[extents.size() - 1 - behind], alignDim(operands, behind));
  }
  extents[extents.size() - 2] = allExtents(a)[static_cast<size_t>(transposeA ? rowsOfA + 1 : rowsOfA)];
  extents[extents.size() - 1] = allExtents(b)[static_cast<size_t>(transposeB ? columnsOfB - 1 : columnsOfB)];
  return mark(emit(Op::MatMul, {operands[0], operands[1]}, graph::MatMulAttributes{transposeA, transposeB}),
              std::move(extents));
}

Result Builder::windowBounded(const Result &result, const std::vector<Result> &operands) {
  const bool isBatch =
      isBounded(*operands[0]) &&
      std::none_of(operands.begin() + 1, operands.end(), [&](const Result &operand) { return isBounded(*operand); });
  for (int64_t axis = 1; axis < rank(*operands[0]); ++axis) {
    if (!isBatch || isBounded(*operands[0], axis)) return refusal("windows over a dim whose size depends on data");
  }
  if (!result.ok()) return result;
  Extents extents(shape(*result).size(), -1);
  extents[0] = this->extents(*operands[0])[0];
  return mark(result, std::move(extents));
}

Result Builder::softmaxBounded(Op op, ValueId data, int64_t axis) {
  const Result lowest = number(dtype(data), -std::numeric_limits<double>::infinity());
  HONE_ASSIGN_OR_RETURN(ValueId filled, withoutPadding(data, {axis}, lowest));
  return mark(emit(op, {filled}, graph::AxisAttributes{axis}), extents(data));
}

Result Builder::reshapeBounded(ValueId data, const Shape &shape) {
  const graph::TensorType result{dtype(data), shape};
  std::optional<Extents> extents;
  HONE_ASSIGN_OR_RETURN(extents, reshapedExtents(*this, data, shape));
  if (extents) return mark(emit(Op::Reshape, {data}, std::monostate(), result), *std::move(extents));
  HONE_ASSIGN_OR_RETURN(ValueId flat, flattened(*this, data));
  HONE_ASSIGN_OR_RETURN(extents, reshapedExtents(*this, flat, shape));
  if (!extents) {
    return refusal(absl::StrCat("the reshape of ", graph::typeText(type(data)), ", whose sizes depend on data, to ",
                                graph::shapeText(shape)));
  }
  return mark(emit(Op::Reshape, {flat}, std::monostate(), result), *std::move(extents));
}

Result Builder::asBounds(ValueId data, const Shape &shape) {
  if (!isBounded(data) && this->shape(data) == shape) return data;
  return emit(Op::Reshape, {data}, std::monostate(), graph::TensorType{dtype(data), shape});
}

Result Builder::withDimsOf(ValueId part, const std::vector<Result> &parts, int64_t axis) {
  if (!isBounded(part)) return part;
  Extents extents = this->extents(part);
  // All parts agree in these dims, or the model has no meaning: the extents of one that knows them are those of all.
  bool isNews = false;
  for (int64_t d = 0; d < rank(part); ++d) {
    const auto along = static_cast<size_t>(d);
    if (d == axis || extents[along] < 0) continue;
    for (const Result &other : parts) {
      if (rank(*other) != rank(part) || isBounded(*other, d)) continue;
      const int64_t known = shape(*other)[along];
      if (known == 0) continue;
      if (known > shape(part)[along]) {
        return invalid("dim ", d, " of a part has at most ", shape(part)[along], " elements, and ", known,
                       " of another");
      }
      HONE_ASSIGN_OR_RETURN(extents[along], integer(DType::I64, known));
      isNews = true;
      break;
    }
  }
  return isNews ? bounded(asBounds(part, shape(part)), std::move(extents)) : Result(part);
}

Result Builder::concatBounded(const std::vector<Result> &parts, int64_t axis) {
  std::vector<ValueId> values;
  for (const Result &part : parts) values.push_back(*part);
  const size_t most = shape(values[0]).size(), along = static_cast<size_t>(axis);
  Extents extents(most, -1);
  for (size_t d = 0; d < most; ++d) {
    if (d == along) continue;
    HONE_ASSIGN_OR_RETURN(extents[d], alignDim(values, most - 1 - d));
  }
  Result padded = emit(Op::Concat, {values.begin(), values.end()}, graph::AxisAttributes{axis});
  const bool isCounted = std::any_of(values.begin(), values.end(), [&](ValueId part) { return isBounded(part, axis); });
  if (!isCounted) return mark(padded, std::move(extents));
  // Which element of the padded parts comes at each place: parts follow one another without their padding.
  HONE_ASSIGN_OR_RETURN(ValueId all, padded);
  const Result place = count(*this, shape(all)[along]);
  Result from = place, end = integer(DType::I64, 0);
  int64_t paddedEnd = 0;
  for (ValueId part : values) {
    // In this part or a later one: as far behind the part's begin as the place is.
    const Result inPart = apply(ScalarOp::Add, {apply(ScalarOp::Sub, {place, end}), integer(DType::I64, paddedEnd)});
    from = apply(ScalarOp::Select, {apply(ScalarOp::Less, {place, end}), from, inPart});
    end = apply(ScalarOp::Add, {end, sizeOf(*this, part, axis)});
    paddedEnd += shape(part)[along];
  }
  HONE_ASSIGN_OR_RETURN(extents[along], end);
  from = apply(ScalarOp::Min, {from, integer(DType::I64, paddedEnd - 1)});
  return bounded(emit(Op::Gather, {padded, from}, graph::AxisAttributes{axis}), std::move(extents));
}

Result Builder::sliceBounded(ValueId data, Shape starts, Shape steps, Shape kept) {
  Extents extents = this->extents(data);
  for (size_t d = 0; d < kept.size(); ++d) {
    if (extents[d] < 0 || (kept[d] == shape(data)[d] && steps[d] == 1)) continue;
    if (starts[d] != 0 || steps[d] != 1) return refusal("a part of a dim whose size depends on data");
    HONE_ASSIGN_OR_RETURN(extents[d], apply(ScalarOp::Min, {extents[d], integer(DType::I64, kept[d])}));
  }
  return mark(emit(Op::Slice, {data}, graph::SliceAttributes{std::move(starts), std::move(steps)},
                   graph::TensorType{dtype(data), std::move(kept)}),
              std::move(extents));
}

Result Builder::gatherBounded(ValueId data, Result indices, int64_t axis) {
  if (isBounded(data, axis)) {
    // Negative indices count from the true end.
    const Result zero = integer(dtype(*indices), 0), size = cast(sizeOf(*this, data, axis), dtype(*indices));
    const Result fromEnd = apply(ScalarOp::Add, {indices, size});
    indices = apply(ScalarOp::Select, {apply(ScalarOp::Less, {indices, zero}), fromEnd, indices});
    if (!indices.ok()) return indices;
  }
  const Extents outer = allExtents(data), inner = allExtents(*indices);
  Extents extents(outer.begin(), outer.begin() + axis);
  extents.insert(extents.end(), inner.begin(), inner.end());
  extents.insert(extents.end(), outer.begin() + axis + 1, outer.end());
  return mark(emit(Op::Gather, {data, indices}, graph::AxisAttributes{axis}), std::move(extents));
}

absl::Status Builder::refuseBounded(const std::vector<Result> &operands, std::string_view what) const {
  return areBounded(operands) ? refusal(what) : absl::OkStatus();
}

}  // namespace hone::frontend
