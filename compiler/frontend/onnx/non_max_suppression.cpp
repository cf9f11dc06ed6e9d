// NonMaxSuppression: of boxes that overlap, the one with the best score stays.
//
// Step by step the best box that is left is taken, for all classes of all pictures at once, and those that overlap it
// go. There are as many steps as there may be boxes of one class; what was taken is put together afterwards.
#include <algorithm>
#include <limits>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using tensor::Index;
using tensor::KernelBuilder;
using tensor::Scalar;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Suppression {
  int64_t pictures, classes, boxes, steps;
  bool isCentered;  ///< boxes are centers and sizes, not corners
};

Scalar number(double value) { return tensor::f32(value); }

struct Interval {
  Scalar low, high;
};

/// One side of a box along y (\p direction 0) or x.
Interval sideOf(KernelBuilder &b, const Suppression &spec, int boxes, const Indices &box, int64_t direction) {
  const auto at = [&](int64_t position) {
    Indices indices = box;
    indices.push_back(tensor::constant(position));
    return b.get(boxes, indices);
  };
  if (spec.isCentered) {
    const Scalar center = at(1 - direction), half = at(3 - direction) * number(0.5);
    return {center - half, center + half};
  }
  const Scalar one = at(direction), other = at(direction + 2);
  return {tensor::minimum(one, other), tensor::maximum(one, other)};
}

/// Whether two boxes share more than \p most of what they cover together. Boxes without an area overlap nothing.
Scalar overlaps(KernelBuilder &b, const Suppression &spec, int boxes, const Indices &first, const Indices &second,
                const Scalar &most) {
  const Scalar zero = number(0);
  Scalar shared, firstArea, secondArea;
  for (int64_t direction = 0; direction < 2; ++direction) {
    const Interval one = sideOf(b, spec, boxes, first, direction), two = sideOf(b, spec, boxes, second, direction);
    const Scalar both = tensor::maximum(tensor::minimum(one.high, two.high) - tensor::maximum(one.low, two.low), zero);
    shared = direction == 0 ? both : shared * both;
    firstArea = direction == 0 ? one.high - one.low : firstArea * (one.high - one.low);
    secondArea = direction == 0 ? two.high - two.low : secondArea * (two.high - two.low);
  }
  const Scalar areAreas = tensor::both(tensor::less(zero, firstArea), tensor::less(zero, secondArea));
  return tensor::both(areAreas, tensor::less(most, shared / (firstArea + secondArea - shared)));
}

/// i64 [pictures, classes, steps]: the boxes in the order in which they are taken, -1 where none is left.
tensor::Kernel suppress(const Suppression &spec) {
  KernelBuilder b("non_max_suppression");
  const Shape perClass = {spec.pictures, spec.classes}, perBox = {spec.pictures, spec.classes, spec.boxes};
  const int boxes = b.input("boxes", {spec.pictures, spec.boxes, 4}), scores = b.input("scores", perBox);
  const int wanted = b.input("wanted", {1}, DType::I64), overlap = b.input("overlap", {1});
  const int least = b.input("least", {1});
  const int isLeft = b.temporary("is_left", perBox, DType::Bool);
  const int best = b.temporary("best", perClass), place = b.temporary("place", perClass, DType::I32);
  const int taken = b.output("taken", {spec.pictures, spec.classes, spec.steps}, DType::I64);
  const Index only = tensor::constant(0);
  const tensor::Dim p = tensor::parallel("p", spec.pictures), c = tensor::parallel("c", spec.classes);

  b.begin("start", {p, c, tensor::parallel("n", spec.boxes)});
  const Indices each = {tensor::dim(0), tensor::dim(1), tensor::dim(2)};
  b.put(tensor::less(b.get(least, {only}), b.get(scores, each)), isLeft, each);

  const tensor::Dim step = tensor::scan("k", spec.steps);
  const Indices own = {tensor::dim(1), tensor::dim(2)}, box = {tensor::dim(1), tensor::dim(2), tensor::dim(3)};
  b.begin("choose", {step, p, c, tensor::reduce("n", spec.boxes)});
  const Scalar oldScore = tensor::accumulator(0, DType::F32), newScore = tensor::element(0, DType::F32);
  const Scalar oldPlace = tensor::accumulator(1, DType::I32), newPlace = tensor::element(1, DType::I32);
  const Scalar wins = tensor::either(tensor::less(oldScore, newScore),
                                     tensor::both(tensor::equal(oldScore, newScore), tensor::less(newPlace, oldPlace)));
  b.fold({tensor::select(wins, newScore, oldScore), tensor::select(wins, newPlace, oldPlace)},
         {number(-kInfinity), tensor::identity(tensor::CombinerKind::Min, DType::I32)});
  b.put(tensor::select(b.get(isLeft, box), b.get(scores, box), number(-kInfinity)), best, own);
  b.put(tensor::cast(DType::I32, tensor::indexValue(tensor::dim(3))), place, own);

  b.begin("take", {step, p, c});
  const Scalar isFound = tensor::both(tensor::less(number(-kInfinity), b.get(best, own)),
                                      tensor::less(tensor::indexValue(tensor::dim(0)), b.get(wanted, {only})));
  b.put(tensor::select(isFound, tensor::cast(DType::I64, b.get(place, own)), tensor::number(-1, DType::I64)), taken,
        {tensor::dim(1), tensor::dim(2), tensor::dim(0)});

  b.begin("suppress", {step, p, c, tensor::parallel("n", spec.boxes)});
  const Index winner = tensor::clamp(tensor::load(place, own), 0, spec.boxes - 1);
  const Scalar isOther =
      tensor::negation(tensor::equal(tensor::cast(DType::I32, tensor::indexValue(tensor::dim(3))), b.get(place, own)));
  const Scalar goes =
      overlaps(b, spec, boxes, {tensor::dim(1), winner}, {tensor::dim(1), tensor::dim(3)}, b.get(overlap, {only}));
  b.put(tensor::both(b.get(isLeft, box), tensor::both(isOther, tensor::negation(goes))), isLeft, box);
  return b.finish();
}

/// Operand \p position as a list of one; \p otherwise where it is left out.
Result option(NodeContext &node, int position, DType dtype, double otherwise) {
  Builder &build = node.build;
  if (!node.has(position)) return build.reshape(build.number(dtype, otherwise), {1});
  if (node.dtype(position) != dtype || build.type(node.input(position)).elements() != 1) {
    return invalid("operand ", position, " is ", graph::typeText(build.type(node.input(position))), ", not one ",
                   std::string(shortName(dtype)));
  }
  return build.reshape(node.input(position), {1});
}

}  // namespace

Result importNonMaxSuppression(NodeContext &node) {
  Builder &build = node.build;
  const Shape boxes = node.shape(0), scores = node.shape(1);
  const bool fits = boxes.size() == 3 && scores.size() == 3 && boxes[2] == 4 && boxes[0] == scores[0] &&
                    boxes[1] == scores[2] && node.dtype(0) == DType::F32 && node.dtype(1) == DType::F32;
  if (!fits) {
    return invalid("the boxes ", graph::typeText(build.type(node.input(0))), " and scores ",
                   graph::typeText(build.type(node.input(1))), " are not [N,B,4] and [N,C,B] of f32");
  }
  HONE_ASSIGN_OR_RETURN(int64_t isCentered, node.integer("center_point_box", 0));
  HONE_ASSIGN_OR_RETURN(ValueId wanted, option(node, 2, DType::I64, 0));
  const Result overlap = option(node, 3, DType::F32, 0), least = option(node, 4, DType::F32, -kInfinity);
  const int64_t steps = std::clamp<int64_t>(highest(build, wanted).value_or(boxes[1]), 0, boxes[1]);
  const Suppression spec{boxes[0], scores[1], boxes[1], steps, isCentered != 0};

  // Boxes that are not there have no score.
  HONE_ASSIGN_OR_RETURN(ValueId known,
                        build.withoutPadding(node.input(1), {0, 1, 2}, build.number(DType::F32, -kInfinity)));
  HONE_ASSIGN_OR_RETURN(
      ValueId taken, build.compute(suppress(spec), {build.asBounds(node.input(0), boxes), build.asBounds(known, scores),
                                                    wanted, overlap, least}));
  const auto integer = [&](int64_t value) { return build.integer(DType::I64, value); };
  HONE_ASSIGN_OR_RETURN(ValueId flat, build.reshape(taken, {spec.pictures * spec.classes * steps}));
  HONE_ASSIGN_OR_RETURN(ValueId isTaken, build.apply(ScalarOp::LessEqual, {integer(0), flat}));
  HONE_ASSIGN_OR_RETURN(ValueId places, chosenPlaces(build, isTaken));
  const Result row = build.apply(ScalarOp::Div, {places, integer(steps)});
  const Result columns[] = {build.apply(ScalarOp::Div, {row, integer(spec.classes)}),
                            build.apply(ScalarOp::FloorMod, {row, integer(spec.classes)}),
                            build.gather(flat, places, 0)};
  std::vector<Result> parts;
  for (const Result &column : columns) parts.push_back(build.reshape(column, {build.shape(places)[0], 1}));
  return build.concat(parts, 1);
}

}  // namespace hone::frontend
