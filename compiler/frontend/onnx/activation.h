// Activation functions that several operators have: of a value, in core ops. Formulas of several steps are computed in
// float32 at least (see WideUnary). Operands may be errors, as the Builder's. Pure functions; thread-safe.
#pragma once

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

/// x times the normal distribution's part below x.
Result gelu(Builder &build, Result x);
/// The same by an approximation with tanh.
Result tanhGelu(Builder &build, Result x);
/// 1 / (1 + exp(-x))
Result sigmoid(Builder &build, Result x);
/// x sigmoid(alpha x)
Result swish(Builder &build, Result x, double alpha);
/// alpha x where x is negative
Result leakyRelu(Builder &build, Result x, double alpha);
/// min(max(alpha x + beta, 0), 1)
Result hardSigmoid(Builder &build, Result x, double alpha, double beta);

}  // namespace hone::frontend
