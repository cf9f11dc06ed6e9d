#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::tensor::testing {

Kernel gather(int64_t entries, int64_t width, int64_t count) {
  KernelBuilder b("gather");
  const int table = b.parameter("table", {entries, width});
  const int indices = b.input("indices", {count}, DType::I64);
  const int out = b.output("out", {count, width});
  b.begin("out", {parallel("i", count), parallel("c", width)});
  b.put(b.get(table, {clamp(load(indices, {dim(0)}), 0, entries - 1), dim(1)}), out, {dim(0), dim(1)});
  return b.finish();
}

Kernel lstm(int64_t steps, int64_t n, int64_t in, int64_t hidden) {
  KernelBuilder b("lstm");
  const int x = b.input("x", {steps, n, in});
  const int w = b.parameter("w", {4 * hidden, in});
  const int r = b.parameter("r", {4 * hidden, hidden});
  const int bias = b.parameter("b", {4 * hidden});
  const int h0 = b.input("h0", {n, hidden});
  const int c0 = b.input("c0", {n, hidden});
  const int fromInput = b.temporary("from_input", {steps, n, 4 * hidden});
  const int gates = b.temporary("gates", {steps, n, 4 * hidden});
  const int c = b.temporary("c", {steps, n, hidden});
  const int h = b.output("h", {steps, n, hidden});
  const Index d0 = dim(0), d1 = dim(1), d2 = dim(2), d3 = dim(3);

  // What does not depend on the state is one matmul over all steps.
  b.begin("from_input", {parallel("t", steps), parallel("n", n), parallel("j", 4 * hidden), reduce("k", in)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(x, {d0, d1, d3}) * b.get(w, {d2, d3}), fromInput, {d0, d1, d2});

  const Index before = clamp(d0 - 1, 0, steps - 1);
  const Scalar first = isIndex(d0, 0);
  b.begin("gates", {scan("t", steps), parallel("n", n), parallel("j", 4 * hidden), reduce("k", hidden)});
  b.fold(CombinerKind::Sum);
  const Scalar state = select(first, b.get(h0, {d1, d3}), b.get(h, {before, d1, d3}));
  b.put(state * b.get(r, {d2, d3}), gates, {d0, d1, d2});

  const auto gate = [&](int64_t which) {
    const Index j = d2 + which * hidden;
    return b.get(gates, {d0, d1, j}) + b.get(fromInput, {d0, d1, j}) + b.get(bias, {j});
  };
  b.begin("c", {scan("t", steps), parallel("n", n), parallel("u", hidden)});
  const Scalar cell = select(first, b.get(c0, {d1, d2}), b.get(c, {before, d1, d2}));
  b.put(sigmoid(gate(1)) * cell + sigmoid(gate(0)) * hyperbolicTangent(gate(2)), c, {d0, d1, d2});
  b.begin("h", {scan("t", steps), parallel("n", n), parallel("u", hidden)});
  b.put(sigmoid(gate(3)) * hyperbolicTangent(b.get(c, {d0, d1, d2})), h, {d0, d1, d2});
  return b.finish();
}

Kernel cumulativeSum(int64_t rows, int64_t columns) {
  KernelBuilder b("cumulative_sum");
  const int x = b.input("x", {rows, columns});
  const int out = b.output("out", {rows, columns});
  b.begin("out", {scan("c", columns), parallel("r", rows)});
  const Index c = dim(0), r = dim(1);
  const Scalar before = b.get(out, {r, clamp(c - 1, 0, columns - 1)});
  b.put(b.get(x, {r, c}) + select(isIndex(c, 0), f32(0), before), out, {r, c});
  return b.finish();
}

Kernel concatenation(int64_t rows, int64_t ca, int64_t cb) {
  KernelBuilder b("concatenation");
  const int left = b.input("a", {rows, ca});
  const int right = b.input("b", {rows, cb});
  const int out = b.output("out", {rows, ca + cb});
  b.begin("left", {parallel("r", rows), parallel("c", ca)});
  b.put(b.get(left, {dim(0), dim(1)}), out, {dim(0), dim(1)});
  b.begin("right", {parallel("r", rows), parallel("c", cb)});
  b.put(b.get(right, {dim(0), dim(1)}), out, {dim(0), dim(1) + ca});
  return b.finish();
}

Kernel rearrangement(int64_t a, int64_t b, int64_t c) {
  KernelBuilder builder("rearrangement");
  const int x = builder.input("x", {a, b, c});
  const int out = builder.output("out", {c * a, b});
  builder.begin("out", {parallel("i", c * a), parallel("j", b)});
  builder.put(builder.get(x, {mod(dim(0), a), dim(1) * -1 + (b - 1), floorDiv(dim(0), a)}), out, {dim(0), dim(1)});
  return builder.finish();
}

Kernel edgePadding(int64_t rows, int64_t columns, int64_t padding) {
  KernelBuilder b("edge_padding");
  const int x = b.input("x", {rows, columns});
  const int out = b.output("out", {rows + 2 * padding, columns + 2 * padding});
  b.begin("out", {parallel("r", rows + 2 * padding), parallel("c", columns + 2 * padding)});
  b.put(b.get(x, {clamp(dim(0) - padding, 0, rows - 1), clamp(dim(1) - padding, 0, columns - 1)}), out,
        {dim(0), dim(1)});
  return b.finish();
}

Kernel linearResize(int64_t y, int64_t x) {
  KernelBuilder b("linear_resize");
  const int in = b.input("x", {y, x});
  const int out = b.output("out", {2 * y, 2 * x});
  b.begin("out", {parallel("y", 2 * y), parallel("x", 2 * x)});
  // Pixel centres: output i lies at (i + 0.5) / 2 - 0.5 = (2 i - 1) / 4 of the input.
  const auto low = [](int d, int64_t extent) { return clamp(floorDiv(dim(d) * 2 - 1, 4), 0, extent - 1); };
  const auto high = [](int d, int64_t extent) { return clamp(floorDiv(dim(d) * 2 + 3, 4), 0, extent - 1); };
  const auto weight = [](int d) { return cast(DType::F32, indexValue(mod(dim(d) * 2 - 1, 4))) * f32(0.25); };
  const auto between = [](const Scalar &a, const Scalar &c, const Scalar &w) { return a + (c - a) * w; };
  const Scalar top = between(b.get(in, {low(0, y), low(1, x)}), b.get(in, {low(0, y), high(1, x)}), weight(1));
  const Scalar bottom = between(b.get(in, {high(0, y), low(1, x)}), b.get(in, {high(0, y), high(1, x)}), weight(1));
  b.put(between(top, bottom, weight(0)), out, {dim(0), dim(1)});
  return b.finish();
}

}  // namespace hone::tensor::testing
