// Losses, which also serve to evaluate a network: the class that the target names is chosen by comparing it with all.
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/wide_unary.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

class Loss {
 public:
  Loss(NodeContext &node, ValueId logarithms)
      : node_(node), build_(node.build), logarithms_(logarithms), dtype_(node.build.dtype(logarithms)) {}

  Result run() {
    HONE_RETURN_IF_ERROR(checkShapes());
    HONE_ASSIGN_OR_RETURN(std::string reduction, node_.text("reduction", "mean"));
    if (reduction != "none" && reduction != "sum" && reduction != "mean") {
      return invalid("attribute 'reduction' is '", reduction, "', not none, sum or mean");
    }
    HONE_RETURN_IF_ERROR(compareClasses());
    Result loss = build_.apply(Op::Neg, {atTarget(logarithms_)});
    bool isWeighted = node_.has(2) || node_.hasAttribute("ignore_index");
    if (isWeighted) {
      HONE_RETURN_IF_ERROR(readWeights());
      // Selected, not only multiplied: what is ignored may be infinite.
      Result product = build_.apply(Op::Mul, {loss, weights_});
      loss = ignored_.ok() ? build_.apply(Op::Select, {ignored_, zero(), product}) : product;
    }
    if (reduction == "none") return loss;
    if (reduction == "mean" && !isWeighted) return total(graph::ReduceKind::Mean, loss);
    loss = total(graph::ReduceKind::Sum, loss);
    return reduction == "sum" ? loss : build_.apply(Op::Div, {loss, total(graph::ReduceKind::Sum, weights_)});
  }

 private:
  Result zero() { return build_.number(dtype_, 0); }

  absl::Status checkShapes() {
    const Shape &data = build_.shape(logarithms_);
    if (data.size() < 2) return invalid("takes 2 dims or more, not shape ", graph::shapeText(data));
    Shape wanted = data;
    wanted.erase(wanted.begin() + 1);
    if (node_.shape(1) != wanted) {
      return invalid("the target's shape ", graph::shapeText(node_.shape(1)), " is not ", graph::shapeText(wanted));
    }
    if (!isInteger(node_.dtype(1))) return invalid("the target is not of integers");
    if (node_.has(2) && node_.shape(2) != Shape{data[1]}) {
      return invalid("the weights' shape ", graph::shapeText(node_.shape(2)), " is not [", data[1], "]");
    }
    return absl::OkStatus();
  }

  /// Whether the target is class c, for every class, along dim 1.
  absl::Status compareClasses() {
    const Shape &data = build_.shape(logarithms_);
    Shape target = data, along(data.size() - 1, 1);
    target[1] = 1;
    along[0] = data[1];
    std::vector<int64_t> classes(static_cast<size_t>(data[1]));
    std::iota(classes.begin(), classes.end(), 0);
    along_ = along;
    Result list = build_.constant(graph::makeConstant({node_.dtype(1), along}, classes));
    isTarget_ = build_.apply(Op::Equal, {build_.reshape(node_.input(1), target), list});
    return isTarget_.status();
  }

  /// The element of \p values (one per class, along dim 1) that the target names; 0 where it names none.
  Result atTarget(Result values) {
    Result chosen = build_.apply(Op::Select, {isTarget_, std::move(values), zero()});
    return build_.reduce(graph::ReduceKind::Sum, chosen, {1}, false);
  }

  absl::Status readWeights() {
    weights_ = build_.broadcast(build_.number(dtype_, 1), node_.shape(1));
    if (node_.has(2)) weights_ = atTarget(build_.reshape(build_.cast(node_.input(2), dtype_), along_));
    if (node_.hasAttribute("ignore_index")) {
      HONE_ASSIGN_OR_RETURN(int64_t index, node_.integer("ignore_index"));
      ignored_ = build_.apply(Op::Equal, {node_.input(1), build_.integer(node_.dtype(1), index)});
      weights_ = build_.apply(Op::Select, {ignored_, zero(), weights_});
    }
    return weights_.status();
  }

  Result total(graph::ReduceKind kind, Result values) {
    std::vector<int64_t> axes(static_cast<size_t>(node_.rank(1)));
    std::iota(axes.begin(), axes.end(), 0);
    return build_.reduce(kind, std::move(values), axes, false);
  }

  NodeContext &node_;
  Builder &build_;
  ValueId logarithms_;
  DType dtype_;
  Shape along_;  ///< of a list with an entry per class
  Result isTarget_ = absl::UnknownError("not compared yet");
  Result weights_ = absl::UnknownError("there are no weights");
  Result ignored_ = absl::UnknownError("nothing is ignored");
};

}  // namespace

Result importNegativeLogLikelihoodLoss(NodeContext &node) {
  DType dtype = node.dtype(0);
  HONE_ASSIGN_OR_RETURN(ValueId wide, node.build.cast(node.input(0), widened(dtype)));
  return node.build.cast(Loss(node, wide).run(), dtype);
}

Result importSoftmaxCrossEntropyLoss(NodeContext &node) {
  Builder &build = node.build;
  DType dtype = node.dtype(0);
  if (node.rank(0) < 2) return invalid("takes 2 dims or more, not shape ", graph::shapeText(node.shape(0)));
  Result wide = build.cast(node.input(0), widened(dtype));
  HONE_ASSIGN_OR_RETURN(ValueId logarithms, build.softmax(graph::Op::LogSoftmax, wide, 1));
  HONE_ASSIGN_OR_RETURN(ValueId loss, build.cast(Loss(node, logarithms).run(), dtype));
  if (node.isOutputUsed(1)) {
    HONE_ASSIGN_OR_RETURN(ValueId probabilities, build.cast(logarithms, dtype));
    node.addOutput(probabilities);
  }
  return loss;
}

}  // namespace hone::frontend
