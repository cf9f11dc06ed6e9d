// Probabilities of classes from those of pairs of classes. Pure functions on a builder.
#pragma once

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

/// [rows, classes] from \p pairs [rows, classes (classes - 1) / 2], the probability of the first of two classes for
/// (0, 1), (0, 2), … (1, 2), …: by T.-F. Wu, C.-J. Lin, R. C. Weng, "Probability Estimates for Multi-class
/// Classification by Pairwise Coupling", the second method. At most 100 rounds, as libsvm and ONNX Runtime do it.
Result coupledProbabilities(Builder &build, const Result &pairs, int64_t classes);

}  // namespace hone::frontend
