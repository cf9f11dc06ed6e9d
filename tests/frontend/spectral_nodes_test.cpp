// Windows, Fourier transforms and mel bands: random shapes and attributes, imported, planned, compiled and run, against
// the definitions in complex numbers and closed forms.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <functional>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/frontend/compiled_node.h"
#include "tests/support/random.h"
#include "tests/support/rounds.h"

namespace hone {
namespace {

using test::Array;
using test::CompiledNode;
using test::forEachIndex;
using Complex = std::complex<double>;
using Shape = std::vector<int64_t>;
using testing::Random;

constexpr int64_t kOpset = 17;

class SpectralNodes : public ::testing::Test {
 protected:
  void repeat(const std::function<void()> &check) {
    testing::inRounds(5, 40, [&](const Random &ofRound) {
      random = ofRound;
      check();
    });
  }

  DType floatType() { return random.chance(70) ? DType::F32 : DType::F64; }

  Random random{0};
};

// The definition: X[k] = sum of x[n] exp(-2 pi i k n / N); the inverse turns the other way and divides by N.
std::vector<Complex> transformed(std::vector<Complex> samples, int64_t length, bool isInverse) {
  samples.resize(static_cast<size_t>(length));
  std::vector<Complex> result(samples.size());
  for (size_t k = 0; k < result.size(); ++k) {
    for (size_t n = 0; n < samples.size(); ++n) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k * n) / static_cast<double>(length);
      result[k] += samples[n] * std::polar(1.0, isInverse ? angle : -angle);
    }
    if (isInverse) result[k] /= static_cast<double>(length);
  }
  return result;
}

Complex numberAt(const Array &array, Shape index) {
  index.back() = 0;
  const double real = array.at(index);
  if (array.shape.back() == 1) return real;
  index.back() = 1;
  return {real, array.at(index)};
}

void expectRefused(const CompiledNode &node, const std::string &part) {
  const auto outputs = node.run();
  ASSERT_FALSE(outputs.ok()) << part;
  EXPECT_TRUE(absl::StrContains(outputs.status().message(), part)) << outputs.status();
}

TEST_F(SpectralNodes, Dft) {
  repeat([&] {
    Shape extents(static_cast<size_t>(random.between(1, 3)));
    for (int64_t &extent : extents) extent = random.between(1, 9);
    const int64_t axis = random.between(0, std::ssize(extents) - 1), rank = std::ssize(extents) + 1;
    const bool isComplex = random.chance(50), isInverse = random.chance(40);
    const bool isOneSided = !isComplex && !isInverse && random.chance(50), hasLength = random.chance(50);
    const auto at = static_cast<size_t>(axis);
    const int64_t length = hasLength ? random.between(1, 12) : extents[at];
    extents.push_back(isComplex ? 2 : 1);
    const Array x = Array::random(extents, random, floatType());
    Shape result = extents;
    result[at] = isOneSided ? length / 2 + 1 : length;
    result.back() = 2;
    Array y(result, x.dtype);
    Shape lines = result;
    lines[at] = lines.back() = 1;
    forEachIndex(lines, [&](Shape i) {
      std::vector<Complex> samples;
      for (i[at] = 0; i[at] < std::min(extents[at], length); ++i[at]) samples.push_back(numberAt(x, i));
      const std::vector<Complex> line = transformed(samples, length, isInverse);
      for (i[at] = 0; i[at] < result[at]; ++i[at]) {
        i.back() = 0;
        y.at(i) = line[static_cast<size_t>(i[at])].real();
        i.back() = 1;
        y.at(i) = line[static_cast<size_t>(i[at])].imag();
      }
    });
    CompiledNode node(kOpset, "DFT", {x});
    if (hasLength) node.constant("length", std::vector<int64_t>{length});
    node.with("axis", random.chance(50) ? axis : axis - rank)
        .with("inverse", isInverse ? 1 : 0)
        .with("onesided", isOneSided ? 1 : 0)
        .gives({y});
  });
}

// Half a spectrum and its mirror image, transformed back: what the mirror image leaves open, the imaginary parts of the
// mean and of the highest frequency, does not count.
TEST_F(SpectralNodes, DftOfHalfSpectraIsReal) {
  repeat([&] {
    const int64_t rows = random.between(1, 3), extent = random.between(1, 7);
    const bool hasLength = extent == 1 || random.chance(50);
    const int64_t length = hasLength ? random.between(1, 14) : 2 * (extent - 1);
    const Array x = Array::random({rows, extent, 2}, random, floatType());
    Array y({rows, length, 1}, x.dtype);
    for (int64_t row = 0; row < rows; ++row) {
      std::vector<Complex> whole(static_cast<size_t>(length));
      for (int64_t k = 0; k < std::min(extent, length / 2 + 1); ++k) {
        const Complex number = numberAt(x, {row, k, 0});
        const bool isReal = k == 0 || 2 * k == length;
        whole[static_cast<size_t>(k)] = isReal ? number.real() : number;
        if (!isReal) whole[static_cast<size_t>(length - k)] = std::conj(number);
      }
      const std::vector<Complex> signal = transformed(whole, length, true);
      for (int64_t n = 0; n < length; ++n) y.at({row, n, 0}) = signal[static_cast<size_t>(n)].real();
    }
    CompiledNode node(20, "DFT", {x});
    node.with("inverse", 1).with("onesided", 1);
    if (hasLength) node.constant("length", Shape{length});
    node.gives({y});
  });
}

TEST_F(SpectralNodes, DftTakesItsAxisAsAnOperand) {
  const Array x({2, 2, 1}, {1, 2, 3, 5});
  const Array columns({2, 2, 2}, {4, 0, 7, 0, -2, 0, -3, 0}), rows({2, 2, 2}, {3, 0, -1, 0, 8, 0, -2, 0});
  CompiledNode(20, "DFT", {x}).operand("").constant("axis", Shape{0}).gives({columns});
  CompiledNode(20, "DFT", {x}).operand("").constant("axis", Shape{-2}).gives({rows});
  CompiledNode(20, "DFT", {x}).gives({rows});
  expectRefused(CompiledNode(20, "DFT", {x}).operand("").constant("axis", Shape{-1}), "axis 2 holds the parts");
}

TEST_F(SpectralNodes, Stft) {
  repeat([&] {
    const int64_t batch = random.between(1, 3), frame = random.between(1, 12), step = random.between(1, 6);
    const int64_t samples = frame + random.between(0, 20), frames = (samples - frame) / step + 1;
    const bool isComplex = random.chance(40), isOneSided = !isComplex && random.chance(70);
    const bool hasWindow = random.chance(60), hasLength = !hasWindow || random.chance(50);
    const int64_t bins = isOneSided ? frame / 2 + 1 : frame;
    const DType dtype = floatType();
    const Array x = Array::random({batch, samples, isComplex ? 2 : 1}, random, dtype);
    const Array window = Array::random({frame}, random, dtype);
    Array y({batch, frames, bins, 2}, dtype);
    forEachIndex({batch, frames}, [&](const Shape &i) {
      std::vector<Complex> inFrame;
      for (int64_t n = 0; n < frame; ++n)
        inFrame.push_back(numberAt(x, {i[0], i[1] * step + n, 0}) * (hasWindow ? window.at({n}) : 1.0));
      const std::vector<Complex> line = transformed(inFrame, frame, false);
      for (int64_t k = 0; k < bins; ++k) {
        y.at({i[0], i[1], k, 0}) = line[static_cast<size_t>(k)].real();
        y.at({i[0], i[1], k, 1}) = line[static_cast<size_t>(k)].imag();
      }
    });
    CompiledNode node(kOpset, "STFT", {x, test::omitted(), hasWindow ? window : test::omitted()});
    node.model.integers("step", {step});
    node.node().set_input(1, "step");
    if (hasWindow && dtype == DType::F32 && random.chance(50)) node.fixed(2);
    if (hasLength) node.constant("length", std::vector<int64_t>{frame});
    node.with("onesided", isOneSided ? 1 : 0).gives({y});
  });
}

// By the square of a sine, which the operators do not compute: cos(2 x) = 1 - 2 s, cos(4 x) = 1 - 8 s + 8 s s.
TEST_F(SpectralNodes, Windows) {
  const std::pair<const char *, double (*)(double)> forms[] = {
      {"HannWindow", [](double s) { return s; }},
      {"HammingWindow", [](double s) { return 2.0 / 23 + 21.0 / 23 * s; }},
      {"BlackmanWindow", [](double s) { return 0.36 * s + 0.64 * s * s; }},
  };
  repeat([&] {
    const int64_t size = random.between(2, 40);
    const bool isPeriodic = random.chance(50);
    const auto period = static_cast<double>(isPeriodic ? size : size - 1);
    for (const auto &[op, form] : forms) {
      Array y({size}, floatType());
      for (int64_t n = 0; n < size; ++n) {
        const double sine = std::sin(std::numbers::pi * static_cast<double>(n) / period);
        y.at({n}) = form(sine * sine);
      }
      CompiledNode(kOpset, op, {})
          .constant("size", std::vector<int64_t>{size})
          .with("periodic", isPeriodic ? 1 : 0)
          .with("output_datatype", test::elementType(y.dtype))
          .gives({y});
    }
  });
  CompiledNode(kOpset, "HannWindow", {})
      .constant("size", std::vector<int64_t>{1})
      .with("periodic", 0)
      .gives({Array({1}, std::vector<double>{1})});
}

TEST_F(SpectralNodes, MelBandsAreTriangles) {
  CompiledNode node(kOpset, "MelWeightMatrix", {});
  for (const auto &[name, value] : std::map<std::string, int64_t>{{"a", 5}, {"b", 400}, {"c", 8000}})
    node.constant(name, std::vector<int64_t>{value});
  const auto outputs = node.scalar("d", 100).scalar("e", 4000).run();
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  const Array &weights = outputs->at(0);
  ASSERT_EQ(weights.shape, (Shape{201, 5}));
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const auto binOf = [&](int64_t corner) {
    const double place = mel(100) + (mel(4000) - mel(100)) / 7 * static_cast<double>(corner);
    return static_cast<int64_t>(401 * 700 * (std::pow(10, place / 2595) - 1) / 8000);
  };
  for (int64_t band = 0; band < 5; ++band) {
    const int64_t left = binOf(band), middle = binOf(band + 1), right = binOf(band + 2);
    for (int64_t bin = 0; bin < 201; ++bin) {
      const double rise = static_cast<double>(bin - left) / static_cast<double>(middle - left);
      const double fall = static_cast<double>(right - bin) / static_cast<double>(right - middle);
      EXPECT_NEAR(weights.at({bin, band}), std::max(0.0, std::min(rise, fall)), 1e-6) << bin << ", " << band;
    }
  }
}

CompiledNode dft(const Array &data) { return {kOpset, "DFT", {data}}; }
CompiledNode stft(const Array &data, int64_t step) {
  return CompiledNode(kOpset, "STFT", {data}).constant("step", std::vector<int64_t>{step});
}

TEST_F(SpectralNodes, WhatIsNoSpectrumIsRefused) {
  using List = std::vector<int64_t>;
  const Array real({1, 8, 1}), complex({1, 8, 2});
  expectRefused(dft(Array({8})), "takes 2 dims or more, not shape [8]");
  expectRefused(dft(Array({1, 8, 3})), "its extent is 1 or 2, not 3");
  expectRefused(dft(Array({1, 8, 1}, DType::I32)), "takes floats");
  expectRefused(dft(real).with("axis", 2), "axis 2 holds the parts of complex numbers");
  expectRefused(dft(real).with("axis", 3), "axis 3 is outside -3 to 2");
  expectRefused(dft(complex).with("onesided", 1), "complex data have no one-sided spectrum");
  expectRefused(dft(real).with("onesided", 1).with("inverse", 1), "a one-sided spectrum is of complex numbers");
  expectRefused(dft(real).constant("length", List{0}), "a transform of 0 samples");
  expectRefused(dft(real).constant("length", List{int64_t{1} << 60}), "a transform of more than 4096 samples");

  expectRefused(stft(real, 1), "neither a window nor a frame_length");
  expectRefused(stft(Array({1, 8}, DType::I64), 1).operand("").constant("length", List{4}), "takes floats");
  expectRefused(stft(real, 0).operand("").constant("length", List{4}), "frame_step is 0");
  expectRefused(stft(real, 1).operand("").constant("length", List{9}), "a frame of 9 samples, but the signal has 8");
  expectRefused(stft(real, 1).operand("").constant("length", List{-1}), "a transform of -1 samples");
  expectRefused(stft(Array({8}), 1).operand("").constant("length", List{4}), "takes 2 or 3 dims, not shape [8]");
  expectRefused(stft(real, 1).constant("window", std::vector<float>(4)).constant("length", List{5}),
                "the window has 4 elements, but frame_length is 5");

  const CompiledNode window(kOpset, "HannWindow", {});
  expectRefused(CompiledNode(window).constant("size", List{0}), "a window of 0 elements");
  expectRefused(CompiledNode(window).constant("size", List{int64_t{1} << 40}),
                "a window of more than 1048576 elements");
  expectRefused(CompiledNode(window).constant("size", List{4}).with("output_datatype", 77), "77");

  const auto mel = [](int64_t bands, int64_t length, float low, float high) {
    CompiledNode node(kOpset, "MelWeightMatrix", {});
    node.constant("a", List{bands}).constant("b", List{length}).constant("c", List{8000});
    return node.scalar("d", low).scalar("e", high);
  };
  expectRefused(mel(0, 16, 0, 4000), "0 bands of 16 samples");
  expectRefused(mel(5, 16, 0, 4001), "do not lie within 0 and half of 8000");
  expectRefused(mel(5, 16, 200, 100), "bands from 200 to 100 hertz");
  expectRefused(mel(int64_t{1} << 40, int64_t{1} << 40, 0, 4000), "a matrix of more than 16777216 weights");
}

}  // namespace
}  // namespace hone
