// Index expressions as sums: constant + Σ coefficient × dim, and what of them is not of this form. Pure functions;
// thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

/// Calls \p visit(term, factor) for the terms whose products with their factors add up to \p index × \p factor. A term
/// is a constant, a dim, or something that is not affine: a quotient, a remainder, a clamp or a load, whole.
template <typename Visit>
void forEachTerm(const Index &index, const Visit &visit, int64_t factor = 1) {
  if (index->kind == IndexKind::Add) {
    forEachTerm(index->args[0], visit, factor);
    forEachTerm(index->args[1], visit, factor);
  } else if (index->kind == IndexKind::Mul) {
    // One of the two is a constant.
    const size_t constant = index->args[1]->kind == IndexKind::Constant ? 1 : 0;
    forEachTerm(index->args[1 - constant], visit, factor * index->args[constant]->value);
  } else {
    visit(*index, factor);
  }
}

/// constant + Σ coefficient × dim.
struct Affine {
  int64_t constant = 0;
  std::map<int, int64_t> coefficients;  ///< by position of the dim; none is 0
};

/// Nothing when a term of \p index is not affine.
std::optional<Affine> affineForm(const Index &index);

bool isAffine(const Index &index);
bool isAffine(const std::vector<Index> &indices);

/// The coefficient of the dim at \p position; nothing when the dim occurs in a term that is not affine.
std::optional<int64_t> coefficientOf(const Index &index, int position);

}  // namespace hone::tensor
