#include "compiler/tensor/layout.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"

namespace hone::tensor {

Layout Layout::rowMajor(const std::vector<int64_t> &shape) {
  Layout layout;
  for (size_t d = 0; d < shape.size(); ++d) layout.axes.push_back({static_cast<int>(d), 1, shape[d]});
  return layout;
}

Layout Layout::blocked(const std::vector<int64_t> &shape, int dim, int64_t block) {
  assert(dim >= 0 && static_cast<size_t>(dim) < shape.size() && block >= 1);
  Layout layout = rowMajor(shape);
  if (block == 1) return layout;
  LayoutAxis &outer = layout.axes[dim];
  outer.divisor = block;
  outer.extent = (shape[dim] + block - 1) / block;
  layout.axes.push_back({dim, 1, block});
  return layout;
}

int64_t Layout::elements() const {
  int64_t product = 1;
  for (const LayoutAxis &axis : axes) product *= axis.extent;
  return product;
}

int64_t Layout::allocated(int dim) const {
  int64_t product = 1;
  for (const LayoutAxis &axis : axes) {
    if (axis.dim == dim) product *= axis.extent;
  }
  return product;
}

int64_t Layout::offset(const std::vector<int64_t> &index) const {
  int64_t result = 0;
  for (const LayoutAxis &axis : axes) {
    assert(static_cast<size_t>(axis.dim) < index.size());
    result = result * axis.extent + index[axis.dim] / axis.divisor % axis.extent;
  }
  return result;
}

bool Layout::isRowMajor(const std::vector<int64_t> &shape) const { return *this == rowMajor(shape); }

std::string Layout::text(const std::vector<std::string> &names) const {
  std::string result;
  for (size_t i = 0; i < axes.size(); ++i) {
    const LayoutAxis &axis = axes[i];
    // The outermost axis of a dim takes what the inner ones leave, so only the others name their extent.
    const bool outermost = std::none_of(axes.begin(), axes.end(), [&](const LayoutAxis &other) {
      return other.dim == axis.dim && other.divisor > axis.divisor;
    });
    const auto d = static_cast<size_t>(axis.dim);
    absl::StrAppend(&result, "[", d < names.size() ? names[d] : std::to_string(axis.dim));
    if (axis.divisor != 1) absl::StrAppend(&result, "/", axis.divisor);
    if (!outermost) absl::StrAppend(&result, "%", axis.extent);
    result += "]";
  }
  return result;
}

}  // namespace hone::tensor
