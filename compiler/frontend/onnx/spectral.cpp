// Spectra: windows, discrete Fourier transforms as products with tables of cosines and sines, the weights of mel bands.
// The tables are constants, so what they are made from has to be known while compiling.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

constexpr int64_t kLongestWindow = 1 << 20;
constexpr int64_t kLongestTransform = 4096;
constexpr int64_t kMostMelWeights = 1 << 24;
constexpr int64_t kFloat = 1;  // onnx::TensorProto::FLOAT

absl::StatusOr<DType> outputType(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t code, node.integer("output_datatype", kFloat));
  return readDType(code);
}

// cos and sin of 2 pi numerator / denominator; reduced as integers, so that long tables are as exact as short ones.
std::pair<double, double> turn(int64_t numerator, int64_t denominator) {
  const double angle = 2 * std::numbers::pi * static_cast<double>(numerator % denominator) / denominator;
  return {std::cos(angle), std::sin(angle)};
}

// constant - first cos(x) + second cos(2 x), where x goes once around.
Result cosineWindow(NodeContext &node, double constant, double first, double second) {
  HONE_ASSIGN_OR_RETURN(DType dtype, outputType(node));
  HONE_ASSIGN_OR_RETURN(int64_t isPeriodic, node.integer("periodic", 1));
  HONE_ASSIGN_OR_RETURN(int64_t size, node.constantInteger(0, "size"));
  if (size < 1) return invalid("a window of ", size, " elements");
  if (size > kLongestWindow) return unsupported("a window of more than ", kLongestWindow, " elements");
  // A symmetric window of one element would be its border; it is the middle of all others that stays useful.
  const int64_t period = isPeriodic != 0 ? size : size - 1;
  std::vector<double> values(static_cast<size_t>(size), 1);
  for (int64_t i = 0; i < size && period > 0; ++i)
    values[static_cast<size_t>(i)] = constant - first * turn(i, period).first + second * turn(2 * i, period).first;
  return node.build.constant(graph::makeConstant({dtype, {size}}, values));
}

// What a transform is: `used` samples of one or two components (real, imaginary) become `bins` numbers of as many
// parts.
struct Transform {
  int64_t length, used, components, bins, parts;
  bool isInverse;
  int64_t rows() const { return used * components; }
  int64_t columns() const { return bins * parts; }
};

enum class TableOrder : uint8_t { SamplesFirst, BinsFirst };

// [used * components, bins * parts], or [bins * parts, components, used].
graph::Constant tableOf(const Transform &transform, DType dtype, TableOrder order) {
  const auto [length, used, components, bins, parts, isInverse] = transform;
  const double scale = isInverse ? 1.0 / static_cast<double>(length) : 1, sign = isInverse ? 1 : -1;
  std::vector<double> table(static_cast<size_t>(transform.rows() * transform.columns()));
  for (int64_t n = 0; n < used; ++n) {
    // Real results come from half a spectrum: what it leaves out is the mirror image of what it has.
    const bool isTwice = isInverse && parts == 1 && n != 0 && 2 * n != length;
    for (int64_t k = 0; k < bins; ++k) {
      const auto [cosine, sine] = turn(n * k, length);
      for (int64_t component = 0; component < components; ++component) {
        for (int64_t part = 0; part < parts; ++part) {
          const double value = part == component ? cosine : (part == 1 ? sign : -sign) * sine;
          const int64_t at = order == TableOrder::SamplesFirst
                                 ? ((n * components + component) * bins + k) * parts + part
                                 : ((k * parts + part) * components + component) * used + n;
          table[static_cast<size_t>(at)] = (isTwice ? 2 : 1) * scale * value;
        }
      }
    }
  }
  const Shape shape = order == TableOrder::SamplesFirst ? Shape{transform.rows(), transform.columns()}
                                                        : Shape{transform.columns(), components, used};
  return graph::makeConstant({dtype, shape}, table);
}

absl::Status checkTransform(const Transform &transform, bool isOneSided) {
  if (transform.components != 1 && transform.components != 2)
    return invalid("the last dim holds a real or a complex number, so its extent is 1 or 2, not ",
                   transform.components);
  if (transform.length < 1) return invalid("a transform of ", transform.length, " samples");
  if (transform.length > kLongestTransform)
    return unsupported("a transform of more than ", kLongestTransform, " samples");
  if (isOneSided && !transform.isInverse && transform.components == 2)
    return invalid("complex data have no one-sided spectrum; onesided is 0");
  if (isOneSided && transform.isInverse && transform.components == 1)
    return invalid("a one-sided spectrum is of complex numbers, but the last dim is 1");
  return absl::OkStatus();
}

/// The axis of a transform: an operand from version 20 on.
absl::StatusOr<int64_t> transformedAxis(const NodeContext &node) {
  int64_t axis = node.version() < 20 ? 1 : -2;
  if (node.version() < 20) {
    HONE_ASSIGN_OR_RETURN(axis, node.integer("axis", axis));
  } else if (node.has(2)) {
    HONE_ASSIGN_OR_RETURN(axis, node.constantInteger(2, "axis"));
  }
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  if (axis == node.rank(0) - 1) return invalid("axis ", axis, " holds the parts of complex numbers");
  return axis;
}

/// The transform of \p extent samples, or of one half of a spectrum into the real signal that it belongs to.
absl::StatusOr<Transform> readTransform(const NodeContext &node, int64_t extent) {
  HONE_ASSIGN_OR_RETURN(int64_t isInverse, node.integer("inverse", 0));
  HONE_ASSIGN_OR_RETURN(int64_t oneSided, node.integer("onesided", 0));
  const bool isOneSided = oneSided != 0, isReal = isOneSided && isInverse != 0;
  int64_t length = isReal ? 2 * (extent - 1) : extent;
  if (node.has(1)) {
    HONE_ASSIGN_OR_RETURN(length, node.constantInteger(1, "dft_length"));
  }
  // Samples beyond the data are zeros, which need no rows in the table; samples beyond the length are left out.
  const int64_t half = length / 2 + 1;
  const Transform transform{.length = length,
                            .used = std::min(isReal ? half : length, extent),
                            .components = node.shape(0).back(),
                            .bins = isOneSided && !isReal ? half : length,
                            .parts = isReal ? 1 : 2,
                            .isInverse = isInverse != 0};
  HONE_RETURN_IF_ERROR(checkTransform(transform, isOneSided));
  return transform;
}

}  // namespace

Result importBlackmanWindow(NodeContext &node) { return cosineWindow(node, 0.42, 0.5, 0.08); }
Result importHammingWindow(NodeContext &node) { return cosineWindow(node, 25.0 / 46, 21.0 / 46, 0); }
Result importHannWindow(NodeContext &node) { return cosineWindow(node, 0.5, 0.5, 0); }

// A product of matrices whose columns are the bins: right for the lengths that networks use, and one kernel.
Result importDft(NodeContext &node) {
  Builder &build = node.build;
  const Shape shape = node.shape(0);
  const int64_t rank = node.rank(0);
  if (!isFloat(node.dtype(0))) return invalid("takes floats");
  if (rank < 2) return invalid("takes 2 dims or more, not shape ", graph::shapeText(shape));
  HONE_ASSIGN_OR_RETURN(const int64_t axis, transformedAxis(node));
  HONE_ASSIGN_OR_RETURN(const Transform transform, readTransform(node, shape[static_cast<size_t>(axis)]));

  Shape starts(shape.size(), 0), steps(shape.size(), 1), kept = shape;
  kept[static_cast<size_t>(axis)] = transform.used;
  Result data = kept == shape ? Result(node.input(0)) : build.slice(node.input(0), starts, steps, kept);
  // The axis beside the parts of its numbers, and back; exchanging two dims is its own inverse.
  std::vector<int64_t> exchange(shape.size());
  for (int64_t dim = 0; dim < rank; ++dim) exchange[static_cast<size_t>(dim)] = dim;
  std::swap(exchange[static_cast<size_t>(axis)], exchange[static_cast<size_t>(rank - 2)]);
  Shape outer = kept;
  std::swap(outer[static_cast<size_t>(axis)], outer[static_cast<size_t>(rank - 2)]);
  outer.resize(static_cast<size_t>(rank - 2));
  Shape rows = outer, result = outer;
  rows.push_back(transform.rows());
  result.insert(result.end(), {transform.bins, transform.parts});
  data = build.reshape(build.transpose(data, exchange), rows);
  Result table = build.constant(tableOf(transform, node.dtype(0), TableOrder::SamplesFirst));
  return build.transpose(build.reshape(matMulOfAnyRank(build, data, table), result), exchange);
}

// A convolution over the samples, whose channels of output are the bins and whose weights are table times window.
Result importStft(NodeContext &node) {
  Builder &build = node.build;
  const Shape shape = node.shape(0);
  if (!isFloat(node.dtype(0))) return invalid("takes floats");
  if (shape.size() != 2 && shape.size() != 3) return invalid("takes 2 or 3 dims, not shape ", graph::shapeText(shape));
  HONE_ASSIGN_OR_RETURN(int64_t step, node.constantInteger(1, "frame_step"));
  HONE_ASSIGN_OR_RETURN(int64_t isOneSided, node.integer("onesided", 1));
  if (!node.has(2) && !node.has(3)) return invalid("neither a window nor a frame_length says how long a frame is");
  if (node.has(2) && node.rank(2) != 1)
    return invalid("the window has 1 dim, not shape ", graph::shapeText(node.shape(2)));
  int64_t length = node.has(2) ? node.shape(2)[0] : 0;
  if (node.has(3)) {
    HONE_ASSIGN_OR_RETURN(length, node.constantInteger(3, "frame_length"));
  }
  if (node.has(2) && node.shape(2)[0] != length)
    return invalid("the window has ", node.shape(2)[0], " elements, but frame_length is ", length);
  const Transform transform{.length = length,
                            .used = length,
                            .components = shape.size() == 3 ? shape[2] : 1,
                            .bins = isOneSided != 0 ? length / 2 + 1 : length,
                            .parts = 2,
                            .isInverse = false};
  HONE_RETURN_IF_ERROR(checkTransform(transform, isOneSided != 0));
  if (step < 1) return invalid("frame_step is ", step);
  if (shape[1] < length) return invalid("a frame of ", length, " samples, but the signal has ", shape[1]);

  const DType dtype = node.dtype(0);
  Result weight = build.constant(tableOf(transform, dtype, TableOrder::BinsFirst));
  if (node.has(2)) weight = build.apply(ScalarOp::Mul, {weight, node.input(2)});
  Result signal = build.reshape(node.input(0), {shape[0], shape[1], transform.components});
  Result spectrum = build.conv(build.transpose(signal, {0, 2, 1}), weight, {},
                               {.strides = {step}, .dilations = {1}, .pads = {0, 0}, .groups = 1});
  const int64_t frames = (shape[1] - length) / step + 1;
  return build.reshape(build.transpose(spectrum, {0, 2, 1}), {shape[0], frames, transform.bins, 2});
}

// Triangles over the bins of a spectrum; their corners are evenly spaced on the mel scale, 2595 log10(1 + f / 700).
Result importMelWeightMatrix(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(DType dtype, outputType(node));
  HONE_ASSIGN_OR_RETURN(int64_t bands, node.constantInteger(0, "num_mel_bins"));
  HONE_ASSIGN_OR_RETURN(int64_t length, node.constantInteger(1, "dft_length"));
  HONE_ASSIGN_OR_RETURN(int64_t rate, node.constantInteger(2, "sample_rate"));
  HONE_ASSIGN_OR_RETURN(double lowest, node.constantNumber(3, "lower_edge_hertz"));
  HONE_ASSIGN_OR_RETURN(double highest, node.constantNumber(4, "upper_edge_hertz"));
  if (bands < 1 || length < 1 || rate < 1) return invalid(bands, " bands of ", length, " samples at ", rate, " hertz");
  if (!(lowest >= 0) || !(highest >= lowest) || !(highest <= static_cast<double>(rate) / 2))
    return invalid("bands from ", lowest, " to ", highest, " hertz do not lie within 0 and half of ", rate);
  if (bands > kMostMelWeights || length > kMostMelWeights || (length / 2 + 1) > kMostMelWeights / bands)
    return unsupported("a matrix of more than ", kMostMelWeights, " weights");
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double spacing = (mel(highest) - mel(lowest)) / static_cast<double>(bands + 2);
  const auto corner = [&](int64_t i) {
    const double hertz = 700 * (std::pow(10, (mel(lowest) + static_cast<double>(i) * spacing) / 2595) - 1);
    return static_cast<int64_t>(std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate)));
  };
  const int64_t bins = length / 2 + 1;
  std::vector<double> weights(static_cast<size_t>(bins * bands));
  for (int64_t band = 0; band < bands; ++band) {
    const int64_t left = corner(band), middle = corner(band + 1), right = corner(band + 2);
    const auto share = [](int64_t part, int64_t whole) {
      return static_cast<double>(part) / static_cast<double>(whole);
    };
    for (int64_t bin = std::max<int64_t>(left, 0); bin < std::min(std::max(right, middle + 1), bins); ++bin) {
      double weight = bin == middle ? 1 : 0;
      if (bin < middle) weight = share(bin - left, middle - left);
      if (bin > middle) weight = share(right - bin, right - middle);
      weights[static_cast<size_t>(bin * bands + band)] = weight;
    }
  }
  return node.build.constant(graph::makeConstant({dtype, {bins, bands}}, weights));
}

}  // namespace hone::frontend
