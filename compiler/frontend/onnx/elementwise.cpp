// Arithmetic, comparison and logic on single elements.
#include "compiler/base/status.h"
#include "compiler/frontend/build/conversion.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/frontend/onnx/wide_unary.h"
#include "compiler/graph/print.h"

namespace hone::frontend {

// Before version 7 the second operand had to have the first one's shape, unless the attribute `broadcast` was set: then
// its dims match the dims of the first operand from `axis` on, or its last dims when there is no `axis`.
Result broadcastOperand(NodeContext &node) {
  if (node.version() >= 7) return node.input(1);
  HONE_ASSIGN_OR_RETURN(int64_t isBroadcast, node.integer("broadcast", 0));
  const Shape &a = node.shape(0), &b = node.shape(1);
  if (isBroadcast == 0 || !node.hasAttribute("axis")) {
    // Numpy's rule already aligns last dims. Some old models leave the attribute out where a scalar follows.
    if (isBroadcast == 0 && a != b && node.build.type(node.input(1)).elements() != 1) {
      return invalid("shapes ", graph::shapeText(a), " and ", graph::shapeText(b),
                     " differ, and the attribute 'broadcast', which this version needs, is not set");
    }
    return node.input(1);
  }
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis"));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  int64_t behind = node.rank(0) - axis - node.rank(1);
  if (behind < 0) {
    return invalid("shape ", graph::shapeText(b), " does not fit the dims of ", graph::shapeText(a), " from axis ",
                   axis, " on");
  }
  Shape aligned = b;
  aligned.insert(aligned.end(), static_cast<size_t>(behind), 1);
  return node.build.reshape(node.input(1), aligned);
}

Result importUnary(NodeContext &node, ScalarOp op) { return node.build.apply(op, {node.input(0)}); }

Result importBinary(NodeContext &node, ScalarOp op, bool swapped) {
  Result second = broadcastOperand(node);
  return swapped ? node.build.apply(op, {second, node.input(0)}) : node.build.apply(op, {node.input(0), second});
}

Result importAdd(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(ValueId sum, importBinary(node, ScalarOp::Add, false));
  const ValueId left = node.input(0), right = node.input(1);
  const bool areScaled = node.build.scaledIntegers(left) != nullptr && node.build.scaledIntegers(right) != nullptr;
  if (areScaled) node.build.setSummands(sum, {left, right});
  return sum;
}

Result importVariadic(NodeContext &node, ScalarOp op) {
  Result result = node.input(0);
  for (int i = 1; i < node.inputCount(); ++i) {
    if (!node.has(i)) return invalid("operand ", i, " is missing");
    result = node.build.apply(op, {result, node.input(i)});
  }
  return result;
}

Result importBitShift(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string direction, node.text("direction"));
  if (direction == "LEFT") return importBinary(node, ScalarOp::ShiftLeft, false);
  if (direction == "RIGHT") return importBinary(node, ScalarOp::ShiftRight, false);
  return invalid("attribute 'direction' is '", direction, "', not LEFT or RIGHT");
}

namespace {

absl::StatusOr<Narrowing> readNarrowing(NodeContext &node) {
  Narrowing result;
  HONE_ASSIGN_OR_RETURN(int64_t saturates, node.integer("saturate", 1));
  HONE_ASSIGN_OR_RETURN(std::string mode, node.text("round_mode", "up"));
  result.saturates = saturates != 0;
  if (mode == "down") {
    result.powersOfTwo = RoundMode::Down;
  } else if (mode == "nearest") {
    result.powersOfTwo = RoundMode::Nearest;
  } else if (mode != "up") {
    return invalid("attribute 'round_mode' is '", mode, "', not up, down or nearest");
  }
  return result;
}

}  // namespace

Result importCast(NodeContext &node) {
  if (node.version() < 6) {
    HONE_ASSIGN_OR_RETURN(std::string name, node.text("to"));
    onnx::TensorProto::DataType type;
    if (!onnx::TensorProto::DataType_Parse(name, &type)) return invalid("element type '", name, "' is unknown");
    HONE_ASSIGN_OR_RETURN(DType dtype, readDType(type));
    return node.build.cast(node.input(0), dtype);
  }
  HONE_ASSIGN_OR_RETURN(int64_t to, node.integer("to"));
  HONE_ASSIGN_OR_RETURN(ElementType type, readElementType(to));
  HONE_ASSIGN_OR_RETURN(Narrowing narrowing, readNarrowing(node));
  return converted(node.build, node.input(0), type, narrowing);
}

Result importCastLike(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Narrowing narrowing, readNarrowing(node));
  return converted(node.build, node.input(0), node.elementType(1), narrowing);
}

Result importBitCast(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t to, node.integer("to"));
  HONE_ASSIGN_OR_RETURN(ElementType type, readElementType(to));
  const ElementType from = node.elementType(0);
  if (bitsOf(from) != bitsOf(type)) {
    return invalid("elements of type ", std::string(name(from)), " have ", bitsOf(from), " bits, those of type ",
                   std::string(name(type)), " have ", bitsOf(type));
  }
  return bitsAs(node.build, node.input(0), type);
}

Result importIsNan(NodeContext &node) {
  return node.build.apply(ScalarOp::IsNan, {plainNumbers(node.build, node.input(0), DType::F32)});
}

Result importIsInf(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(ValueId x, plainNumbers(build, node.input(0), DType::F32));
  HONE_ASSIGN_OR_RETURN(int64_t negative, node.integer("detect_negative", 1));
  HONE_ASSIGN_OR_RETURN(int64_t positive, node.integer("detect_positive", 1));
  Result isInfinite = build.apply(ScalarOp::IsInf, {x});
  if (negative != 0 && positive != 0) return isInfinite;
  if (negative == 0 && positive == 0) return build.apply(ScalarOp::Xor, {isInfinite, isInfinite});
  Result zero = build.number(build.dtype(x), 0);
  Result hasSign = positive != 0 ? build.apply(ScalarOp::Less, {zero, x}) : build.apply(ScalarOp::Less, {x, zero});
  return build.apply(ScalarOp::And, {isInfinite, hasSign});
}

Result importMean(NodeContext &node) {
  Builder &build = node.build;
  DType dtype = node.dtype(0), wide = widened(dtype);
  Result sum = build.cast(node.input(0), wide);
  for (int i = 1; i < node.inputCount(); ++i) {
    if (!node.has(i)) return invalid("operand ", i, " is missing");
    sum = build.apply(ScalarOp::Add, {sum, build.cast(node.input(i), wide)});
  }
  return build.cast(build.apply(ScalarOp::Div, {sum, build.number(wide, node.inputCount())}), dtype);
}

Result importMod(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t likeC, node.integer("fmod", 0));
  return importBinary(node, likeC != 0 ? ScalarOp::TruncMod : ScalarOp::FloorMod, false);
}

namespace {

/// The nearest integer where \p value, a float64, is off by its last bits alone: 3^6 may come out as 729 - 1e-13, of
/// which a cast to an integer would make 728.
Result snapToInteger(Builder &build, Result value) {
  Result nearest = build.apply(ScalarOp::Round, {value});
  Result distance = build.apply(ScalarOp::Abs, {build.apply(ScalarOp::Sub, {value, nearest})});
  Result slack = build.apply(ScalarOp::Mul, {build.apply(ScalarOp::Abs, {value}), build.number(DType::F64, 0x1p-48)});
  return build.apply(ScalarOp::Select, {build.apply(ScalarOp::LessEqual, {distance, slack}), nearest, value});
}

}  // namespace

// The result has the base's dtype, whatever the exponent's is. Integers to the power of integers are exact and wrap;
// with a float on either side, the wider one decides.
Result importPow(NodeContext &node) {
  Builder &build = node.build;
  DType dtype = node.dtype(0), exponentType = node.dtype(1);
  DType computed = widened(dtype);
  if (!isFloat(dtype)) {
    computed = isFloat(exponentType) ? DType::F64 : dtype == DType::U64 ? DType::U64 : DType::I64;
  } else if (exponentType == DType::F64) {
    computed = DType::F64;
  }
  Result exponent = build.cast(broadcastOperand(node), computed);
  Result power = build.apply(ScalarOp::Pow, {build.cast(node.input(0), computed), exponent});
  if (!isFloat(dtype) && isFloat(computed)) power = snapToInteger(build, power);
  return build.cast(power, dtype);
}

Result importReciprocal(NodeContext &node) {
  return node.build.apply(ScalarOp::Div, {node.build.number(node.dtype(0), 1), node.input(0)});
}

Result importWhere(NodeContext &node) {
  return node.build.apply(ScalarOp::Select, {node.input(0), node.input(1), node.input(2)});
}

}  // namespace hone::frontend
