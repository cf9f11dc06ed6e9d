#include <algorithm>

#include "compiler/base/status.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/infer_parts.h"
#include "compiler/graph/print.h"

namespace hone::graph::inference {

Result inferTranspose(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *transpose, attributesAs<TransposeAttributes>(attributes));
  HONE_RETURN_IF_ERROR(checkArity(inputs, 1, 1));
  const Shape &shape = inputs[0].shape;
  std::vector<int64_t> sorted = transpose->permutation;
  std::sort(sorted.begin(), sorted.end());
  bool valid = sorted.size() == shape.size();
  for (size_t i = 0; valid && i < sorted.size(); ++i) valid = sorted[i] == static_cast<int64_t>(i);
  if (!valid) {
    return error(shapeText(transpose->permutation), " is not a permutation of the dims of ", typeText(inputs[0]));
  }
  TensorType result{inputs[0].dtype, {}};
  for (int64_t from : transpose->permutation) result.shape.push_back(shape[static_cast<size_t>(from)]);
  return result;
}

Result inferConcat(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *concat, attributesAs<AxisAttributes>(attributes));
  if (inputs.empty()) return error("takes 1 operand or more, has 0");
  HONE_RETURN_IF_ERROR(checkSameDType(inputs));
  HONE_RETURN_IF_ERROR(checkAxis(concat->axis, inputs[0]));
  size_t axis = static_cast<size_t>(concat->axis);
  TensorType result = inputs[0];
  for (size_t i = 1; i < inputs.size(); ++i) {
    Shape expected = inputs[i].shape;
    if (expected.size() == result.shape.size()) expected[axis] = result.shape[axis];
    if (expected != result.shape) {
      return error("operands ", typeText(inputs[0]), " and ", typeText(inputs[i]), " differ outside axis ", axis);
    }
    result.shape[axis] += inputs[i].shape[axis];
  }
  return result;
}

Result inferSlice(const Attributes &attributes, const Types &inputs, const TensorType &given) {
  HONE_ASSIGN_OR_RETURN(const auto *slice, attributesAs<SliceAttributes>(attributes));
  const Shape &from = inputs[0].shape;
  if (slice->starts.size() != from.size() || slice->steps.size() != from.size() || given.shape.size() != from.size()) {
    return error("starts, steps and result need one entry for each of ", from.size(), " dims");
  }
  for (size_t i = 0; i < from.size(); ++i) {
    int64_t start = slice->starts[i], step = slice->steps[i], extent = given.shape[i];
    if (step == 0) return error("step of dim ", i, " is 0");
    if (extent == 0) continue;
    bool inside = start >= 0 && start < from[i];
    // The room from the start to the last element in the step's direction, in whole steps.
    if (inside && extent > 1) {
      inside = step > 0 ? extent - 1 <= (from[i] - 1 - start) / step
                        : step > -kMaximumElements && extent - 1 <= start / -step;
    }
    if (!inside) {
      return error(extent, " elements from ", start, " in steps of ", step, " leave dim ", i, " of ",
                   typeText(inputs[0]));
    }
  }
  return given;
}

Result inferPad(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *pad, attributesAs<PadAttributes>(attributes));
  HONE_RETURN_IF_ERROR(checkArity(inputs, 1, 1));
  size_t rank = inputs[0].shape.size();
  HONE_RETURN_IF_ERROR(checkList("pads", pad->pads, 2 * rank, 0));
  TensorType result = inputs[0];
  for (size_t i = 0; i < rank; ++i) {
    int64_t extent = inputs[0].shape[i], most = std::max(pad->pads[i], pad->pads[rank + i]);
    if (pad->mode == PadMode::Reflect && most >= std::max<int64_t>(extent, 1)) {
      return error("cannot reflect ", most, " elements of an extent of ", extent);
    }
    if (pad->mode == PadMode::Edge && most > 0 && extent == 0) return error("dim ", i, " has no edge to repeat");
    result.shape[i] += pad->pads[i] + pad->pads[rank + i];
  }
  return result;
}

Result inferGather(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *gather, attributesAs<AxisAttributes>(attributes));
  HONE_RETURN_IF_ERROR(checkArity(inputs, 2, 2));
  if (!isInteger(inputs[1].dtype)) return error("indices ", typeText(inputs[1]), " are not integers");
  HONE_RETURN_IF_ERROR(checkAxis(gather->axis, inputs[0]));
  const Shape &data = inputs[0].shape;
  if (data[static_cast<size_t>(gather->axis)] == 0 && inputs[1].elements() > 0) {
    return error("axis ", gather->axis, " of ", typeText(inputs[0]), " is empty");
  }
  Shape shape(data.begin(), data.begin() + gather->axis);
  shape.insert(shape.end(), inputs[1].shape.begin(), inputs[1].shape.end());
  shape.insert(shape.end(), data.begin() + gather->axis + 1, data.end());
  return TensorType{inputs[0].dtype, shape};
}

}  // namespace hone::graph::inference
