#include "tests/frontend/microsoft_node.h"

namespace hone::test {

using Shape = std::vector<int64_t>;

Array lastPart(const Array &data, int64_t start, int64_t extent) {
  Shape shape = data.shape;
  shape.back() = extent;
  Array result(shape, data.dtype);
  forEachIndex(shape, [&](const Shape &at) {
    Shape from = at;
    from.back() += start;
    result.at(at) = data.at(from);
  });
  return result;
}

Array projection(const Array &data, const Array &weights, const Array &bias) {
  Shape shape = data.shape;
  shape.back() = weights.shape[1];
  Array result(shape);
  forEachIndex(shape, [&](const Shape &at) {
    double sum = bias.at({at.back()});
    Shape from = at;
    for (from.back() = 0; from.back() < weights.shape[0]; ++from.back()) {
      sum += data.at(from) * weights.at({from.back(), at.back()});
    }
    result.at(at) = sum;
  });
  return result;
}

}  // namespace hone::test
