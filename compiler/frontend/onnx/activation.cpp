// Activation functions, written out in scalar operations.
#include <cmath>
#include <limits>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

/// exp(x) - 1
Result expMinusOne(NodeContext &node, Result x, Result one) {
  return node.build.apply(Op::Sub, {node.build.apply(Op::Exp, {x}), one});
}

/// positive where x > 0, else negative
Result bySign(NodeContext &node, Result negative, Result positive) {
  Builder &build = node.build;
  Result zero = build.number(node.dtype(0), 0);
  return build.apply(Op::Select, {build.apply(Op::Less, {node.input(0), zero}), negative, positive});
}

/// log(1 + exp(x)), written so that exp cannot overflow: max(x, 0) + log(1 + exp(-|x|))
// min(max(alpha x + beta, 0), 1)
Result hardSigmoid(NodeContext &node, double alpha, double beta) {
  Builder &build = node.build;
  Result scaled = build.apply(Op::Mul, {node.input(0), build.number(node.dtype(0), alpha)});
  Result line = build.apply(Op::Add, {scaled, build.number(node.dtype(0), beta)});
  Result above = build.apply(Op::Max, {line, build.number(node.dtype(0), 0)});
  return build.apply(Op::Min, {above, build.number(node.dtype(0), 1)});
}

Result softplus(NodeContext &node) {
  Builder &build = node.build;
  ValueId x = node.input(0);
  Result one = build.number(node.dtype(0), 1), zero = build.number(node.dtype(0), 0);
  Result small = build.apply(Op::Exp, {build.apply(Op::Neg, {build.apply(Op::Abs, {x})})});
  Result logarithm = build.apply(Op::Log, {build.apply(Op::Add, {small, one})});
  return build.apply(Op::Add, {build.apply(Op::Max, {x, zero}), logarithm});
}

}  // namespace

Result importRelu(NodeContext &node) {
  return node.build.apply(Op::Max, {node.input(0), node.build.number(node.dtype(0), 0)});
}

Result importLeakyRelu(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 0.01F));
  return bySign(node, node.build.apply(Op::Mul, {node.input(0), node.build.number(node.dtype(0), alpha)}),
                node.input(0));
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
  return bySign(node, build.apply(Op::Mul, {node.input(0), slope}), node.input(0));
}

Result importThresholdedRelu(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  Result isAbove = build.apply(Op::Less, {build.number(node.dtype(0), alpha), node.input(0)});
  return build.apply(Op::Select, {isAbove, node.input(0), build.number(node.dtype(0), 0)});
}

Result importElu(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  Result one = build.number(node.dtype(0), 1);
  Result negative = build.apply(Op::Mul, {expMinusOne(node, node.input(0), one), build.number(node.dtype(0), alpha)});
  return bySign(node, negative, node.input(0));
}

Result importCelu(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  Result scale = build.number(node.dtype(0), alpha), one = build.number(node.dtype(0), 1);
  Result scaled = build.apply(Op::Div, {node.input(0), scale});
  return bySign(node, build.apply(Op::Mul, {expMinusOne(node, scaled, one), scale}), node.input(0));
}

Result importSelu(NodeContext &node) {
  Builder &build = node.build;
  bool isFirst = node.version() < 6;
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", isFirst ? 1.6732F : 1.67326319217681884765625F));
  HONE_ASSIGN_OR_RETURN(double gamma, node.real("gamma", isFirst ? 1.0507F : 1.05070102214813232421875F));
  Result one = build.number(node.dtype(0), 1);
  Result negative = build.apply(Op::Mul, {expMinusOne(node, node.input(0), one), build.number(node.dtype(0), alpha)});
  return build.apply(Op::Mul, {bySign(node, negative, node.input(0)), build.number(node.dtype(0), gamma)});
}

Result importSigmoid(NodeContext &node) {
  Builder &build = node.build;
  Result one = build.number(node.dtype(0), 1);
  Result exponential = build.apply(Op::Exp, {build.apply(Op::Neg, {node.input(0)})});
  return build.apply(Op::Div, {one, build.apply(Op::Add, {exponential, one})});
}

Result importHardSigmoid(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 0.2F));
  HONE_ASSIGN_OR_RETURN(double beta, node.real("beta", 0.5));
  return hardSigmoid(node, alpha, beta);
}

Result importHardSwish(NodeContext &node) {
  return node.build.apply(Op::Mul, {node.input(0), hardSigmoid(node, 1.0 / 6, 0.5)});
}

Result importSoftplus(NodeContext &node) { return softplus(node); }

Result importMish(NodeContext &node) {
  return node.build.apply(Op::Mul, {node.input(0), node.build.apply(Op::Tanh, {softplus(node)})});
}

Result importSoftsign(NodeContext &node) {
  Builder &build = node.build;
  Result one = build.number(node.dtype(0), 1);
  return build.apply(Op::Div, {node.input(0), build.apply(Op::Add, {build.apply(Op::Abs, {node.input(0)}), one})});
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
