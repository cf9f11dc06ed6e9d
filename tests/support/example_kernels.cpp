#include "tests/support/example_kernels.h"

#include "tests/support/kernel_builder.h"

namespace hone::tensor::testing {
namespace {

struct ConvolutionBuffers {
  int data, weight;
};

ConvolutionBuffers addConvolutionBuffers(KernelBuilder &b, const ConvolutionSize &s) {
  const int data = b.input("data", {s.n, s.ic, s.y, s.x});
  const int weight = b.parameter("weight", {s.oc, s.ic, s.kernel, s.kernel});
  return {data, weight};
}

void addConvolution(KernelBuilder &b, const ConvolutionSize &s, ConvolutionBuffers buffers, int out) {
  b.begin("conv", {parallel("n", s.n), parallel("oc", s.oc), parallel("y", s.outY()), parallel("x", s.outX()),
                   reduce("ic", s.ic), reduce("ky", s.kernel), reduce("kx", s.kernel)});
  const Index n = dim(0), oc = dim(1), y = dim(2), x = dim(3), ic = dim(4), ky = dim(5), kx = dim(6);
  b.fold(CombinerKind::Sum);
  const Scalar data = b.get(
      buffers.data, {n, ic, y * s.stride + ky * s.dilation - s.padding, x * s.stride + kx * s.dilation - s.padding}, 0);
  b.put(data * b.get(buffers.weight, {oc, ic, ky, kx}), out, {n, oc, y, x});
}

}  // namespace

Kernel convolution(const ConvolutionSize &s) {
  KernelBuilder b("convolution");
  const ConvolutionBuffers buffers = addConvolutionBuffers(b, s);
  const int out = b.output("out", {s.n, s.oc, s.outY(), s.outX()});
  addConvolution(b, s, buffers, out);
  return b.finish();
}

Kernel convolutionWithEpilogue(const ConvolutionSize &s) {
  KernelBuilder b("convolution_with_epilogue");
  const std::vector<int64_t> shape = {s.n, s.oc, s.outY(), s.outX()};
  const ConvolutionBuffers buffers = addConvolutionBuffers(b, s);
  const int bias = b.parameter("bias", {s.oc});
  const int residual = b.input("residual", shape);
  const int conv = b.temporary("conv", shape);
  const int out = b.output("out", shape);
  addConvolution(b, s, buffers, conv);
  b.begin("out", {parallel("n", s.n), parallel("oc", s.oc), parallel("y", s.outY()), parallel("x", s.outX())});
  const std::vector<Index> here = {dim(0), dim(1), dim(2), dim(3)};
  b.put(maximum(b.get(conv, here) + b.get(bias, {dim(1)}) + b.get(residual, here), f32(0)), out, here);
  return b.finish();
}

Kernel matmul(int64_t batch, int64_t m, int64_t n, int64_t k) {
  KernelBuilder b("matmul");
  const int left = b.input("a", {batch, m, k});
  const int right = b.parameter("b", {batch, k, n});
  const int out = b.output("out", {batch, m, n});
  b.begin("out", {parallel("g", batch), parallel("m", m), parallel("n", n), reduce("k", k)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(left, {dim(0), dim(1), dim(3)}) * b.get(right, {dim(0), dim(3), dim(2)}), out, {dim(0), dim(1), dim(2)});
  return b.finish();
}

Kernel winogradStages(int64_t tile, int64_t ic, int64_t oc, int64_t y, int64_t x) {
  KernelBuilder b("winograd");
  const int64_t points = tile + 2;
  const int64_t tilesX = (x + tile - 1) / tile;
  const int64_t tiles = (y + tile - 1) / tile * tilesX;
  const int data = b.input("data", {1, ic, y, x});
  const int weight = b.parameter("weight", {oc, ic, 3, 3});
  const int g = b.parameter("g", {points, 3});
  const int bt = b.parameter("bt", {points, points});
  const int at = b.parameter("at", {tile, points});
  const int u = b.temporary("u", {points, points, oc, ic});
  const int v = b.temporary("v", {points, points, ic, tiles});
  const int m = b.temporary("m", {points, points, oc, tiles});
  const int out = b.output("out", {1, oc, y, x});
  const Index d0 = dim(0), d1 = dim(1), d2 = dim(2), d3 = dim(3), d4 = dim(4), d5 = dim(5);

  b.begin("u", {parallel("a", points), parallel("b", points), parallel("oc", oc), parallel("ic", ic), reduce("i", 3),
                reduce("j", 3)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(g, {d0, d4}) * b.get(g, {d1, d5}) * b.get(weight, {d2, d3, d4, d5}), u, {d0, d1, d2, d3});

  b.begin("v", {parallel("a", points), parallel("b", points), parallel("ic", ic), parallel("t", tiles),
                reduce("i", points), reduce("j", points)});
  b.fold(CombinerKind::Sum);
  const Scalar element =
      b.get(data, {constant(0), d2, floorDiv(d3, tilesX) * tile + d4 - 1, mod(d3, tilesX) * tile + d5 - 1}, 0);
  b.put(b.get(bt, {d0, d4}) * b.get(bt, {d1, d5}) * element, v, {d0, d1, d2, d3});

  b.begin("m",
          {parallel("a", points), parallel("b", points), parallel("oc", oc), parallel("t", tiles), reduce("ic", ic)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(u, {d0, d1, d2, d4}) * b.get(v, {d0, d1, d4, d3}), m, {d0, d1, d2, d3});

  b.begin("conv", {parallel("oc", oc), parallel("t", tiles), parallel("p", tile), parallel("q", tile),
                   reduce("a", points), reduce("b", points)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(at, {d2, d4}) * b.get(at, {d3, d5}) * b.get(m, {d4, d5, d0, d1}), out,
        {constant(0), d0, floorDiv(d1, tilesX) * tile + d2, mod(d1, tilesX) * tile + d3});
  return b.finish();
}

Kernel softmax(int64_t rows, int64_t columns) {
  KernelBuilder b("softmax");
  const int x = b.input("x", {rows, columns});
  const int mx = b.temporary("mx", {rows});
  const int e = b.temporary("e", {rows, columns});
  const int s = b.temporary("s", {rows});
  const int out = b.output("out", {rows, columns});
  const Index r = dim(0), c = dim(1);
  b.begin("mx", {parallel("r", rows), reduce("c", columns)});
  b.fold(CombinerKind::Max);
  b.put(b.get(x, {r, c}), mx, {r});
  b.begin("e", {parallel("r", rows), parallel("c", columns)});
  b.put(exponential(b.get(x, {r, c}) - b.get(mx, {r})), e, {r, c});
  b.begin("s", {parallel("r", rows), reduce("c", columns)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(e, {r, c}), s, {r});
  b.begin("out", {parallel("r", rows), parallel("c", columns)});
  b.put(b.get(e, {r, c}) / b.get(s, {r}), out, {r, c});
  return b.finish();
}

Kernel depthwise(const ConvolutionSize &s) {
  KernelBuilder b("depthwise");
  const int data = b.input("data", {s.n, s.ic, s.y, s.x});
  const int weight = b.parameter("weight", {s.ic, s.kernel, s.kernel});
  const int out = b.output("out", {s.n, s.ic, s.outY(), s.outX()});
  b.begin("conv", {parallel("n", s.n), parallel("c", s.ic), parallel("y", s.outY()), parallel("x", s.outX()),
                   reduce("ky", s.kernel), reduce("kx", s.kernel)});
  const Index n = dim(0), c = dim(1), y = dim(2), x = dim(3), ky = dim(4), kx = dim(5);
  b.fold(CombinerKind::Sum);
  const Scalar element =
      b.get(data, {n, c, y * s.stride + ky * s.dilation - s.padding, x * s.stride + kx * s.dilation - s.padding}, 0);
  b.put(element * b.get(weight, {c, ky, kx}), out, {n, c, y, x});
  return b.finish();
}

Kernel transposedConvolution(const ConvolutionSize &s) {
  KernelBuilder b("transposed_convolution");
  const int64_t outY = (s.y - 1) * s.stride + s.kernel - 2 * s.padding;
  const int64_t outX = (s.x - 1) * s.stride + s.kernel - 2 * s.padding;
  const int data = b.input("data", {s.n, s.ic, s.y, s.x});
  const int weight = b.parameter("weight", {s.ic, s.oc, s.kernel, s.kernel});
  const int out = b.output("out", {s.n, s.oc, outY, outX});
  b.begin("conv", {parallel("n", s.n), parallel("oc", s.oc), parallel("y", outY), parallel("x", outX),
                   reduce("ic", s.ic), reduce("ky", s.kernel), reduce("kx", s.kernel)});
  const Index n = dim(0), oc = dim(1), y = dim(2), x = dim(3), ic = dim(4), ky = dim(5), kx = dim(6);
  const Index fromY = y + ky * -1 + s.padding, fromX = x + kx * -1 + s.padding;
  b.fold(CombinerKind::Sum);
  const Scalar element = b.get(data, {n, ic, floorDiv(fromY, s.stride), floorDiv(fromX, s.stride)}, 0);
  const Scalar whole = apply(ScalarOp::And, {isIndex(mod(fromY, s.stride), 0), isIndex(mod(fromX, s.stride), 0)});
  b.put(select(whole, element, f32(0)) * b.get(weight, {ic, oc, ky, kx}), out, {n, oc, y, x});
  return b.finish();
}

std::vector<Kernel> exampleKernels() {
  ConvolutionSize strided;
  strided.n = 2, strided.stride = 2, strided.padding = 0, strided.oc = 5;
  ConvolutionSize dilated;
  dilated.dilation = 2, dilated.padding = 2, dilated.ic = 17, dilated.oc = 18;
  ConvolutionSize pointwise;
  pointwise.kernel = 1, pointwise.padding = 0, pointwise.ic = 20, pointwise.oc = 33;
  ConvolutionSize pool;
  pool.stride = 2, pool.ic = 19;
  return {
      convolution({}),
      convolution(strided),
      convolution(dilated),
      convolution(pointwise),
      convolutionWithEpilogue({}),
      convolutionWithEpilogue(pointwise),
      matmul(1, 5, 7, 9),
      matmul(3, 17, 33, 20),
      winogradStages(2, 3, 5, 7, 6),
      winogradStages(4, 3, 5, 7, 6),
      softmax(3, 37),
      softmax(2, 1),
      depthwise({}),
      depthwise(pool),
      transposedConvolution(strided),
      maxPool({}),
      maxPool(pool),
      argmax(5, 23),
      meanAndVariance(4, 19),
      layerNorm(3, 21),
      splitReduction(4, 37, 5),
      integerReductions(3, 11),
      quantizedMatmul(5, 18, 13),
      gather(9, 5, 7),
      lstm(4, 2, 3, 5),
      cumulativeSum(3, 9),
      concatenation(4, 3, 6),
      rearrangement(3, 4, 5),
      edgePadding(4, 5, 2),
      linearResize(4, 3),
  };
}

}  // namespace hone::tensor::testing
