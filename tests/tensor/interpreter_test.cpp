// The interpreter against plain loops written here, kernel by kernel.
#include "compiler/tensor/interpreter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/support/example_kernels.h"

namespace hone::tensor {
namespace {

using namespace testing;

/// Elements as doubles.
std::vector<double> values(const HostTensor &tensor) {
  std::vector<double> result;
  for (int64_t i = 0; i < tensor.elements(); ++i) result.push_back(tensor.real(i));
  return result;
}

/// Arguments and results of one interpretation, as doubles.
struct Values {
  std::vector<std::vector<double>> in, out;
};

Values run(const Kernel &kernel, uint64_t seed = 11) {
  const std::vector<HostTensor> arguments = randomArguments(kernel, seed);
  const auto outputs = interpret(kernel, arguments);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  Values result;
  for (const HostTensor &tensor : arguments) result.in.push_back(values(tensor));
  for (const HostTensor &tensor : outputs.value()) result.out.push_back(values(tensor));
  return result;
}

void expectNear(const std::vector<double> &expected, const std::vector<double> &got, double tolerance = 2e-6) {
  ASSERT_EQ(expected.size(), got.size());
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(expected[i], got[i], tolerance) << "element " << i;
}

/// A direct convolution, channels by channels, or (grouped) each channel by itself.
std::vector<double> convolve(const ConvolutionSize &s, const std::vector<double> &data,
                             const std::vector<double> &weight, bool grouped = false) {
  const int64_t oc = grouped ? s.ic : s.oc;
  std::vector<double> out(s.n * oc * s.outY() * s.outX(), 0);
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t o = 0; o < oc; ++o)
      for (int64_t y = 0; y < s.outY(); ++y)
        for (int64_t x = 0; x < s.outX(); ++x) {
          double &sum = out[((n * oc + o) * s.outY() + y) * s.outX() + x];
          for (int64_t c = grouped ? o : 0; c < (grouped ? o + 1 : s.ic); ++c)
            for (int64_t ky = 0; ky < s.kernel; ++ky)
              for (int64_t kx = 0; kx < s.kernel; ++kx) {
                const int64_t iy = y * s.stride + ky * s.dilation - s.padding;
                const int64_t ix = x * s.stride + kx * s.dilation - s.padding;
                if (iy < 0 || iy >= s.y || ix < 0 || ix >= s.x) continue;
                const int64_t filter = grouped ? o : o * s.ic + c;
                sum += data[((n * s.ic + c) * s.y + iy) * s.x + ix] * weight[(filter * s.kernel + ky) * s.kernel + kx];
              }
        }
  return out;
}

ConvolutionSize strided() {
  ConvolutionSize size;
  size.n = 2, size.stride = 2, size.y = 8, size.dilation = 2, size.padding = 2;
  return size;
}

TEST(Interpreter, Convolution) {
  for (const ConvolutionSize &size : {ConvolutionSize{}, strided()}) {
    const Values r = run(convolution(size));
    expectNear(convolve(size, r.in[0], r.in[1]), r.out[0]);
    const Values d = run(depthwise(size));
    expectNear(convolve(size, d.in[0], d.in[1], true), d.out[0]);
  }
}

TEST(Interpreter, ConvolutionWithEpilogue) {
  const ConvolutionSize size;
  const Values r = run(convolutionWithEpilogue(size));
  std::vector<double> expected = convolve(size, r.in[0], r.in[1]);
  const size_t pixels = size.outY() * size.outX();
  for (size_t i = 0; i < expected.size(); ++i) {
    expected[i] = std::max(expected[i] + r.in[2][i / pixels] + r.in[3][i], 0.0);
  }
  expectNear(expected, r.out[0]);
}

TEST(Interpreter, TransposedConvolutionScatters) {
  ConvolutionSize s;
  s.stride = 2, s.n = 2;
  const Values r = run(transposedConvolution(s));
  const int64_t outY = (s.y - 1) * s.stride + s.kernel - 2 * s.padding;
  const int64_t outX = (s.x - 1) * s.stride + s.kernel - 2 * s.padding;
  std::vector<double> expected(s.n * s.oc * outY * outX, 0);
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t c = 0; c < s.ic; ++c)
      for (int64_t i = 0; i < s.y * s.x; ++i)
        for (int64_t o = 0; o < s.oc; ++o)
          for (int64_t k = 0; k < s.kernel * s.kernel; ++k) {
            const int64_t y = i / s.x * s.stride + k / s.kernel - s.padding;
            const int64_t x = i % s.x * s.stride + k % s.kernel - s.padding;
            if (y < 0 || y >= outY || x < 0 || x >= outX) continue;
            expected[((n * s.oc + o) * outY + y) * outX + x] +=
                r.in[0][(n * s.ic + c) * s.y * s.x + i] * r.in[1][(c * s.oc + o) * s.kernel * s.kernel + k];
          }
  expectNear(expected, r.out[0]);
}

TEST(Interpreter, Matmul) {
  const Values r = run(matmul(2, 3, 4, 5));
  std::vector<double> expected(size_t{2} * 3 * 4, 0);
  for (int g = 0; g < 2; ++g)
    for (int m = 0; m < 3; ++m)
      for (int n = 0; n < 4; ++n)
        for (int k = 0; k < 5; ++k) {
          expected[(g * 3 + m) * 4 + n] += r.in[0][(g * 3 + m) * 5 + k] * r.in[1][(g * 5 + k) * 4 + n];
        }
  expectNear(expected, r.out[0]);
}

TEST(Interpreter, Softmax) {
  const Values r = run(softmax(3, 7));
  std::vector<double> expected;
  for (int row = 0; row < 3; ++row) {
    double sum = 0;
    for (int c = 0; c < 7; ++c) sum += std::exp(r.in[0][row * 7 + c]);
    for (int c = 0; c < 7; ++c) expected.push_back(std::exp(r.in[0][row * 7 + c]) / sum);
  }
  expectNear(expected, r.out[0], 1e-7);
}

TEST(Interpreter, MaxPool) {
  const ConvolutionSize s = strided();
  const Values r = run(maxPool(s));
  std::vector<double> expected;
  for (int64_t p = 0; p < s.n * s.ic; ++p)
    for (int64_t y = 0; y < s.outY(); ++y)
      for (int64_t x = 0; x < s.outX(); ++x) {
        double best = -INFINITY;
        for (int64_t ky = 0; ky < s.kernel; ++ky)
          for (int64_t kx = 0; kx < s.kernel; ++kx) {
            const int64_t iy = y * s.stride + ky * s.dilation - s.padding,
                          ix = x * s.stride + kx * s.dilation - s.padding;
            if (iy >= 0 && iy < s.y && ix >= 0 && ix < s.x) best = std::max(best, r.in[0][(p * s.y + iy) * s.x + ix]);
          }
        expected.push_back(best);
      }
  expectNear(expected, r.out[0], 0);
}

TEST(Interpreter, ArgmaxTakesTheFirst) {
  const Kernel kernel = argmax(2, 5);
  const auto out = interpret(kernel, {hostTensor<float>({2, 5}, {1, 7, 3, 7, 0, -1, -2, -1, -4, -5})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(values((*out)[0]), (std::vector<double>{1, 0}));
  EXPECT_EQ(values((*out)[1]), (std::vector<double>{7, -1}));
}

TEST(Interpreter, MeanAndVariance) {
  const Values r = run(meanAndVariance(4, 19));
  for (int row = 0; row < 4; ++row) {
    double mean = 0, variance = 0;
    for (int c = 0; c < 19; ++c) mean += r.in[0][row * 19 + c] / 19;
    for (int c = 0; c < 19; ++c) variance += std::pow(r.in[0][row * 19 + c] - mean, 2) / 19;
    EXPECT_NEAR(r.out[0][row], mean, 1e-6);
    EXPECT_NEAR(r.out[1][row], variance, 1e-6);
  }
}

TEST(Interpreter, LayerNorm) {
  const Values r = run(layerNorm(2, 21));
  for (int row = 0; row < 2; ++row) {
    double mean = 0, variance = 0;
    for (int c = 0; c < 21; ++c) mean += r.in[0][row * 21 + c] / 21;
    for (int c = 0; c < 21; ++c) variance += std::pow(r.in[0][row * 21 + c] - mean, 2) / 21;
    for (int c = 0; c < 21; ++c) {
      const double expected = (r.in[0][row * 21 + c] - mean) / std::sqrt(variance + 1e-5) * r.in[1][c] + r.in[2][c];
      EXPECT_NEAR(r.out[0][row * 21 + c], expected, 2e-6);
    }
  }
}

TEST(Interpreter, SplitReduction) {
  const Values r = run(splitReduction(4, 37, 5));
  for (int row = 0; row < 4; ++row) {
    double sum = 0;
    for (int c = 0; c < 37; ++c) sum += r.in[0][row * 37 + c];
    EXPECT_NEAR(r.out[0][row], sum, 2e-6);
  }
}

TEST(Interpreter, IntegersWrapInTheirType) {
  const Values r = run(integerReductions(3, 11));
  for (int row = 0; row < 3; ++row) {
    uint8_t sum = 0;
    uint32_t product = 1;
    bool any = false;
    for (int c = 0; c < 11; ++c) {
      const auto x = static_cast<uint8_t>(r.in[0][row * 11 + c]);
      sum = static_cast<uint8_t>(sum + x * 37);
      product *= static_cast<uint32_t>(x - 3);
      any = any || x > 18;
    }
    EXPECT_EQ(r.out[0][row], sum);
    EXPECT_EQ(r.out[1][row], static_cast<int32_t>(product));
    EXPECT_EQ(r.out[2][row], any ? 1 : 0);
  }
}

TEST(Interpreter, QuantizedMatmul) {
  const Values r = run(quantizedMatmul(3, 4, 5));
  for (int m = 0; m < 3; ++m)
    for (int n = 0; n < 4; ++n) {
      double sum = 0;
      for (int k = 0; k < 5; ++k) sum += (r.in[0][m * 5 + k] - r.in[2][0]) * r.in[1][k * 4 + n];
      EXPECT_EQ(r.out[0][m * 4 + n], sum);
    }
}

TEST(Interpreter, GatherClampsIndices) {
  std::vector<float> table(12);
  for (int i = 0; i < 12; ++i) table[i] = static_cast<float>(i);
  const auto out = interpret(
      gather(4, 3, 5), {hostTensor<float>({4, 3}, table), hostTensor<int64_t>({5}, {2, 0, -7, 3, int64_t{1} << 60})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(values((*out)[0]), (std::vector<double>{6, 7, 8, 0, 1, 2, 0, 1, 2, 9, 10, 11, 9, 10, 11}));
}

TEST(Interpreter, LstmRunsStepByStep) {
  const int64_t steps = 4, batch = 2, in = 3, hidden = 5;
  const Values r = run(lstm(steps, batch, in, hidden));
  const auto sigmoid = [](double a) { return 1 / (1 + std::exp(-a)); };
  std::vector<double> h = r.in[4], c = r.in[5], expected;
  for (int64_t t = 0; t < steps; ++t) {
    std::vector<double> gates(batch * 4 * hidden);
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t j = 0; j < 4 * hidden; ++j) {
        double sum = r.in[3][j];
        for (int64_t k = 0; k < in; ++k) sum += r.in[0][(t * batch + n) * in + k] * r.in[1][j * in + k];
        for (int64_t k = 0; k < hidden; ++k) sum += h[n * hidden + k] * r.in[2][j * hidden + k];
        gates[n * 4 * hidden + j] = sum;
      }
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t u = 0; u < hidden; ++u) {
        const double *g = &gates[n * 4 * hidden + u];
        double &cell = c[n * hidden + u];
        cell = sigmoid(g[hidden]) * cell + sigmoid(g[0]) * std::tanh(g[2 * hidden]);
        h[n * hidden + u] = sigmoid(g[3 * hidden]) * std::tanh(cell);
      }
    expected.insert(expected.end(), h.begin(), h.end());
  }
  expectNear(expected, r.out[0]);
}

TEST(Interpreter, CumulativeSum) {
  const auto out = interpret(cumulativeSum(2, 4), {hostTensor<float>({2, 4}, {1, 2, 3, 4, 5, 0, -5, 1})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(values((*out)[0]), (std::vector<double>{1, 3, 6, 10, 5, 5, 0, 1}));
}

TEST(Interpreter, Moves) {
  const auto joined =
      interpret(concatenation(2, 1, 2), {hostTensor<float>({2, 1}, {1, 2}), hostTensor<float>({2, 2}, {3, 4, 5, 6})});
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(values((*joined)[0]), (std::vector<double>{1, 3, 4, 2, 5, 6}));

  const auto padded = interpret(edgePadding(1, 2, 1), {hostTensor<float>({1, 2}, {3, 4})});
  ASSERT_TRUE(padded.ok()) << padded.status();
  EXPECT_EQ(values((*padded)[0]), (std::vector<double>{3, 3, 4, 4, 3, 3, 4, 4, 3, 3, 4, 4}));

  const Values r = run(rearrangement(3, 4, 5));
  for (int i = 0; i < 15; ++i)
    for (int j = 0; j < 4; ++j) EXPECT_EQ(r.out[0][i * 4 + j], r.in[0][(i % 3 * 4 + 3 - j) * 5 + i / 3]);

  const auto resized = interpret(linearResize(1, 3), {hostTensor<float>({1, 3}, {0, 4, 8})});
  ASSERT_TRUE(resized.ok()) << resized.status();
  const std::vector<double> row = {0, 1, 3, 5, 7, 8};
  std::vector<double> expected = row;
  expected.insert(expected.end(), row.begin(), row.end());
  EXPECT_EQ(values((*resized)[0]), expected);
}

TEST(Interpreter, LooksAtNoLayout) {
  Kernel kernel = matmul(2, 3, 20, 5);
  const Values before = run(kernel);
  for (Buffer &buffer : kernel.buffers) buffer.layout = Layout::blocked(buffer.shape, 2, 16);
  EXPECT_EQ(run(kernel).out, before.out);
}

TEST(Interpreter, RefusesArgumentsThatDoNotFit) {
  const Kernel kernel = softmax(2, 3);
  const auto error = [&](const std::vector<HostTensor> &arguments) {
    return interpret(kernel, arguments).status().ToString();
  };
  EXPECT_NE(error({}).find("'x') is missing"), std::string::npos);
  EXPECT_NE(error({HostTensor::zeros(DType::F32, {3, 2})}).find("but 'x' is f32[2,3]"), std::string::npos);
  EXPECT_NE(error({HostTensor::zeros(DType::F64, {2, 3})}).find("is f64[2,3]"), std::string::npos);
  const HostTensor good = HostTensor::zeros(DType::F32, {2, 3});
  EXPECT_NE(error({good, good}).find("there are 2 arguments, but the kernel takes 1"), std::string::npos);
  Kernel broken = kernel;
  broken.stages[0].body.clear();
  EXPECT_EQ(interpret(broken, {good}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hone::tensor
