// Hyperbolic functions, and the inverses of them and of the trigonometric ones, in terms of those that the core has.
#include <numbers>

#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/wide_unary.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

Result squareRoot(const WideUnary &wide, const Result &x) { return wide.apply(Op::Sqrt, {x}); }

/// Above this the square of x is all that is left of x² ± 1.
double square(const WideUnary &wide) { return wide.dtype() == DType::F64 ? 0x1p27 : 0x1p13; }

/// log(2 \p x) where x > \p limit, else \p otherwise: for inverses whose own formulas overflow.
Result logarithmBeyond(const WideUnary &wide, double limit, const Result &x, const Result &otherwise) {
  Result logarithm = wide.apply(Op::Add, {wide.apply(Op::Log, {x}), wide.number(std::numbers::ln2)});
  return wide.apply(Op::Select, {wide.apply(Op::Less, {wide.number(limit), x}), logarithm, otherwise});
}

/// \p magnitude with the sign of the operand; 0 and NaN where that is.
Result withSign(const WideUnary &wide, const Result &magnitude) {
  return wide.apply(Op::Mul, {magnitude, wide.apply(Op::Sign, {wide.x()})});
}

}  // namespace

// atan(x / sqrt(1 - x²)), where 1 - x² is a product, so that nothing is lost near 1.
Result importAsin(NodeContext &node) {
  WideUnary wide(node);
  Result below = wide.apply(Op::Sub, {wide.number(1), wide.x()}),
         above = wide.apply(Op::Add, {wide.number(1), wide.x()});
  Result adjacent = squareRoot(wide, wide.apply(Op::Mul, {below, above}));
  return wide.narrow(wide.apply(Op::Atan, {wide.apply(Op::Div, {wide.x(), adjacent})}));
}

// 2 atan(sqrt((1 - x) / (1 + x)))
Result importAcos(NodeContext &node) {
  WideUnary wide(node);
  Result below = wide.apply(Op::Sub, {wide.number(1), wide.x()}),
         above = wide.apply(Op::Add, {wide.number(1), wide.x()});
  Result tangent = squareRoot(wide, wide.apply(Op::Div, {below, above}));
  return wide.narrow(wide.apply(Op::Mul, {wide.apply(Op::Atan, {tangent}), wide.number(2)}));
}

// (e - 1/e) / 2 from m = e^|x| - 1: (m + m / (m + 1)) / 2. Where m would overflow, e^(|x|/2) twice.
Result importSinh(NodeContext &node) {
  constexpr double kFar = 20;  // from here on 1/e is less than the last bit of e
  WideUnary wide(node);
  Result one = wide.number(1), half = wide.number(0.5), size = wide.magnitude();
  Result m = wide.apply(Op::Expm1, {size});
  Result near = wide.apply(Op::Add, {m, wide.apply(Op::Div, {m, wide.apply(Op::Add, {m, one})})});
  Result root = wide.apply(Op::Exp, {wide.apply(Op::Mul, {size, half})});
  Result far = wide.apply(Op::Mul, {wide.apply(Op::Mul, {root, half}), root});
  Result isFar = wide.apply(Op::Less, {wide.number(kFar), size});
  Result result = wide.apply(Op::Select, {isFar, far, wide.apply(Op::Mul, {near, half})});
  return wide.narrow(withSign(wide, result));
}

// (e + 1/e) / 2 with e as the square of e^(|x|/2), which does not overflow before the result does.
Result importCosh(NodeContext &node) {
  WideUnary wide(node);
  Result half = wide.number(0.5);
  Result root = wide.apply(Op::Exp, {wide.apply(Op::Mul, {wide.magnitude(), half})});
  Result growing = wide.apply(Op::Mul, {wide.apply(Op::Mul, {root, half}), root});
  Result falling = wide.apply(Op::Div, {wide.apply(Op::Div, {half, root}), root});
  return wide.narrow(wide.apply(Op::Add, {growing, falling}));
}

// log(x + sqrt(x² + 1)) as log1p(x + x² / (1 + sqrt(x² + 1))) of |x|
Result importAsinh(NodeContext &node) {
  WideUnary wide(node);
  Result one = wide.number(1), size = wide.magnitude();
  Result squared = wide.apply(Op::Mul, {size, size});
  Result root = squareRoot(wide, wide.apply(Op::Add, {squared, one}));
  Result excess = wide.apply(Op::Div, {squared, wide.apply(Op::Add, {root, one})});
  Result near = wide.apply(Op::Log1p, {wide.apply(Op::Add, {size, excess})});
  return wide.narrow(withSign(wide, logarithmBeyond(wide, square(wide), size, near)));
}

// log(x + sqrt(x² - 1)) as log1p(t + sqrt(t) sqrt(t + 2)) with t = x - 1, which is NaN where x < 1
Result importAcosh(NodeContext &node) {
  WideUnary wide(node);
  Result t = wide.apply(Op::Sub, {wide.x(), wide.number(1)});
  Result root = squareRoot(wide, wide.apply(Op::Add, {t, wide.number(2)}));
  Result product = wide.apply(Op::Mul, {squareRoot(wide, t), root});
  Result near = wide.apply(Op::Log1p, {wide.apply(Op::Add, {t, product})});
  return wide.narrow(logarithmBeyond(wide, square(wide), wide.x(), near));
}

// log((1 + x) / (1 - x)) / 2 as log1p(2 |x| / (1 - |x|)) / 2
Result importAtanh(NodeContext &node) {
  WideUnary wide(node);
  Result size = wide.magnitude();
  Result below = wide.apply(Op::Sub, {wide.number(1), size});
  Result ratio = wide.apply(Op::Div, {wide.apply(Op::Add, {size, size}), below});
  Result result = wide.apply(Op::Mul, {wide.apply(Op::Log1p, {ratio}), wide.number(0.5)});
  return wide.narrow(withSign(wide, result));
}

}  // namespace hone::frontend
