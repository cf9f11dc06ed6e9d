#include "compiler/tensor/affine.h"

#include <algorithm>

#include "compiler/tensor/dims.h"

namespace hone::tensor {

std::optional<Affine> affineForm(const Index &index) {
  Affine form;
  bool isWhole = true;
  forEachTerm(index, [&](const IndexNode &term, int64_t factor) {
    if (term.kind == IndexKind::Constant) {
      form.constant += term.value * factor;
    } else if (term.kind == IndexKind::Dim) {
      form.coefficients[static_cast<int>(term.value)] += factor;
    } else {
      isWhole = false;
    }
  });
  if (!isWhole) return std::nullopt;
  std::erase_if(form.coefficients, [](const auto &entry) { return entry.second == 0; });
  return form;
}

bool isAffine(const Index &index) {
  bool result = true;
  forEachTerm(index, [&](const IndexNode &term, int64_t) {
    result = result && (term.kind == IndexKind::Constant || term.kind == IndexKind::Dim);
  });
  return result;
}

bool isAffine(const std::vector<Index> &indices) {
  return std::all_of(indices.begin(), indices.end(), [](const Index &index) { return isAffine(index); });
}

std::optional<int64_t> coefficientOf(const Index &index, int position) {
  int64_t coefficient = 0;
  bool isLinear = true;
  forEachTerm(index, [&](const IndexNode &term, int64_t factor) {
    if (term.kind == IndexKind::Dim) {
      if (term.value == position) coefficient += factor;
    } else {
      isLinear = isLinear && !mentions(term, position);
    }
  });
  return isLinear ? std::optional(coefficient) : std::nullopt;
}

}  // namespace hone::tensor
