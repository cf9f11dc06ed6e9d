#include "compiler/frontend/onnx/ml_scores.h"

#include <numbers>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/ordering.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

Result sigmoid(Builder &build, const Result &x) {
  if (!x.ok()) return x;
  Result one = build.number(build.dtype(*x), 1);
  Result below = build.apply(Op::Add, {one, build.apply(Op::Exp, {build.apply(Op::Neg, {x})})});
  return build.apply(Op::Div, {one, below});
}

/// The inverse of the normal distribution, with the inverse error function after S. Winitzki ("A handy approximation
/// for the error function and its inverse"), whose constant a is 0.147. ONNX Runtime does the same.
Result probit(Builder &build, const Result &p) {
  if (!p.ok()) return p;
  const auto number = [&](double value) { return build.number(build.dtype(*p), value); };
  constexpr double kA = 0.147, kPi = 3.14159;
  Result x = build.apply(Op::Sub, {build.apply(Op::Mul, {p, number(2)}), number(1)});
  Result product = build.apply(Op::Mul, {build.apply(Op::Sub, {number(1), x}), build.apply(Op::Add, {number(1), x})});
  Result log = build.apply(Op::Log, {product});
  Result v = build.apply(Op::Add, {number(2 / (kPi * kA)), build.apply(Op::Mul, {log, number(0.5)})});
  Result w = build.apply(Op::Mul, {log, number(1 / kA)});
  Result root = build.apply(Op::Sqrt, {build.apply(Op::Sub, {build.apply(Op::Mul, {v, v}), w})});
  Result size = build.apply(Op::Sqrt, {build.apply(Op::Sub, {root, v})});
  Result isNegative = build.apply(Op::Less, {x, number(0)});
  Result inverse = build.apply(Op::Select, {isNegative, build.apply(Op::Neg, {size}), size});
  return build.apply(Op::Mul, {inverse, number(std::numbers::sqrt2)});
}

/// A softmax of the scores that are not 0; those stay 0.
Result softmaxZero(Builder &build, const Result &scores) {
  if (!scores.ok()) return scores;
  const auto number = [&](double value) { return build.number(build.dtype(*scores), value); };
  Result highest = build.reduce(graph::ReduceKind::Max, scores, {1}, true);
  Result isZero = build.apply(Op::LessEqual, {build.apply(Op::Abs, {scores}), number(1e-7)});
  Result power = build.apply(Op::Exp, {build.apply(Op::Sub, {scores, highest})});
  Result sum = build.reduce(graph::ReduceKind::Sum, build.apply(Op::Select, {isZero, number(0), power}), {1}, true);
  Result small = build.apply(Op::Mul, {scores, build.apply(Op::Exp, {build.apply(Op::Neg, {highest})})});
  return build.apply(Op::Div, {build.apply(Op::Select, {isZero, small, power}), sum});
}

}  // namespace

Result featureRows(const NodeContext &node, DType dtype) {
  const Shape shape = node.shape(0);
  if (shape.empty() || shape.size() > 2) {
    return invalid("takes rows of features [N, F], not shape ", graph::shapeText(shape));
  }
  Result rows = node.build.reshape(node.input(0), {shape.size() == 2 ? shape[0] : 1, shape.back()});
  return node.build.cast(rows, dtype);
}

absl::StatusOr<std::vector<double>> realsOrNone(const NodeContext &node, std::string_view name) {
  if (!node.hasAttribute(name)) return std::vector<double>();
  return node.reals(name);
}

absl::StatusOr<std::vector<double>> realsOrTensor(const NodeContext &node, const std::string &name) {
  const std::string asTensor = name + "_as_tensor";
  if (!node.hasAttribute(asTensor)) return realsOrNone(node, name);
  HONE_ASSIGN_OR_RETURN(graph::Constant tensor, node.tensor(asTensor));
  std::vector<double> result(static_cast<size_t>(tensor->type.elements()));
  graph::readElements(*tensor, 0, 1, tensor->type.elements(), result.data());
  return result;
}

absl::StatusOr<std::vector<int64_t>> integersOrNone(const NodeContext &node, std::string_view name) {
  if (!node.hasAttribute(name)) return std::vector<int64_t>();
  return node.integers(name);
}

Result constantOf(Builder &build, DType dtype, Shape shape, const std::vector<double> &values) {
  return build.constant(graph::makeConstant({dtype, std::move(shape)}, values));
}

absl::StatusOr<PostTransform> readPostTransform(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::string name, node.text("post_transform", "NONE"));
  constexpr std::pair<const char *, PostTransform> kNames[] = {{"NONE", PostTransform::None},
                                                               {"LOGISTIC", PostTransform::Logistic},
                                                               {"SOFTMAX", PostTransform::Softmax},
                                                               {"SOFTMAX_ZERO", PostTransform::SoftmaxZero},
                                                               {"PROBIT", PostTransform::Probit}};
  for (const auto &[known, transform] : kNames) {
    if (name == known) return transform;
  }
  return invalid("attribute 'post_transform' is '", name, "', not NONE, LOGISTIC, SOFTMAX, SOFTMAX_ZERO or PROBIT");
}

Result transformed(Builder &build, Result scores, PostTransform transform) {
  if (!scores.ok()) return scores;
  if (build.shape(*scores)[1] == 1 && transform != PostTransform::Probit) return scores;
  switch (transform) {
    case PostTransform::None:
      return scores;
    case PostTransform::Logistic:
      return sigmoid(build, scores);
    case PostTransform::Softmax:
      return build.softmax(graph::Op::Softmax, scores, 1);
    case PostTransform::SoftmaxZero:
      return softmaxZero(build, scores);
    case PostTransform::Probit:
      return probit(build, scores);
  }
  return scores;
}

Result twoClasses(Builder &build, Result score, PostTransform transform, bool isProbability) {
  if (!score.ok()) return score;
  if (transform == PostTransform::Probit) return unsupported("PROBIT of a single score for two classes");
  Result opposite = build.apply(Op::Neg, {score});
  if (transform == PostTransform::Logistic) {
    return build.concat({sigmoid(build, opposite), sigmoid(build, score)}, 1);
  }
  if (isProbability) opposite = build.apply(Op::Sub, {build.number(build.dtype(*score), 1), score});
  return build.concat({opposite, score}, 1);
}

absl::StatusOr<ClassLabels> readLabels(const NodeContext &node, std::string_view integers, std::string_view text) {
  ClassLabels labels;
  if (node.hasAttribute(text)) {
    HONE_ASSIGN_OR_RETURN(std::vector<std::string> names, node.texts(text));
    if (!names.empty()) {
      if (node.isOutputUsed(0)) {
        return unsupported("the labels (attribute '", view(text),
                           "') are text, and a compiled network has numbers only; ",
                           "encode the classes as integers before the model is trained, or end the network at the "
                           "scores and look up the label of the highest");
      }
      labels.numbers.resize(names.size());
      std::iota(labels.numbers.begin(), labels.numbers.end(), 0);
      return labels;
    }
  }
  HONE_ASSIGN_OR_RETURN(labels.numbers, node.integers(integers));
  return labels;
}

Result labelsAt(Builder &build, const ClassLabels &labels, Result places) {
  return build.gather(build.integers(labels.numbers), std::move(places), 0);
}

Result labelWhere(Builder &build, Result condition, int64_t yes, int64_t no) {
  Result chosen =
      build.apply(Op::Select, {std::move(condition), build.integer(DType::I64, yes), build.integer(DType::I64, no)});
  if (!chosen.ok()) return chosen;
  return build.reshape(chosen, {build.shape(*chosen)[0]});
}

Result highestClass(Builder &build, Result scores) {
  if (!scores.ok()) return scores;
  Result place = extremePosition(build, *scores, 1, true, false);
  return build.reshape(place, {build.shape(*scores)[0]});
}

}  // namespace hone::frontend
