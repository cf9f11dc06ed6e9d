// The operators of the domain ai.onnx.ml on numbers: what converters of scikit-learn, XGBoost, LightGBM write.
#pragma once

#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {

OperatorDomain mlOperators();

}  // namespace hone::frontend
