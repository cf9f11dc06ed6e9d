// NonMaxSuppression: of boxes that overlap, the one with the best score stays.
//
// Step by step the best box that is left is taken, for all classes of all pictures at once, and those that overlap it
// go. There are as many steps as there may be boxes of one class; what was taken is put together afterwards.
//
// Detectors give many boxes for each class, and hardly any of them a score that counts. Those that have one are put
// into a list, sorted by class and score, and where the list is short, each is compared with each: a run whose list is
// longer takes the steps. Only one of the ways runs.
#include <algorithm>
#include <iterator>
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

// Up to how many candidates there are ways of their own, longest first. Comparing each with each takes the square.
constexpr int64_t kListLengths[] = {4096, 1024, 256};
// So few steps are fast whatever there is.
constexpr int64_t kFewSteps = 4;

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

/// i32 [length]: positions of candidates by segment (the classes of all pictures), score and position.
tensor::Kernel orderCandidates(int64_t length) {
  KernelBuilder b("order_candidates");
  const int segments = b.input("segments", {length}, DType::I32), scores = b.input("scores", {length});
  const int rank = b.temporary("rank", {length}, DType::I32), order = b.output("order", {length}, DType::I32);
  const Index i = tensor::dim(0), j = tensor::dim(1);
  b.begin("rank", {tensor::parallel("i", length), tensor::reduce("j", length)});
  b.fold(tensor::CombinerKind::Sum);
  const Scalar own = b.get(segments, {i}), other = b.get(segments, {j});
  const Scalar ownScore = b.get(scores, {i}), otherScore = b.get(scores, {j});
  const Scalar isEarlier =
      tensor::less(tensor::cast(DType::I32, tensor::indexValue(j)), tensor::cast(DType::I32, tensor::indexValue(i)));
  const Scalar isBetter =
      tensor::either(tensor::less(ownScore, otherScore), tensor::both(tensor::equal(ownScore, otherScore), isEarlier));
  const Scalar isBefore = tensor::either(tensor::less(other, own), tensor::both(tensor::equal(other, own), isBetter));
  b.put(tensor::cast(DType::I32, isBefore), rank, {i});
  b.begin("place", {tensor::parallel("i", length)});
  b.put(tensor::cast(DType::I32, tensor::indexValue(i)), order, {tensor::load(rank, {i})});
  return b.finish();
}

/// bool [length]: which candidates, in order, are taken: those that overlap none of their segment that was, as long as
/// fewer than are wanted were.
tensor::Kernel takeCandidates(const Suppression &spec, int64_t length) {
  KernelBuilder b("take_candidates");
  const int boxes = b.input("boxes", {length, 4}), segments = b.input("segments", {length}, DType::I32);
  const int wanted = b.input("wanted", {1}, DType::I64), overlap = b.input("overlap", {1});
  const int hits = b.temporary("hits", {length, length}, DType::Bool);
  const int isHit = b.temporary("is_hit", {1}, DType::I32), before = b.temporary("before", {1}, DType::I32);
  const int taken = b.output("taken", {length}, DType::Bool);
  const Index only = tensor::constant(0);
  b.begin("start", {tensor::parallel("i", length)});
  b.put(tensor::number(0, DType::Bool), taken, {tensor::dim(0)});
  b.begin("compare", {tensor::parallel("i", length), tensor::parallel("j", length)});
  b.put(overlaps(b, spec, boxes, {tensor::dim(1)}, {tensor::dim(0)}, b.get(overlap, {only})), hits,
        {tensor::dim(0), tensor::dim(1)});
  const tensor::Dim step = tensor::scan("i", length);
  const Index i = tensor::dim(0), j = tensor::dim(1);
  b.begin("count", {step, tensor::reduce("j", length)});
  b.fold({tensor::maximum(tensor::accumulator(0, DType::I32), tensor::element(0, DType::I32)),
          tensor::accumulator(1, DType::I32) + tensor::element(1, DType::I32)},
         {tensor::number(0, DType::I32), tensor::number(0, DType::I32)});
  const Scalar isOfSegment = tensor::both(b.get(taken, {j}), tensor::equal(b.get(segments, {i}), b.get(segments, {j})));
  b.put(tensor::cast(DType::I32, tensor::both(isOfSegment, b.get(hits, {i, j}))), isHit, {only});
  b.put(tensor::cast(DType::I32, isOfSegment), before, {only});
  b.begin("take", {step});
  const Scalar isFree = tensor::less(b.get(isHit, {only}), tensor::number(1, DType::I32));
  const Scalar isWanted = tensor::less(tensor::cast(DType::I64, b.get(before, {only})), b.get(wanted, {only}));
  b.put(tensor::both(isFree, isWanted), taken, {i});
  return b.finish();
}

/// The operands of a suppression, without padding and as their bounds.
struct Given {
  Result boxes, scores, wanted, overlap, least;
};

/// i64 [rows, 3]: \p segments as pictures and classes, and \p boxes.
Result asRows(Builder &build, const Suppression &spec, const Result &segments, const Result &boxes) {
  const Result classes = build.integer(DType::I64, spec.classes);
  std::vector<Result> parts;
  for (const Result &column :
       {build.apply(ScalarOp::Div, {segments, classes}), build.apply(ScalarOp::FloorMod, {segments, classes}), boxes}) {
    if (!column.ok()) return column;
    parts.push_back(build.reshape(column, {build.shape(*column)[0], 1}));
  }
  return build.concat(parts, 1);
}

Result byStep(Builder &build, const Suppression &spec, const Given &given) {
  const Result zero = build.integer(DType::I64, 0), steps = build.integer(DType::I64, spec.steps);
  HONE_ASSIGN_OR_RETURN(ValueId taken, build.compute(suppress(spec), {given.boxes, given.scores, given.wanted,
                                                                      given.overlap, given.least}));
  HONE_ASSIGN_OR_RETURN(ValueId flat, build.reshape(taken, {spec.pictures * spec.classes * spec.steps}));
  HONE_ASSIGN_OR_RETURN(ValueId isTaken, build.apply(ScalarOp::LessEqual, {zero, flat}));
  HONE_ASSIGN_OR_RETURN(ValueId places, chosenPlaces(build, isTaken));
  return asRows(build, spec, build.apply(ScalarOp::Div, {places, steps}), build.gather(flat, places, 0));
}

/// Of the first \p length of the \p candidates, which are places in the scores: right when there are no more.
Result byList(Builder &build, const Suppression &spec, const Given &given, ValueId candidates, int64_t length) {
  const auto integer = [&](int64_t value) { return build.integer(DType::I64, value); };
  const int64_t all = spec.pictures * spec.classes * spec.boxes, segmentCount = spec.pictures * spec.classes;
  const Result first = build.slice(build.asBounds(candidates, {all}), {0}, {1}, {length});
  const Result isThere = build.apply(ScalarOp::Less, {count(build, length), sizeOf(build, candidates, 0)});
  const Result segment = build.apply(
      ScalarOp::Select, {isThere, build.apply(ScalarOp::Div, {first, integer(spec.boxes)}), integer(segmentCount)});
  const Result score = build.gather(build.reshape(given.scores, {all}), first, 0);
  HONE_ASSIGN_OR_RETURN(ValueId order,
                        build.compute(orderCandidates(length), {build.cast(segment, DType::I32), score}));
  const Result sorted = build.gather(first, order, 0), segments = build.gather(segment, order, 0);
  const Result box = build.apply(ScalarOp::FloorMod, {sorted, integer(spec.boxes)});
  const Result picture = build.apply(ScalarOp::Div, {sorted, integer(spec.classes * spec.boxes)});
  const Result row = build.apply(ScalarOp::Add, {build.apply(ScalarOp::Mul, {picture, integer(spec.boxes)}), box});
  const Result sides = build.gather(build.reshape(given.boxes, {spec.pictures * spec.boxes, 4}), row, 0);
  const Result taken = build.compute(takeCandidates(spec, length),
                                     {sides, build.cast(segments, DType::I32), given.wanted, given.overlap});
  HONE_ASSIGN_OR_RETURN(
      ValueId isTaken,
      build.apply(ScalarOp::And, {taken, build.apply(ScalarOp::Less, {segments, integer(segmentCount)})}));
  HONE_ASSIGN_OR_RETURN(ValueId places, chosenPlaces(build, isTaken));
  HONE_ASSIGN_OR_RETURN(ValueId rows,
                        asRows(build, spec, build.gather(segments, places, 0), build.gather(box, places, 0)));
  const int64_t most = std::min(length, segmentCount * spec.steps);
  return build.slice(rows, {0, 0}, {1, 1}, {most, 3});
}

/// The shortest way that the number of candidates allows.
Result byCandidates(Builder &build, const Suppression &spec, const Given &given) {
  const int64_t all = spec.pictures * spec.classes * spec.boxes;
  HONE_ASSIGN_OR_RETURN(
      ValueId isCandidate,
      build.reshape(build.apply(ScalarOp::Less, {build.reshape(given.least, {}), given.scores}), {all}));
  HONE_ASSIGN_OR_RETURN(ValueId candidates, chosenPlaces(build, isCandidate));
  HONE_ASSIGN_OR_RETURN(ValueId result, byStep(build, spec, given));
  for (const int64_t length : kListLengths) {
    if (length >= all) continue;
    HONE_ASSIGN_OR_RETURN(ValueId isShort, build.apply(ScalarOp::LessEqual, {sizeOf(build, candidates, 0),
                                                                             build.integer(DType::I64, length)}));
    HONE_ASSIGN_OR_RETURN(ValueId rows, byList(build, spec, given, candidates, length));
    HONE_ASSIGN_OR_RETURN(Operand chosen, choose(build, isShort, rows, result, "the boxes", Sizes::Any));
    result = tensorOf(chosen);
  }
  return result;
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
  const Given given{build.asBounds(node.input(0), boxes), build.asBounds(known, scores), wanted, overlap, least};
  const bool isLong = spec.pictures * spec.classes * spec.boxes > *std::rbegin(kListLengths) && steps > kFewSteps;
  return isLong ? byCandidates(build, spec, given) : byStep(build, spec, given);
}

}  // namespace hone::frontend
