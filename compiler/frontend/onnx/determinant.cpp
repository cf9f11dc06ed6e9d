// Det: elimination with pivoting, all matrices of a batch side by side; the steps are a scan dim.
#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/ordering.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using tensor::Dim;
using tensor::Index;
using tensor::KernelBuilder;
using tensor::Scalar;

/// f [count, n, n] -> f [count]
tensor::Kernel eliminate(int64_t count, int64_t n, DType dtype) {
  const DType computed = accumulatorOf(dtype);
  const auto number = [&](double value) { return tensor::number(value, computed); };
  KernelBuilder b("det");
  const int x = b.input("data", {count, n, n}, dtype);
  const int left = b.temporary("left", {count, n, n}, computed),
            swapped = b.temporary("swapped", {count, n, n}, computed);
  const int size = b.temporary("size", {count}, computed), pivot = b.temporary("pivot", {count}, DType::I32);
  const int product = b.temporary("product", {count}, computed), y = b.output("result", {count}, dtype);

  const Dim batch = tensor::parallel("b", count), rows = tensor::parallel("i", n), columns = tensor::parallel("j", n);
  b.begin("copy", {batch, rows, columns});
  b.put(tensor::cast(computed, b.get(x, {tensor::dim(0), tensor::dim(1), tensor::dim(2)})), left,
        {tensor::dim(0), tensor::dim(1), tensor::dim(2)});
  b.begin("one", {batch});
  b.put(number(1), product, {tensor::dim(0)});

  const Dim steps = tensor::scan("k", n);
  const Index k = tensor::dim(0), m = tensor::dim(1), i = tensor::dim(2), j = tensor::dim(3);
  b.begin("pivot", {steps, batch, tensor::reduce("i", n)});
  const Scalar isOpen = tensor::negation(tensor::less(tensor::indexValue(i), tensor::indexValue(k)));
  const Scalar oldSize = tensor::accumulator(0, computed), newSize = tensor::element(0, computed);
  const Scalar oldRow = tensor::accumulator(1, DType::I32), newRow = tensor::element(1, DType::I32);
  const Scalar wins = tensor::either(precedes(newSize, oldSize, true),
                                     tensor::both(ties(newSize, oldSize), tensor::less(newRow, oldRow)));
  b.fold({tensor::select(wins, newSize, oldSize), tensor::select(wins, newRow, oldRow)},
         {number(-1), tensor::identity(tensor::CombinerKind::Min, DType::I32)});
  b.put(tensor::select(isOpen, tensor::apply(ScalarOp::Abs, {b.get(left, {m, i, k})}), number(-1)), size, {m});
  b.put(tensor::cast(DType::I32, tensor::indexValue(i)), pivot, {m});

  b.begin("swap", {steps, batch, rows, columns});
  const Index chosen = tensor::clamp(tensor::load(pivot, {m}), 0, n - 1);
  const Scalar isStep = tensor::equal(tensor::indexValue(i), tensor::indexValue(k));
  const Scalar isChosen = tensor::equal(tensor::indexValue(i), tensor::indexValue(chosen));
  b.put(tensor::select(isStep, b.get(left, {m, chosen, j}),
                       tensor::select(isChosen, b.get(left, {m, k, j}), b.get(left, {m, i, j}))),
        swapped, {m, i, j});

  b.begin("multiply", {steps, batch});
  const Scalar stays = tensor::equal(tensor::indexValue(chosen), tensor::indexValue(k));
  const Scalar factor = tensor::select(stays, number(1), number(-1)) * b.get(swapped, {m, k, k});
  b.put(b.get(product, {m}) * factor, product, {m});

  b.begin("subtract", {steps, batch, rows, columns});
  const Scalar diagonal = b.get(swapped, {m, k, k}), own = b.get(swapped, {m, i, j});
  // Where the pivot is 0 so is the product; what is left does not matter, but must not become NaN.
  const Scalar share =
      tensor::select(tensor::equal(diagonal, number(0)), number(0), b.get(swapped, {m, i, k}) / diagonal);
  const Scalar isBelow = tensor::less(tensor::indexValue(k), tensor::indexValue(i));
  b.put(tensor::select(isBelow, own - share * b.get(swapped, {m, k, j}), own), left, {m, i, j});

  b.begin("result", {batch});
  b.put(tensor::cast(dtype, b.get(product, {tensor::dim(0)})), y, {tensor::dim(0)});
  return b.finish();
}

}  // namespace

Result importDet(NodeContext &node) {
  Builder &build = node.build;
  const Shape &shape = node.shape(0);
  if (shape.size() < 2 || shape.back() != shape[shape.size() - 2]) {
    return invalid("takes square matrices, not shape ", graph::shapeText(shape));
  }
  if (!isFloat(node.dtype(0))) return invalid("takes floats");
  const int64_t n = shape.back();
  const Shape result(shape.begin(), shape.end() - 2);
  // The product over no diagonal is 1.
  if (n == 0) return build.broadcast(build.number(node.dtype(0), 1), result);
  const int64_t count = build.type(node.input(0)).elements() / (n * n);
  Result flat = build.reshape(node.input(0), {count, n, n});
  return build.reshape(build.compute(eliminate(count, n, node.dtype(0)), {flat}), result);
}

}  // namespace hone::frontend
