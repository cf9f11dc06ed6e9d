// What ONNX Runtime's optimiser makes of neighbours: products with scale, transposes and activation, layer norms with
// the sum in front of them.
#include <algorithm>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/activation.h"
#include "compiler/frontend/onnx/microsoft_operators.h"
#include "compiler/frontend/onnx/normalisation.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

// The versions of ONNX's Conv and Gemm that the fused forms continue.
constexpr int64_t kConvVersion = 11, kGemmVersion = 13;

ValueId operandOr(const NodeContext &node, int position, ValueId otherwise) {
  return node.has(position) ? node.input(position) : otherwise;
}

/// \p x through the activation that the attribute names; \p parameters are its numbers, as far as they are given.
Result activated(NodeContext &node, Result x, std::vector<double> parameters) {
  if (!x.ok() || !node.hasAttribute("activation")) return x;
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(std::string name, node.text("activation"));
  const DType dtype = build.dtype(*x);
  const auto parameter = [&](size_t position, double otherwise) {
    return position < parameters.size() ? parameters[position] : otherwise;
  };
  if (name.empty()) return x;
  if (name == "Relu") return build.apply(Op::Max, {x, build.number(dtype, 0)});
  if (name == "Tanh") return build.apply(Op::Tanh, {x});
  if (name == "Sigmoid") return sigmoid(build, x);
  if (name == "LeakyRelu") return leakyRelu(build, x, parameter(0, 0.01));
  if (name == "HardSigmoid") return hardSigmoid(build, x, parameter(0, 0.2), parameter(1, 0.5));
  if (name == "Clip" && parameters.size() == 2) {
    Result above = build.apply(Op::Max, {x, build.number(dtype, parameters[0])});
    return build.apply(Op::Min, {above, build.number(dtype, parameters[1])});
  }
  return unsupported("activation '", name, "' with ", parameters.size(),
                     " parameters; Relu, Tanh, Sigmoid, LeakyRelu, HardSigmoid and Clip are supported");
}

Result activatedConv(NodeContext &node, Result x) {
  std::vector<double> parameters;
  if (node.hasAttribute("activation_params")) {
    HONE_ASSIGN_OR_RETURN(parameters, node.reals("activation_params"));
  }
  return activated(node, std::move(x), std::move(parameters));
}

/// An operand of a product with what FusedMatMul transposes before it: the last two dims, or the first one, which moves
/// in front of the last.
Result transposedOperand(NodeContext &node, int position, const char *matrix, const char *batch) {
  HONE_ASSIGN_OR_RETURN(int64_t transposesMatrix, node.integer(matrix, 0));
  HONE_ASSIGN_OR_RETURN(int64_t transposesBatch, node.integer(batch, 0));
  const int64_t rank = node.rank(position);
  if (rank < 2) return node.input(position);
  std::vector<int64_t> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  if (transposesBatch != 0) std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
  if (transposesMatrix != 0) std::swap(order[order.size() - 2], order.back());
  return node.build.transpose(node.input(position), order);
}

absl::Status refuseStatistics(const NodeContext &node) {
  if (!node.isOutputUsed(1) && !node.isOutputUsed(2)) return absl::OkStatus();
  return unsupported(
      "outputs 1 and 2 (mean and inv_std_var), which only training reads; export the model for inference");
}

/// Data plus skip plus bias, which is an output, too.
Result addSkip(NodeContext &node, int biasPosition) {
  HONE_RETURN_IF_ERROR(refuseStatistics(node));
  HONE_ASSIGN_OR_RETURN(ValueId sum, node.build.apply(Op::Add, {node.input(0), node.input(1)}));
  if (node.has(biasPosition)) {
    HONE_ASSIGN_OR_RETURN(sum, node.build.apply(Op::Add, {sum, node.input(biasPosition)}));
  }
  if (node.build.shape(sum) != node.shape(0)) {
    return invalid("the skipped data ", graph::shapeText(node.shape(1)), " does not go together with ",
                   graph::shapeText(node.shape(0)));
  }
  // Something stands in the places of the outputs that only training reads.
  for (int i = 0; i < 3; ++i) node.addOutput(sum);
  return sum;
}

/// Layer norm over the last dim.
Result normalised(NodeContext &node, Result data, int scale, int shift) {
  HONE_ASSIGN_OR_RETURN(double epsilon, node.real("epsilon", 1e-12F));
  if (!data.ok()) return data;
  Builder &build = node.build;
  Result added = node.has(shift) ? Result(node.input(shift)) : build.number(build.dtype(*data), 0);
  return build.layerNorm(data, node.input(scale), added, build.rank(*data) - 1, epsilon);
}

}  // namespace

Result importFusedMatMul(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  Result product = matMulOfAnyRank(node.build, transposedOperand(node, 0, "transA", "transBatchA"),
                                   transposedOperand(node, 1, "transB", "transBatchB"));
  if (alpha == 1) return product;
  return node.build.apply(Op::Mul, {product, node.build.number(node.dtype(0), alpha)});
}

Result importFusedGemm(NodeContext &node) {
  std::vector<double> parameters;
  for (const char *name : {"activation_alpha", "activation_beta"}) {
    if (!node.hasAttribute(name)) break;
    HONE_ASSIGN_OR_RETURN(double value, node.real(name));
    parameters.push_back(value);
  }
  NodeContext gemm = node.withInputs(node.inputs(), kGemmVersion);
  return activated(node, importGemm(gemm), std::move(parameters));
}

// The fourth operand is added in front of the activation.
Result importFusedConv(NodeContext &node) {
  NodeContext conv = node.withInputs({node.input(0), node.input(1), operandOr(node, 2, kOmitted)}, kConvVersion);
  Result result = importConv(conv);
  if (node.has(3)) result = node.build.apply(Op::Add, {result, node.input(3)});
  return activatedConv(node, std::move(result));
}

// The channels of the data are its last dim.
Result importNhwcConv(NodeContext &node) {
  Builder &build = node.build;
  if (node.rank(0) < 3) return invalid("takes 3 dims or more, not shape ", graph::shapeText(node.shape(0)));
  std::vector<int64_t> first(static_cast<size_t>(node.rank(0)));
  std::iota(first.begin(), first.end(), 0);
  std::vector<int64_t> last = first;
  std::rotate(first.begin() + 1, first.end() - 1, first.end());
  std::rotate(last.begin() + 1, last.begin() + 2, last.end());
  HONE_ASSIGN_OR_RETURN(ValueId data, build.transpose(node.input(0), first));
  NodeContext conv = node.withInputs({data, node.input(1), operandOr(node, 2, kOmitted)}, kConvVersion);
  Result result = build.transpose(importConv(conv), last);
  if (node.has(3)) result = build.apply(Op::Add, {result, node.input(3)});
  return activatedConv(node, std::move(result));
}

Result importBiasGelu(NodeContext &node) {
  return gelu(node.build, node.build.apply(Op::Add, {node.input(0), node.input(1)}));
}

Result importFastGelu(NodeContext &node) {
  Result data = node.input(0);
  if (node.has(1)) data = node.build.apply(Op::Add, {data, node.input(1)});
  return tanhGelu(node.build, data);
}

Result importQuickGelu(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.702F));
  return swish(node.build, node.input(0), alpha);
}

// The first half of the last dim times gelu of the second.
Result importBiasSplitGelu(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(ValueId sum, build.apply(Op::Add, {node.input(0), node.input(1)}));
  Shape shape = build.shape(sum), starts(shape.size(), 0);
  if (shape.empty() || shape.back() % 2 != 0) return invalid("shape ", graph::shapeText(shape), " has no two halves");
  shape.back() /= 2;
  const Shape steps(shape.size(), 1);
  Result left = build.slice(sum, starts, steps, shape);
  starts.back() = shape.back();
  return build.apply(Op::Mul, {left, gelu(build, build.slice(sum, starts, steps, shape))});
}

Result importSkipLayerNormalization(NodeContext &node) { return normalised(node, addSkip(node, 4), 2, 3); }

Result importSkipSimplifiedLayerNormalization(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(double epsilon, node.real("epsilon", 1e-12F));
  HONE_ASSIGN_OR_RETURN(ValueId sum, addSkip(node, 3));
  HONE_ASSIGN_OR_RETURN(RmsNorm norm, rmsNorm(node.build, sum, node.input(2), node.build.rank(sum) - 1, epsilon));
  return norm.result;
}

// Words, their places and their segments, each with a row of a table; the sum of the rows is normalised.
Result importEmbedLayerNormalization(NodeContext &node) {
  constexpr int kSegments = 1, kPlaces = 3, kSegmentRows = 4, kMask = 7, kPositions = 8;
  HONE_RETURN_IF_ERROR(requireOperands(node, {2, kPlaces, 5, 6}));
  Builder &build = node.build;
  const Shape words = node.shape(0);
  if (words.size() != 2 || node.rank(2) != 2 || node.rank(kPlaces) != 2 || node.shape(kPlaces)[0] < words[1]) {
    return invalid("words ", graph::shapeText(words), " do not go together with tables ",
                   graph::shapeText(node.shape(2)), " of words and ", graph::shapeText(node.shape(kPlaces)),
                   " of places");
  }
  Result places = node.has(kPositions)
                      ? build.gather(node.input(kPlaces), node.input(kPositions), 0)
                      : build.slice(node.input(kPlaces), {0, 0}, {1, 1}, {words[1], node.shape(kPlaces)[1]});
  HONE_ASSIGN_OR_RETURN(ValueId sum, build.apply(Op::Add, {build.gather(node.input(2), node.input(0), 0), places}));
  if (node.has(kSegments) && node.has(kSegmentRows)) {
    Result segments = build.gather(node.input(kSegmentRows), node.input(kSegments), 0);
    HONE_ASSIGN_OR_RETURN(sum, build.apply(Op::Add, {sum, segments}));
  }
  Result count = build.broadcast(build.integer(DType::I32, 0), {words[0]});
  if (node.has(kMask)) {
    Result isWord = build.apply(Op::Equal, {build.cast(node.input(kMask), DType::I32), build.integer(DType::I32, 1)});
    count = build.reduce(graph::ReduceKind::Sum, build.cast(isWord, DType::I32), {1}, false);
  }
  HONE_ASSIGN_OR_RETURN(ValueId wordCount, count);
  node.addOutput(wordCount);
  node.addOutput(sum);
  return normalised(node, sum, 5, 6);
}

}  // namespace hone::frontend
