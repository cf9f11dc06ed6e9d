// Packing against the definition of a layout: for every place, the digits give the index.
#include "compiler/artifact/pack_parameter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>

namespace hone::artifact {
namespace {

using tensor::Layout;

/// The definition, place by place: slow and obvious.
std::string packedByDefinition(const std::string &data, int64_t size, const std::vector<int64_t> &shape,
                               const Layout &layout) {
  int64_t places = 1;
  for (const auto &axis : layout.axes) places *= axis.extent;
  std::string packed(static_cast<size_t>(places * size), '\0');
  for (int64_t place = 0; place < places; ++place) {
    std::vector<int64_t> index(shape.size(), 0);
    int64_t rest = place;
    for (auto axis = layout.axes.rbegin(); axis != layout.axes.rend(); ++axis) {
      index[static_cast<size_t>(axis->dim)] += rest % axis->extent * axis->divisor;
      rest /= axis->extent;
    }
    int64_t offset = 0;
    bool inside = true;
    for (size_t dim = 0; dim < shape.size(); ++dim) {
      inside = inside && index[dim] < shape[dim];
      offset = offset * shape[dim] + index[dim];
    }
    if (inside) std::memcpy(packed.data() + place * size, data.data() + offset * size, static_cast<size_t>(size));
  }
  return packed;
}

std::string counting(int64_t elements, int64_t size) {
  std::string data(static_cast<size_t>(elements * size), '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(1 + (i * 2654435761u >> 7) % 255);
  return data;
}

std::string packParameter(std::string_view data, DType dtype, const std::vector<int64_t> &shape, const Layout &layout) {
  PackedParameter packed(data, dtype, shape, layout);
  std::string bytes;
  for (int64_t i = 0; i < packed.pieces(); ++i) bytes += packed.piece(i);
  EXPECT_EQ(static_cast<int64_t>(bytes.size()), packed.bytes());
  return bytes;
}

struct Case {
  const char *what;
  std::vector<int64_t> shape;
  Layout layout;
};

const std::vector<Case> &cases() {
  static const std::vector<Case> kCases = {
      {"row-major", {3, 5, 2}, {{{0, 1, 3}, {1, 1, 5}, {2, 1, 2}}}},
      {"scalar", {}, {}},
      {"transposed", {7, 40}, {{{1, 1, 40}, {0, 1, 7}}}},
      {"NCHW16c with padding", {1, 20, 3, 3}, {{{0, 1, 1}, {1, 16, 2}, {2, 1, 3}, {3, 1, 3}, {1, 1, 16}}}},
      {"weights of a convolution",
       {40, 20, 3, 3},
       {{{0, 32, 2}, {1, 16, 2}, {2, 1, 3}, {3, 1, 3}, {1, 1, 16}, {0, 1, 32}}}},
      {"weights of a 1x1 convolution",
       {64, 48, 1, 1},
       {{{0, 16, 4}, {1, 16, 3}, {2, 1, 1}, {3, 1, 1}, {1, 1, 16}, {0, 1, 16}}}},
      {"two blocks of one dim", {50, 3}, {{{0, 32, 2}, {1, 1, 3}, {0, 16, 2}, {0, 1, 16}}}},
      {"inner digit first", {10}, {{{0, 1, 4}, {0, 4, 3}}}},
      {"matrix in panels", {100, 37}, {{{1, 16, 3}, {0, 1, 100}, {1, 1, 16}}}},
      {"matrix transposed in panels", {37, 100}, {{{0, 16, 3}, {1, 1, 100}, {0, 1, 16}}}},
      {"empty", {0, 4}, {{{0, 1, 0}, {1, 1, 4}}}},
      {"bias padded", {10}, {{{0, 16, 1}, {0, 1, 16}}}},
  };
  return kCases;
}

TEST(PackParameter, FollowsTheDefinition) {
  for (const Case &example : cases()) {
    int64_t elements = 1;
    for (int64_t extent : example.shape) elements *= extent;
    for (const DType dtype : {DType::I8, DType::F16, DType::F32, DType::I64}) {
      const std::string data = counting(elements, sizeOf(dtype));
      EXPECT_EQ(packParameter(data, dtype, example.shape, example.layout),
                packedByDefinition(data, sizeOf(dtype), example.shape, example.layout))
          << example.what << ' ' << name(dtype);
    }
  }
}

TEST(PackParameter, ComesInPiecesThatGiveTheWhole) {
  const std::vector<Case> large = {
      // One level of digits, its last group shorter than the others.
      {"panels", {1500, 2000}, {{{1, 32, 63}, {0, 1, 1500}, {1, 1, 32}}}},
      // Rows of more than a piece: the outer digits are counted through, and padding is a piece by itself.
      {"long rows", {3, 1200000}, {{{0, 4, 2}, {0, 1, 4}, {1, 1, 1200000}}}},
      {"two outer levels", {2, 3, 1100001}, {{{1, 2, 2}, {0, 1, 2}, {1, 1, 2}, {2, 4, 275001}, {2, 1, 4}}}},
  };
  for (const Case &example : large) {
    int64_t elements = 1;
    for (int64_t extent : example.shape) elements *= extent;
    const std::string data = counting(elements, 4);
    EXPECT_GT(PackedParameter(data, DType::F32, example.shape, example.layout).pieces(), 2) << example.what;
    EXPECT_TRUE(packParameter(data, DType::F32, example.shape, example.layout) ==
                packedByDefinition(data, 4, example.shape, example.layout))
        << example.what;
  }
}

TEST(PackParameter, OfTheSameOrderIsTheDataItself) {
  const std::string data = counting(3000000, 4);
  PackedParameter packed(data, DType::F32, {1000, 3000}, {{{0, 1, 1000}, {1, 1, 3000}}});
  ASSERT_EQ(packed.pieces(), 1);
  EXPECT_EQ(packed.piece(0).data(), data.data());
}

TEST(PackParameter, IsFast) {
  // 100 MB in the orders that take longest. The bound is wide: it is here to catch a walk by single cache lines.
  const Case large[] = {
      {"fully connected", {8192, 3072}, {{{0, 32, 256}, {1, 1, 3072}, {0, 1, 32}}}},
      {"convolution", {1024, 2656, 3, 3}, {{{0, 32, 32}, {1, 16, 166}, {2, 1, 3}, {3, 1, 3}, {1, 1, 16}, {0, 1, 32}}}},
  };
  for (const Case &example : large) {
    int64_t elements = 1;
    for (int64_t extent : example.shape) elements *= extent;
    const std::string data(static_cast<size_t>(elements * 4), '\1');
    const auto start = std::chrono::steady_clock::now();
    const std::string packed = packParameter(data, DType::F32, example.shape, example.layout);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    RecordProperty(example.what, std::to_string(seconds));
    std::printf("%s: %.0f MB in %.3f s\n", example.what, static_cast<double>(data.size()) / 1e6, seconds);
    EXPECT_EQ(packed.size(), data.size());
    EXPECT_LT(seconds, 5);
  }
}

}  // namespace
}  // namespace hone::artifact
