// Activation functions, written out in scalar operations.
#include "compiler/frontend/onnx/activation.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/wide_unary.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

Result hardSigmoidOf(const WideUnary &wide, double alpha, double beta) {
  Result scaled = wide.apply(Op::Mul, {wide.x(), wide.number(alpha)});
  Result line = wide.apply(Op::Add, {scaled, wide.number(beta)});
  Result above = wide.apply(Op::Max, {line, wide.number(0)});
  return wide.apply(Op::Min, {above, wide.number(1)});
}

/// log(1 + exp(x)), written so that exp cannot overflow: max(x, 0) + log(1 + exp(-|x|))
Result softplus(const WideUnary &wide) {
  Result small = wide.apply(Op::Exp, {wide.apply(Op::Neg, {wide.magnitude()})});
  Result positive = wide.apply(Op::Max, {wide.x(), wide.number(0)});
  return wide.apply(Op::Add, {positive, wide.apply(Op::Log1p, {small})});
}

/// x where it is not negative, else alpha (exp(x) - 1)
Result elu(const WideUnary &wide, double alpha) {
  Result negative = wide.apply(Op::Mul, {wide.apply(Op::Expm1, {wide.x()}), wide.number(alpha)});
  return wide.bySign(negative, wide.x());
}

/// 1 / (1 + exp(-x)) of a value as wide as the formula.
Result sigmoidOf(const WideUnary &wide, const Result &x) {
  Result one = wide.number(1);
  Result exponential = wide.apply(Op::Exp, {wide.apply(Op::Neg, {x})});
  return wide.apply(Op::Div, {one, wide.apply(Op::Add, {exponential, one})});
}

/// x / 2 (1 + \p curve)
Result halfWith(const WideUnary &wide, const Result &curve) {
  Result half = wide.apply(Op::Mul, {wide.x(), wide.number(0.5)});
  return wide.narrow(wide.apply(Op::Mul, {half, wide.apply(Op::Add, {curve, wide.number(1)})}));
}

}  // namespace

Result gelu(Builder &build, Result x) {
  if (!x.ok()) return x;
  WideUnary wide(build, *x);
  return halfWith(wide, wide.apply(Op::Erf, {wide.apply(Op::Mul, {wide.x(), wide.number(std::numbers::sqrt2 / 2)})}));
}

Result tanhGelu(Builder &build, Result x) {
  if (!x.ok()) return x;
  WideUnary wide(build, *x);
  Result square = wide.apply(Op::Mul, {wide.x(), wide.x()});
  Result slope = wide.apply(Op::Add, {wide.apply(Op::Mul, {square, wide.number(0.044715)}), wide.number(1)});
  Result line = wide.apply(Op::Mul, {wide.x(), wide.number(std::sqrt(2 / std::numbers::pi))});
  return halfWith(wide, wide.apply(Op::Tanh, {wide.apply(Op::Mul, {line, slope})}));
}

Result sigmoid(Builder &build, Result x) {
  if (!x.ok()) return x;
  WideUnary wide(build, *x);
  return wide.narrow(sigmoidOf(wide, wide.x()));
}

Result swish(Builder &build, Result x, double alpha) {
  if (!x.ok()) return x;
  WideUnary wide(build, *x);
  Result scaled = alpha == 1 ? wide.x() : wide.apply(Op::Mul, {wide.x(), wide.number(alpha)});
  return wide.narrow(wide.apply(Op::Mul, {wide.x(), sigmoidOf(wide, scaled)}));
}

Result leakyRelu(Builder &build, Result x, double alpha) {
  if (!x.ok()) return x;
  WideUnary wide(build, *x);
  return wide.narrow(wide.bySign(wide.apply(Op::Mul, {wide.x(), wide.number(alpha)}), wide.x()));
}

Result hardSigmoid(Builder &build, Result x, double alpha, double beta) {
  if (!x.ok()) return x;
  WideUnary wide(build, *x);
  return wide.narrow(hardSigmoidOf(wide, alpha, beta));
}

Result importRelu(NodeContext &node) {
  return node.build.apply(Op::Max, {node.input(0), node.build.number(node.dtype(0), 0)});
}

Result importLeakyRelu(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 0.01F));
  return leakyRelu(node.build, node.input(0), alpha);
}

Result importPRelu(NodeContext &node) {
  Builder &build = node.build;
  Result slope = node.input(1);
  // Before version 7 a list of slopes has one per channel, the second dim.
  if (node.version() < 7 && node.rank(1) == 1 && node.rank(0) > 1) {
    Shape aligned(static_cast<size_t>(node.rank(0)) - 1, 1);
    aligned[0] = node.shape(1)[0];
    slope = build.reshape(slope, aligned);
  }
  WideUnary wide(node);
  return wide.narrow(wide.bySign(wide.apply(Op::Mul, {wide.x(), build.cast(slope, wide.dtype())}), wide.x()));
}

Result importThresholdedRelu(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  WideUnary wide(node);
  Result isAbove = wide.apply(Op::Less, {wide.number(alpha), wide.x()});
  return wide.narrow(wide.apply(Op::Select, {isAbove, wide.x(), wide.number(0)}));
}

// Nearer to 0 by `bias`, and 0 from -lambd to lambd. Integers are computed as floats, as the attributes are.
Result importShrink(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double lambda, node.real("lambd", 0.5));
  HONE_ASSIGN_OR_RETURN(double bias, node.real("bias", 0.0));
  DType dtype = node.dtype(0), computed = isFloat(dtype) ? (dtype == DType::F64 ? dtype : DType::F32) : DType::F64;
  Result x = build.cast(node.input(0), computed);
  auto number = [&](double value) { return build.number(computed, value); };
  Result isBelow = build.apply(Op::Less, {x, number(-lambda)}), isAbove = build.apply(Op::Less, {number(lambda), x});
  Result raised = build.apply(Op::Add, {x, number(bias)}), lowered = build.apply(Op::Sub, {x, number(bias)});
  Result outside = build.apply(Op::Select, {isAbove, lowered, number(0)});
  return build.cast(build.apply(Op::Select, {isBelow, raised, outside}), dtype);
}

Result importElu(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  WideUnary wide(node);
  return wide.narrow(elu(wide, alpha));
}

// max(0, x) + min(0, alpha (exp(x / alpha) - 1))
Result importCelu(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  WideUnary wide(node);
  Result scale = wide.number(alpha);
  Result power = wide.apply(Op::Expm1, {wide.apply(Op::Div, {wide.x(), scale})});
  return wide.narrow(wide.bySign(wide.apply(Op::Mul, {power, scale}), wide.x()));
}

Result importSelu(NodeContext &node) {
  bool isFirst = node.version() < 6;
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", isFirst ? 1.6732F : 1.67326319217681884765625F));
  HONE_ASSIGN_OR_RETURN(double gamma, node.real("gamma", isFirst ? 1.0507F : 1.05070102214813232421875F));
  WideUnary wide(node);
  return wide.narrow(wide.apply(Op::Mul, {elu(wide, alpha), wide.number(gamma)}));
}

Result importSigmoid(NodeContext &node) { return sigmoid(node.build, node.input(0)); }

Result importSwish(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  return swish(node.build, node.input(0), alpha);
}

Result importSwiGlu(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  if (node.shape(0) != node.shape(1)) {
    return invalid("the gate ", graph::shapeText(node.shape(0)), " and the data ", graph::shapeText(node.shape(1)),
                   " differ");
  }
  return node.build.apply(Op::Mul, {swish(node.build, node.input(0), alpha), node.input(1)});
}

Result importGelu(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(size_t approximation, node.choice("approximate", {"none", "tanh"}));
  return approximation == 0 ? gelu(node.build, node.input(0)) : tanhGelu(node.build, node.input(0));
}

Result importHardSigmoid(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 0.2F));
  HONE_ASSIGN_OR_RETURN(double beta, node.real("beta", 0.5));
  return hardSigmoid(node.build, node.input(0), alpha, beta);
}

Result importHardSwish(NodeContext &node) {
  WideUnary wide(node);
  return wide.narrow(wide.apply(Op::Mul, {wide.x(), hardSigmoidOf(wide, 1.0 / 6, 0.5)}));
}

Result importSoftplus(NodeContext &node) {
  WideUnary wide(node);
  return wide.narrow(softplus(wide));
}

Result importMish(NodeContext &node) {
  WideUnary wide(node);
  return wide.narrow(wide.apply(Op::Mul, {wide.x(), wide.apply(Op::Tanh, {softplus(wide)})}));
}

Result importSoftsign(NodeContext &node) {
  WideUnary wide(node);
  return wide.narrow(wide.apply(Op::Div, {wide.x(), wide.apply(Op::Add, {wide.magnitude(), wide.number(1)})}));
}

// The bounds are attributes before version 11 and operands from then on; either may be left out.
Result importClip(NodeContext &node) {
  Builder &build = node.build;
  Result result = node.input(0);
  for (bool isLower : {true, false}) {
    const char *name = isLower ? "min" : "max";
    int position = isLower ? 1 : 2;
    Op op = isLower ? Op::Max : Op::Min;
    if (node.version() >= 11 && node.has(position)) {
      if (build.type(node.input(position)).elements() != 1) return invalid("the bound '", name, "' is not a scalar");
      result = build.apply(op, {result, build.reshape(node.input(position), {})});
    } else if (node.version() < 11 && node.hasAttribute(name)) {
      HONE_ASSIGN_OR_RETURN(double bound, node.real(name));
      // Exporters write the ends of float's range for "no bound".
      if (std::fabs(bound) < std::numeric_limits<float>::max()) {
        result = build.apply(op, {result, build.number(node.dtype(0), bound)});
      }
    }
  }
  return result;
}

}  // namespace hone::frontend
