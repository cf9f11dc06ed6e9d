// Branches. One that is known is taken; of an unknown condition both sides go into the graph, and it chooses. (The plan
// sees to it that only the side that is chosen runs.)
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

std::string describe(const Builder &build, const Operand &operand) {
  if (const Sequence *sequence = sequenceOf(operand)) return absl::StrCat("a sequence of ", sequence->size());
  return isAbsent(operand) ? "absent" : graph::typeText(build.type(tensorOf(operand)));
}

absl::Status differ(const Builder &build, const Operand &whenTrue, const Operand &whenFalse, const std::string &what) {
  return unsupported(what, " is ", describe(build, whenTrue), " in one case and ", describe(build, whenFalse),
                     " in the other");
}

/// \p data, with all its padding, as the first elements of \p shape.
Result padded(Builder &build, ValueId data, const Shape &shape) {
  if (build.type(data).elements() == 0) return build.broadcast(build.number(build.dtype(data), 0), shape);
  graph::PadAttributes attributes;
  attributes.pads.resize(2 * shape.size(), 0);
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    attributes.pads[shape.size() + axis] = shape[axis] - build.shape(data)[axis];
  }
  return build.pad(build.asBounds(data, build.shape(data)), std::move(attributes));
}

/// Tensors of different sizes: the result has the larger bounds, and the extents of the one that is chosen.
absl::StatusOr<ValueId> chooseSizes(Builder &build, const Result &condition, ValueId whenTrue, ValueId whenFalse) {
  Shape shape;
  Extents extents;
  for (int64_t axis = 0; axis < build.rank(whenTrue); ++axis) {
    const auto along = static_cast<size_t>(axis);
    shape.push_back(std::max(build.shape(whenTrue)[along], build.shape(whenFalse)[along]));
    HONE_ASSIGN_OR_RETURN(ValueId first, sizeOf(build, whenTrue, axis));
    HONE_ASSIGN_OR_RETURN(ValueId second, sizeOf(build, whenFalse, axis));
    const bool isStatic = !build.isBounded(whenTrue, axis) && !build.isBounded(whenFalse, axis);
    if (first == second || (isStatic && build.shape(whenTrue)[along] == build.shape(whenFalse)[along])) {
      extents.push_back(build.constant(first) == nullptr ? first : -1);
      continue;
    }
    HONE_ASSIGN_OR_RETURN(ValueId size, build.apply(ScalarOp::Select, {condition, first, second}));
    build.setRange(size, std::min(lowest(build, first).value_or(0), lowest(build, second).value_or(0)), shape.back());
    extents.push_back(size);
  }
  HONE_RETURN_IF_ERROR(build.checkSize({build.dtype(whenTrue), shape}));
  const Result chosen =
      build.apply(ScalarOp::Select, {condition, padded(build, whenTrue, shape), padded(build, whenFalse, shape)});
  return build.bounded(chosen, std::move(extents));
}

/// Both sides are pure, so that it does not matter whether the other one is computed.
absl::StatusOr<ValueId> chooseTensor(Builder &build, Result condition, ValueId whenTrue, ValueId whenFalse,
                                     const std::string &what, Sizes sizes) {
  if (whenTrue == whenFalse) return whenTrue;
  if (build.type(whenTrue) == build.type(whenFalse) && build.extents(whenTrue) == build.extents(whenFalse)) {
    return build.apply(ScalarOp::Select, {condition, whenTrue, whenFalse});
  }
  if (sizes == Sizes::Any && build.dtype(whenTrue) == build.dtype(whenFalse) &&
      build.rank(whenTrue) == build.rank(whenFalse)) {
    return chooseSizes(build, condition, whenTrue, whenFalse);
  }
  if (build.type(whenTrue) == build.type(whenFalse)) {
    return unsupported(what, " has sizes that depend on data, and differ in the two cases");
  }
  return differ(build, whenTrue, whenFalse, what);
}

absl::StatusOr<Operands> take(NodeContext &node, const char *branch) {
  HONE_ASSIGN_OR_RETURN(std::unique_ptr<Subgraph> graph, node.subgraph(branch));
  HONE_ASSIGN_OR_RETURN(Operands results, graph->import({}));
  if (results.empty()) return invalid("its branches have no outputs");
  return results;
}

absl::StatusOr<Operands> takeBoth(NodeContext &node) {
  const auto takeWhere = [&](bool isTrue) -> absl::StatusOr<Operands> {
    const Builder::Branch branch(node.build, node.input(0), isTrue);
    return take(node, isTrue ? "then_branch" : "else_branch");
  };
  HONE_ASSIGN_OR_RETURN(Operands results, takeWhere(true));
  HONE_ASSIGN_OR_RETURN(Operands others, takeWhere(false));
  if (results.size() != others.size()) return invalid("its branches differ in the number of their outputs");
  for (size_t i = 0; i < results.size(); ++i) {
    HONE_ASSIGN_OR_RETURN(
        results[i], choose(node.build, node.input(0), results[i], others[i], absl::StrCat("output ", i), Sizes::Any));
  }
  return results;
}

}  // namespace

absl::StatusOr<Operand> choose(Builder &build, ValueId condition, const Operand &whenTrue, const Operand &whenFalse,
                               const std::string &what, Sizes sizes) {
  if (whenTrue == whenFalse) return whenTrue;
  Result isTrue = build.reshape(condition, {});
  const Sequence *first = sequenceOf(whenTrue), *second = sequenceOf(whenFalse);
  if (first != nullptr && second != nullptr && first->size() == second->size()) {
    Sequence chosen;
    for (size_t i = 0; i < first->size(); ++i) {
      HONE_ASSIGN_OR_RETURN(ValueId element, chooseTensor(build, isTrue, (*first)[i], (*second)[i],
                                                          absl::StrCat("element ", i, " of ", what), sizes));
      chosen.push_back(element);
    }
    return makeSequence(std::move(chosen));
  }
  if (tensorOf(whenTrue) >= 0 && tensorOf(whenFalse) >= 0) {
    HONE_ASSIGN_OR_RETURN(ValueId chosen,
                          chooseTensor(build, isTrue, tensorOf(whenTrue), tensorOf(whenFalse), what, sizes));
    return Operand(chosen);
  }
  return differ(build, whenTrue, whenFalse, what);
}

absl::StatusOr<Operands> importIf(NodeContext &node) {
  Builder &build = node.build;
  if (!node.has(0) || node.dtype(0) != DType::Bool || build.type(node.input(0)).elements() != 1) {
    return invalid("the condition is ", describe(build, node.operands()[0]), ", not one bool");
  }
  if (const graph::ConstantData *condition = build.constant(node.input(0))) {
    return take(node, graph::elementAsInteger(*condition, 0) != 0 ? "then_branch" : "else_branch");
  }
  absl::StatusOr<Operands> results = takeBoth(node);
  if (results.ok()) return results;
  // What is wrong with one branch does not matter once it is known that the other one is taken.
  return absl::Status(results.status().code(), absl::StrCat(results.status().message(), "; which branch is taken ",
                                                            node.whatDecides(node.input(0))));
}

}  // namespace hone::frontend
