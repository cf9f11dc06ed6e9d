// Golden text: what records, schedules and people see of a kernel.
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::tensor {
namespace {

using namespace testing;

TEST(Print, ConvolutionWithEpilogue) {
  ConvolutionSize size;
  size.ic = 64, size.oc = 64, size.y = 56, size.x = 56;
  Kernel kernel = convolutionWithEpilogue(size);
  kernel.buffers[0].layout = Layout::blocked(kernel.buffers[0].shape, 1, 16);
  EXPECT_EQ(print(kernel),
            "kernel convolution_with_epilogue\n"
            "input data f32[1,64,56,56] layout [0][1/16][2][3][1%16]\n"
            "parameter weight f32[64,64,3,3]\n"
            "parameter bias f32[64]\n"
            "input residual f32[1,64,56,56]\n"
            "temporary conv f32[1,64,56,56]\n"
            "output out f32[1,64,56,56]\n"
            "conv(n 1, oc 64, y 56, x 56; reduce ic 64, ky 3, kx 3) : f32\n"
            "    = sum data[n, ic, y + ky - 1, x + kx - 1] (0 outside) * weight[oc, ic, ky, kx]\n"
            "    -> conv[n, oc, y, x]\n"
            "out(n 1, oc 64, y 56, x 56) : f32\n"
            "    = max(conv[n, oc, y, x] + bias[oc] + residual[n, oc, y, x], 0)\n"
            "    -> out[n, oc, y, x]\n");
}

TEST(Print, WinogradTiles) {
  const std::string text = print(winogradStages(4, 3, 5, 7, 6));
  EXPECT_NE(
      text.find("= sum bt[a, i] * bt[b, j] * data[0, ic, 4 * (t / 2) + i - 1, 4 * (t % 2) + j - 1] (0 outside)\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("-> out[0, oc, 4 * (t / 2) + p, 4 * (t % 2) + q]\n"), std::string::npos) << text;
}

TEST(Print, TuplesScansAndLoads) {
  EXPECT_EQ(print(argmax(5, 23)),
            "kernel argmax\n"
            "input x f32[5,23]\n"
            "output index i64[5]\n"
            "output value f32[5]\n"
            "best(r 5; reduce c 23) : (f32, i64)\n"
            "    = fold (x[r, c], index(c))\n"
            "    from (-inf, 9223372036854775807)\n"
            "    by (select(or(less(acc0, new0), and(equal(acc0, new0), less(new1, acc1))), new0, acc0), "
            "select(or(less(acc0, new0), and(equal(acc0, new0), less(new1, acc1))), new1, acc1))\n"
            "    -> (value[r], index[r])\n");
  EXPECT_EQ(print(cumulativeSum(3, 9)),
            "kernel cumulative_sum\n"
            "input x f32[3,9]\n"
            "output out f32[3,9]\n"
            "out(scan c 9; r 3) : f32\n"
            "    = x[r, c] + select(equal(index(c), 0), 0, out[r, clamp(c - 1, 0, 8)])\n"
            "    -> out[r, c]\n");
  EXPECT_NE(print(gather(9, 5, 7)).find("= table[clamp(indices[i], 0, 8), c]\n"), std::string::npos);
}

/// The text of one expression of a stage with dims p and q that reads x (f32) and k (i32).
std::string textOf(const std::function<Scalar(const Scalar &x, const Scalar &k)> &body) {
  KernelBuilder b("k");
  const int x = b.input("x", {4, 6}), k = b.input("k", {4}, DType::I32), out = b.output("out", {4, 6});
  b.begin("s", {parallel("p", 4), parallel("q", 6)});
  const Scalar first = b.get(x, {dim(0), dim(1)}), second = b.get(k, {dim(0)});
  b.put(body(first, second), out, {dim(0), dim(1)});
  const std::string text = print(b.kernel());
  const size_t from = text.find("    = ") + 6;
  return text.substr(from, text.find('\n', from) - from);
}

TEST(Print, ExpressionsShowTheirTree) {
  EXPECT_EQ(textOf([](auto x, auto) { return (x + x) * x; }), "(x[p, q] + x[p, q]) * x[p, q]");
  EXPECT_EQ(textOf([](auto x, auto) { return x - (x - x); }), "x[p, q] - (x[p, q] - x[p, q])");
  EXPECT_EQ(textOf([](auto x, auto) { return x - x - x; }), "x[p, q] - x[p, q] - x[p, q]");
  EXPECT_EQ(textOf([](auto x, auto) { return x / (x * x); }), "x[p, q] / (x[p, q] * x[p, q])");
  EXPECT_EQ(textOf([](auto x, auto k) { return x * cast(DType::F32, k + k); }), "x[p, q] * f32(k[p] + k[p])");
  EXPECT_EQ(textOf([](auto x, auto) { return apply(ScalarOp::Neg, {x}); }), "neg(x[p, q])");
  EXPECT_EQ(textOf([](auto, auto k) { return bits(DType::F32, k + k); }), "bits:f32(k[p] + k[p])");
  EXPECT_EQ(textOf([](auto, auto) { return cast(DType::F32, indexValue((dim(0) + dim(1)) * 3)); }),
            "f32(index(3 * (p + q)))");
}

TEST(Print, ConstantsSayTheirTypeWhereNothingElseDoes) {
  EXPECT_EQ(textOf([](auto x, auto) { return x * f32(0.1); }), "x[p, q] * 0.1");
  EXPECT_EQ(textOf([](auto, auto) { return f32(1e-5); }), "1e-05");
  EXPECT_EQ(textOf([](auto, auto) { return cast(DType::F32, number(3, DType::U8)); }), "f32(3:u8)");
  EXPECT_EQ(textOf([](auto x, auto) { return select(equal(number(3, DType::U8), number(4, DType::U8)), x, f32(-2)); }),
            "select(equal(3:u8, 4:u8), x[p, q], -2)");
  EXPECT_EQ(textOf([](auto, auto) { return f32(-std::numeric_limits<double>::infinity()); }), "-inf");
  EXPECT_EQ(textOf([](auto, auto) { return cast(DType::F32, identity(CombinerKind::Min, DType::U64)); }),
            "f32(18446744073709551615:u64)");
  EXPECT_EQ(textOf([](auto, auto) { return cast(DType::F32, number(1, DType::Bool)); }), "f32(true)");
}

TEST(Canonical, NamesDependOnPositionsAlone) {
  Kernel renamed = softmax(3, 8);
  renamed.name = "other";
  for (Buffer &buffer : renamed.buffers) buffer.name += "_2";
  for (TensorOp &op : renamed.stages) {
    op.name += "_2";
    for (Dim &d : op.dims) d.name += "_2";
  }
  EXPECT_NE(print(renamed), print(softmax(3, 8)));
  EXPECT_EQ(print(canonical(renamed)), print(canonical(softmax(3, 8))));
  EXPECT_EQ(verify(canonical(renamed)), "");
  EXPECT_EQ(print(canonical(softmax(3, 8))),
            "kernel k\n"
            "input b0 f32[3,8]\n"
            "temporary b1 f32[3]\n"
            "temporary b2 f32[3,8]\n"
            "temporary b3 f32[3]\n"
            "output b4 f32[3,8]\n"
            "s0(d0 3; reduce d1 8) : f32\n"
            "    = max b0[d0, d1]\n"
            "    -> b1[d0]\n"
            "s1(d0 3, d1 8) : f32\n"
            "    = exp(b0[d0, d1] - b1[d0])\n"
            "    -> b2[d0, d1]\n"
            "s2(d0 3; reduce d1 8) : f32\n"
            "    = sum b2[d0, d1]\n"
            "    -> b3[d0]\n"
            "s3(d0 3, d1 8) : f32\n"
            "    = b2[d0, d1] / b3[d0]\n"
            "    -> b4[d0, d1]\n");
}

TEST(Index, ConstructorsFoldConstants) {
  const Index d = dim(0);
  EXPECT_EQ(d + 0, d);
  EXPECT_EQ(d * 1, d);
  EXPECT_EQ(floorDiv(d, 1), d);
  EXPECT_EQ((d + 3 - 3), d);
  EXPECT_EQ((d * 0)->value, 0);
  EXPECT_EQ(mod(d, 1)->kind, IndexKind::Constant);
  EXPECT_EQ(floorDiv(constant(-1), 4)->value, -1);
  EXPECT_EQ(mod(constant(-1), 4)->value, 3);
  EXPECT_EQ(clamp(constant(9), 0, 4)->value, 4);
  EXPECT_EQ((constant(2) + d)->args[0], d);
}

}  // namespace
}  // namespace hone::tensor
