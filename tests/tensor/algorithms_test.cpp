// Rewrites must compute what the kernel before them computes: random and example kernels, both interpreted.
#include "compiler/tensor/algorithms.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/tensor/interpreter.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"
#include "tests/support/random_kernel.h"
#include "tests/support/rounds.h"

namespace hone::tensor {
namespace {

using namespace testing;

bool isArgument(const Buffer &buffer) {
  return buffer.role == BufferRole::Input || buffer.role == BufferRole::Parameter;
}

/// \p arguments of \p before as what their bytes are to \p after, whose buffers are other views of the same bytes.
std::vector<HostTensor> reviewed(const Kernel &before, const Kernel &after, const std::vector<HostTensor> &arguments) {
  std::vector<HostTensor> result;
  for (size_t b = 0; b < before.buffers.size(); ++b) {
    if (!isArgument(before.buffers[b])) continue;
    const std::vector<char> bytes = toLayout(arguments[result.size()], before.buffers[b].layout);
    const Buffer &view = after.buffers[b];
    EXPECT_EQ(static_cast<int64_t>(bytes.size()), view.layout.elements() * sizeOf(view.dtype));
    result.push_back(fromLayout(bytes, view.dtype, view.shape, view.layout));
  }
  return result;
}

/// Interprets both kernels and compares what they leave in memory.
void expectSameBytes(const Kernel &before, const Kernel &after, uint64_t seed) {
  SCOPED_TRACE(print(before) + "\nbecame\n" + print(after));
  ASSERT_EQ(verify(after), "");
  ASSERT_EQ(before.buffers.size(), after.buffers.size());
  const std::vector<HostTensor> arguments = randomArguments(before, seed);
  const auto expected = interpretWithTolerance(before, arguments);
  const auto got = interpret(after, reviewed(before, after, arguments));
  ASSERT_TRUE(expected.ok()) << expected.status();
  ASSERT_TRUE(got.ok()) << got.status();
  size_t o = 0;
  for (size_t b = 0; b < before.buffers.size(); ++b) {
    if (before.buffers[b].role != BufferRole::Output) continue;
    const Buffer &from = after.buffers[b], &to = before.buffers[b];
    const HostTensor back = fromLayout(toLayout((*got)[o], from.layout), to.dtype, to.shape, to.layout);
    const Tolerance &tolerance = expected->tolerances[o];
    const bool says = std::any_of(tolerance.begin(), tolerance.end(), [](double t) { return t < 1e300; });
    if (says) {
      EXPECT_EQ(compare(expected->outputs[o], back, tolerance), "");
    }
    ++o;
  }
}

TEST(CollapseDims, KeepsTheBytesOfExamples) {
  const uint64_t seed = hone::testing::testSeed();
  for (const Kernel &kernel : exampleKernels()) expectSameBytes(kernel, collapseDims(kernel), seed);
}

TEST(CollapseDims, KeepsTheBytesOfRandomKernels) {
  hone::testing::inRounds(300, 10000, [](hone::testing::Random &random) {
    const Kernel kernel = randomKernel(random.next());
    expectSameBytes(kernel, collapseDims(kernel), random.next());
  });
}

TEST(OrderDims, KeepsTheBytes) {
  const uint64_t seed = hone::testing::testSeed();
  for (const Kernel &kernel : exampleKernels()) expectSameBytes(kernel, orderDims(kernel).kernel, seed);
  hone::testing::inRounds(200, 10000, [](hone::testing::Random &random) {
    const Kernel kernel = randomKernel(random.next());
    expectSameBytes(kernel, orderDims(kernel).kernel, random.next());
  });
}

ConvolutionSize pointwise() {
  ConvolutionSize size;
  size.kernel = 1, size.padding = 0, size.ic = 32, size.oc = 48, size.y = 5, size.x = 4;
  return size;
}

TEST(CollapseDims, MergesPixelsOfBlockedLayouts) {
  Kernel kernel = convolutionWithEpilogue(pointwise());
  for (Buffer &buffer : kernel.buffers) {
    if (buffer.shape.size() == 4 && buffer.name != "weight") buffer.layout = Layout::blocked(buffer.shape, 1, 16);
  }
  const Kernel collapsed = collapseDims(kernel);
  EXPECT_EQ(print(collapsed),
            "kernel convolution_with_epilogue\n"
            "input data f32[32,20] layout [0/16][1][0%16]\n"
            "parameter weight f32[48,32]\n"
            "parameter bias f32[48]\n"
            "input residual f32[48,20] layout [0/16][1][0%16]\n"
            "temporary conv f32[48,20] layout [0/16][1][0%16]\n"
            "output out f32[48,20] layout [0/16][1][0%16]\n"
            "conv(oc 48, yx 20; reduce ic 32) : f32\n"
            "    = sum data[ic, yx] * weight[oc, ic]\n"
            "    -> conv[oc, yx]\n"
            "out(oc 48, yx 20) : f32\n"
            "    = max(conv[oc, yx] + bias[oc] + residual[oc, yx], 0)\n"
            "    -> out[oc, yx]\n");
  expectSameBytes(kernel, collapsed, 5);
}

TEST(CollapseDims, LeavesApartWhatMemoryKeepsApart) {
  // One of the buffers has its rows far from each other.
  Kernel kernel = convolutionWithEpilogue(pointwise());
  Layout &layout = kernel.buffers[3].layout;
  std::swap(layout.axes[1], layout.axes[2]);
  EXPECT_EQ(collapseDims(kernel).stages[0].dims.size(), 4u);
  // Rows of five in blocks of four have padding at their ends.
  Kernel padded = convolution(pointwise());
  padded.buffers[0].layout = Layout::blocked(padded.buffers[0].shape, 3, 3);
  EXPECT_EQ(collapseDims(padded).stages[0].dims.size(), 4u);
  // A 3 x 3 convolution looks at its neighbours.
  EXPECT_EQ(collapseDims(convolution({})).stages[0].dims.size(), 6u);
}

TEST(CollapseDims, MakesPointwiseConvolutionAndMatmulOneKernel) {
  const auto identityOf = [](const Kernel &kernel) {
    Kernel ordered = canonical(orderDims(collapseDims(kernel)).kernel);
    for (Buffer &buffer : ordered.buffers) buffer.layout = Layout::rowMajor(buffer.shape);
    return print(ordered);
  };
  EXPECT_EQ(identityOf(convolution(pointwise())), identityOf(matmul(1, 20, 48, 32)));
  EXPECT_NE(identityOf(convolution(pointwise())), identityOf(matmul(1, 20, 48, 31)));
  EXPECT_EQ(identityOf(matmul(1, 20, 48, 32)),
            "kernel k\n"
            "input b0 f32[20,32]\n"
            "parameter b1 f32[48,32]\n"
            "output b2 f32[20,48]\n"
            "s0(d0 20, d1 48; reduce d2 32) : f32\n"
            "    = sum b0[d0, d2] * b1[d1, d2]\n"
            "    -> b2[d0, d1]\n");
}

// ----------------------------------------------------------------------------------------------- winograd

void expectWinograd(const Kernel &direct, int64_t tile, uint64_t seed) {
  SCOPED_TRACE(print(direct));
  const auto rewrite = winograd(direct, 0, tile);
  ASSERT_TRUE(rewrite.ok()) << rewrite.status();
  SCOPED_TRACE(print(rewrite->kernel));
  ASSERT_EQ(verify(rewrite->kernel), "");
  EXPECT_EQ(rewrite->kernel.stages.size(), 3U) << "what follows the convolution is part of the last transform";
  const std::vector<HostTensor> arguments = randomArguments(direct, seed);
  const auto expected = interpretWithTolerance(direct, arguments);
  const auto got = interpretWithTolerance(rewrite->kernel, argumentsOf(direct, *rewrite, arguments));
  ASSERT_TRUE(expected.ok() && got.ok()) << expected.status() << got.status();
  // The transforms lose some digits, which their own error bound knows.
  Tolerance tolerance = got->tolerances[0];
  for (size_t i = 0; i < tolerance.size(); ++i) {
    ASSERT_LT(tolerance[i], 1e-2);
    tolerance[i] += expected->tolerances[0][i];
  }
  EXPECT_EQ(compare(expected->outputs[0], got->outputs[0], tolerance), "");
}

TEST(Winograd, ComputesTheConvolution) {
  for (int64_t tile : {2, 4}) {
    for (int64_t padding : {0, 1, 2}) {
      for (int64_t n : {1, 3}) {
        ConvolutionSize size;
        size.n = n, size.padding = padding, size.y = 9, size.x = 7;
        expectWinograd(convolution(size), tile, 1);
        expectWinograd(collapseDims(convolution(size)), tile, 2);
        size.y = 4 + 2 - 2 * padding + 4, size.x = 4 + 2 - 2 * padding;  // whole tiles
        if (size.x >= 3) expectWinograd(convolutionWithEpilogue(size), tile, 3);
      }
    }
  }
}

TEST(Winograd, ComputesGroupedConvolutions) {
  // Groups: a parallel dim of data and weights.
  KernelBuilder b("grouped");
  const int data = b.input("data", {2, 3, 4, 6, 5});
  const int weight = b.parameter("weight", {3, 3, 3, 2, 4});
  const int out = b.output("out", {6, 2, 3, 2, 5});
  b.begin("conv", {parallel("g", 3), parallel("n", 2), parallel("y", 6), parallel("oc", 2), parallel("x", 5),
                   reduce("ky", 3), reduce("ic", 4), reduce("kx", 3)});
  const Index g = dim(0), n = dim(1), y = dim(2), oc = dim(3), x = dim(4), ky = dim(5), ic = dim(6), kx = dim(7);
  b.fold(CombinerKind::Sum);
  const Scalar w = b.get(weight, {ky, g, kx, oc, ic});
  b.put(w * b.get(data, {n, g, ic, y + ky - 1, kx + x - 1}, 0), out, {y, n, g, oc, x});
  const Kernel kernel = b.finish();
  ASSERT_EQ(verify(kernel), "");
  expectWinograd(kernel, 2, 4);
  expectWinograd(kernel, 4, 5);
}

/// G, B^T and A^T of F(tile, 3).
std::vector<HostTensor> winogradMatrices(int64_t tile) {
  if (tile == 2) {
    return {hostTensor<float>({4, 3}, {1, 0, 0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0, 0, 1}),
            hostTensor<float>({4, 4}, {1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, 1, 0, -1}),
            hostTensor<float>({2, 4}, {1, 1, 1, 0, 0, 1, -1, -1})};
  }
  return {hostTensor<float>({6, 3}, {1.0F / 4, 0, 0, -1.0F / 6, -1.0F / 6, -1.0F / 6, -1.0F / 6, 1.0F / 6, -1.0F / 6,
                                     1.0F / 24, 1.0F / 12, 1.0F / 6, 1.0F / 24, -1.0F / 12, 1.0F / 6, 0, 0, 1}),
          hostTensor<float>({6, 6}, {4, 0,  -5, 0, 1, 0, 0, -4, -4, 1,  1, 0, 0, 4, -4, -1, 1, 0,
                                     0, -2, -1, 2, 1, 0, 0, 2,  -1, -2, 1, 0, 0, 4, 0,  -5, 0, 1}),
          hostTensor<float>({4, 6}, {1, 1, 1, 1, 1, 0, 0, 1, -1, 2, -2, 0, 0, 1, 1, 4, 4, 0, 0, 1, -1, 8, -8, 1})};
}

TEST(Winograd, EqualsTheWorkedExample) {
  // The same four stages, written by hand: same values from the same matrices.
  ConvolutionSize size;
  size.y = 7, size.x = 6, size.ic = 3, size.oc = 5;
  for (int64_t tile : {2, 4}) {
    const Kernel direct = convolution(size);
    const auto rewrite = winograd(direct, 0, tile);
    ASSERT_TRUE(rewrite.ok()) << rewrite.status();
    std::vector<HostTensor> arguments = randomArguments(direct, 6);
    const auto rewritten = interpret(rewrite->kernel, argumentsOf(direct, *rewrite, arguments));
    for (const HostTensor &matrix : winogradMatrices(tile)) arguments.push_back(matrix);
    const auto byHand = interpretWithTolerance(winogradStages(tile, 3, 5, 7, 6), arguments);
    ASSERT_TRUE(byHand.ok() && rewritten.ok()) << byHand.status() << rewritten.status();
    EXPECT_EQ(compare(byHand->outputs[0], (*rewritten)[0], byHand->tolerances[0]), "");
  }
}

TEST(Winograd, RefusesWhatItDoesNotFit) {
  ConvolutionSize strided;
  strided.stride = 2;
  ConvolutionSize dilated;
  dilated.dilation = 2;
  ConvolutionSize five;
  five.kernel = 5;
  for (const Kernel &kernel : {convolution(strided), convolution(dilated), convolution(five), depthwise({}),
                               maxPool({}), matmul(1, 4, 5, 6), softmax(2, 3), argmax(2, 3), lstm(2, 1, 2, 3)}) {
    const auto rewrite = winograd(kernel, 0, 2);
    EXPECT_EQ(rewrite.status().code(), absl::StatusCode::kInvalidArgument) << print(kernel);
  }
  EXPECT_FALSE(winograd(convolution({}), 0, 3).ok());
  EXPECT_FALSE(winograd(convolution({}), 1, 2).ok());
  // What lies outside is not 0.
  Kernel ones = convolution({});
  ones.stages[0].reads[0].outside = 1;
  EXPECT_FALSE(winograd(ones, 0, 2).ok());
  // The output is a part of a larger buffer: what hangs over would be written beside it.
  Kernel part = convolution({});
  part.buffers[2].shape[3] += 4;
  part.buffers[2].layout = Layout::rowMajor(part.buffers[2].shape);
  ASSERT_EQ(verify(part), "");
  EXPECT_FALSE(winograd(part, 0, 4).ok());
}

// --------------------------------------------------------------------------------------- split reductions

void expectSplit(const Kernel &kernel, int stage, int dim, int64_t parts) {
  const auto split = splitReduction(kernel, stage, dim, parts);
  ASSERT_TRUE(split.ok()) << split.status();
  SCOPED_TRACE(print(*split));
  ASSERT_EQ(verify(*split), "");
  EXPECT_EQ(split->stages.size(), kernel.stages.size() + 1);
  const std::vector<HostTensor> arguments = randomArguments(kernel, 7);
  const auto expected = interpretWithTolerance(kernel, arguments);
  const auto got = interpretWithTolerance(*split, arguments);
  ASSERT_TRUE(expected.ok() && got.ok()) << expected.status() << got.status();
  for (size_t o = 0; o < expected->outputs.size(); ++o) {
    Tolerance tolerance = expected->tolerances[o];
    for (size_t i = 0; i < tolerance.size(); ++i) tolerance[i] += got->tolerances[o][i];
    EXPECT_EQ(compare(expected->outputs[o], got->outputs[o], tolerance), "");
  }
}

TEST(SplitReduction, ComputesTheSame) {
  for (int64_t parts : {2, 3, 5}) {
    expectSplit(softmax(3, 30), 0, 1, parts);
    expectSplit(softmax(3, 31), 2, 1, parts);
    expectSplit(matmul(2, 3, 4, 17), 0, 3, parts);
    expectSplit(argmax(3, 17), 0, 1, parts);
    expectSplit(meanAndVariance(3, 16), 0, 1, parts);
    expectSplit(integerReductions(3, 13), 1, 1, parts);
    expectSplit(integerReductions(3, 13), 2, 1, parts);
  }
  expectSplit(convolution({}), 0, 4, 2);
  expectSplit(convolution({}), 0, 6, 3);
  // More parts than blocks of this length: the last ones are empty.
  expectSplit(matmul(1, 3, 4, 10), 0, 3, 7);
}

TEST(SplitReduction, RefusesWhatItDoesNotFit) {
  const Kernel kernel = matmul(1, 3, 4, 10);
  EXPECT_FALSE(splitReduction(kernel, 1, 3, 2).ok());
  EXPECT_FALSE(splitReduction(kernel, 0, 2, 2).ok());
  EXPECT_FALSE(splitReduction(kernel, 0, 4, 2).ok());
  EXPECT_FALSE(splitReduction(kernel, 0, 3, 1).ok());
  EXPECT_FALSE(splitReduction(kernel, 0, 3, 11).ok());
  EXPECT_FALSE(splitReduction(lstm(2, 1, 2, 3), 1, 3, 2).ok());
}

TEST(ApplyAlgorithm, FollowsTheText) {
  const Kernel kernel = convolutionWithEpilogue({});
  EXPECT_EQ(print(applyAlgorithm(kernel, "direct")->kernel), print(kernel));
  EXPECT_EQ(applyAlgorithm(kernel, "winograd 4 3")->kernel.stages.size(), 3u);
  EXPECT_EQ(applyAlgorithm(kernel, "split conv ic 3")->kernel.stages.size(), 3u);
  for (const char *text : {"", "dirct", "winograd 4 5", "winograd 3 3", "winograd", "split conv ic", "split conv oc 2",
                           "split none ic 2", "split conv none 2", "split conv ic two", "direct now"}) {
    EXPECT_EQ(applyAlgorithm(kernel, text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace hone::tensor
