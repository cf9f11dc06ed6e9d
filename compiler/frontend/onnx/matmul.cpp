// Products of matrices.
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/integer_products.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/print.h"

namespace hone::frontend {

Result importGemm(NodeContext &node) {
  Builder &build = node.build;
  DType dtype = node.dtype(0);
  HONE_ASSIGN_OR_RETURN(double alpha, node.real("alpha", 1.0));
  HONE_ASSIGN_OR_RETURN(double beta, node.real("beta", 1.0));
  HONE_ASSIGN_OR_RETURN(int64_t transposeA, node.integer("transA", 0));
  HONE_ASSIGN_OR_RETURN(int64_t transposeB, node.integer("transB", 0));
  if (node.rank(0) != 2 || node.rank(1) != 2) {
    return invalid("takes matrices, not shapes ", graph::shapeText(node.shape(0)), " and ",
                   graph::shapeText(node.shape(1)));
  }
  if (alpha == 1 && (beta == 1 || !node.has(2))) {
    std::vector<Result> bias;
    if (node.has(2)) bias.emplace_back(node.input(2));
    HONE_ASSIGN_OR_RETURN(std::optional<ValueId> ofIntegers, matMulOfIntegers(build, node.input(0), node.input(1), bias,
                                                                              {transposeA != 0, transposeB != 0}));
    if (ofIntegers) return *ofIntegers;
  }
  HONE_ASSIGN_OR_RETURN(ValueId result, build.matMul(node.input(0), node.input(1), transposeA != 0, transposeB != 0));
  if (alpha != 1) {
    HONE_ASSIGN_OR_RETURN(result, build.apply(ScalarOp::Mul, {result, build.number(dtype, alpha)}));
  }
  if (!node.has(2) || beta == 0) return result;
  if (!graph::broadcastsTo(node.shape(2), build.shape(result))) {
    return invalid("the third operand's shape ", graph::shapeText(node.shape(2)), " does not broadcast to ",
                   graph::shapeText(build.shape(result)));
  }
  Result added = node.input(2);
  if (beta != 1) added = build.apply(ScalarOp::Mul, {added, build.number(dtype, beta)});
  return build.apply(ScalarOp::Add, {result, added});
}

// A vector on the left is a row, one on the right is a column; the dim that makes it one is not in the result.
Result matMulOfAnyRank(Builder &build, Result a, Result b) {
  if (!a.ok() || !b.ok()) return a.ok() ? b : a;
  bool isRow = build.rank(*a) == 1, isColumn = build.rank(*b) == 1;
  if (isRow) a = build.reshape(a, {1, build.shape(*a)[0]});
  if (isColumn) b = build.reshape(b, {build.shape(*b)[0], 1});
  HONE_ASSIGN_OR_RETURN(ValueId product, build.matMul(a, b));
  Shape shape = build.shape(product);
  if (isColumn) shape.pop_back();
  if (isRow) shape.erase(shape.end() - (isColumn ? 1 : 2));
  return build.reshape(product, shape);
}

Result importMatMul(NodeContext &node) {
  if (node.rank(0) >= 2 && node.rank(1) >= 2) {
    HONE_ASSIGN_OR_RETURN(std::optional<ValueId> ofIntegers,
                          matMulOfIntegers(node.build, node.input(0), node.input(1), {}, {}));
    if (ofIntegers) return *ofIntegers;
  }
  return matMulOfAnyRank(node.build, node.input(0), node.input(1));
}

}  // namespace hone::frontend
