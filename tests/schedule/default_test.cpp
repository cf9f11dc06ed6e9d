// Default schedules of typical kernels as text. HONE_UPDATE_GOLDEN=1 rewrites the files in golden/: read the
// difference before committing.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "compiler/estimate/least.h"
#include "compiler/schedule/schedule.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"
#include "tests/support/random_kernel.h"
#include "tests/support/rounds.h"

namespace hone::schedule {
namespace {

using tensor::Kernel;
using tensor::Layout;
using namespace tensor::testing;

TargetDescription machine(int64_t vectorBytes, int64_t registers) {
  TargetDescription target;
  target.vectorBytes = vectorBytes;
  target.vectorRegisters = registers;
  target.cores = 4;
  target.triple = "x86_64-pc-linux-gnu";
  return target;
}

/// Values in blocks of 16 channels, as plans store them.
Kernel blocked(Kernel kernel) {
  for (tensor::Buffer &buffer : kernel.buffers) {
    if (buffer.shape.size() == 4 && buffer.role != tensor::BufferRole::Parameter)
      buffer.layout = Layout::blocked(buffer.shape, 1, 16);
  }
  return kernel;
}

ConvolutionSize convolutionSize() {
  ConvolutionSize size;
  size.ic = 64;
  size.oc = 128;
  size.y = size.x = 28;
  return size;
}

/// The last stage of a residual network: rows of 7, which fill half of the registers.
ConvolutionSize shortRows() {
  ConvolutionSize size;
  size.ic = 1024;
  size.oc = 2048;
  size.y = size.x = 7;
  return size;
}

Kernel elementwise() {
  KernelBuilder b("elementwise");
  const std::vector<int64_t> shape = {2, 96, 1000};
  const std::vector<tensor::Index> here = {tensor::dim(0), tensor::dim(1), tensor::dim(2)};
  const int x = b.input("x", shape), y = b.input("y", shape), out = b.output("out", shape);
  b.begin("out", {parallel("n", 2), parallel("c", 96), parallel("i", 1000)});
  b.put(maximum(b.get(x, here) + b.get(y, here), f32(0)), out, here);
  return b.finish();
}

/// What a vector of either side steps over must be used up while it is in the cache.
Kernel transposition() {
  KernelBuilder b("transposition");
  const int x = b.input("x", {64, 3136}), out = b.output("out", {3136, 64});
  b.begin("copy", {parallel("y", 3136), parallel("c", 64)});
  b.put(b.get(x, {tensor::dim(1), tensor::dim(0)}), out, {tensor::dim(0), tensor::dim(1)});
  return b.finish();
}

/// Columns in an order that data say: vectors cannot run along them, and their stores step over the rows.
Kernel chosenColumns() {
  KernelBuilder b("chosen_columns");
  const int x = b.input("x", {512, 56}), places = b.input("places", {112}, DType::I64);
  const int out = b.output("out", {512, 112});
  b.begin("copy", {parallel("r", 512), parallel("c", 112)});
  const tensor::Index column = tensor::clamp(tensor::load(places, {tensor::dim(1)}), 0, 55);
  b.put(b.get(x, {tensor::dim(0), column}), out, {tensor::dim(0), tensor::dim(1)});
  return b.finish();
}

/// Sums along memory: folded vectors of neighbours, not lanes that are gathered from many rows.
Kernel rowSums() {
  KernelBuilder b("row_sums");
  const int x = b.input("x", {128, 3136}), out = b.output("out", {128});
  b.begin("sum", {parallel("r", 128), reduce("i", 3136)});
  b.fold(tensor::CombinerKind::Sum);
  b.put(b.get(x, {tensor::dim(0), tensor::dim(1)}), out, {tensor::dim(0)});
  return b.finish();
}

struct Case {
  const char *name;
  Kernel (*make)();
};

const Case kCases[] = {
    {"convolution", [] { return blocked(convolutionWithEpilogue(convolutionSize())); }},
    {"convolution_short_rows", [] { return blocked(convolutionWithEpilogue(shortRows())); }},
    {"matmul", [] { return matmul(1, 128, 512, 256); }},
    {"depthwise", [] { return blocked(depthwise(convolutionSize())); }},
    {"softmax", [] { return softmax(64, 1000); }},
    {"layer_norm", [] { return layerNorm(128, 768); }},
    {"elementwise", elementwise},
    {"transposition", transposition},
    {"chosen_columns", chosenColumns},
    {"row_sums", rowSums},
};

void expectGolden(const std::string &name, const std::string &text) {
  const std::string path = absl::StrCat(HONE_GOLDEN_FOLDER, "/", name, ".txt");
  if (std::getenv("HONE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::stringstream expected;
  expected << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, expected.str()) << name << "; HONE_UPDATE_GOLDEN=1 rewrites it";
}

TEST(DefaultSchedule, IsAsRead) {
  for (const Case &entry : kCases) {
    const Kernel kernel = entry.make();
    std::string text = absl::StrCat(tensor::print(kernel), "\n");
    for (const auto &[name, target] :
         {std::pair{"512 bits, 32 registers", machine(64, 32)}, std::pair{"256 bits, 16 registers", machine(32, 16)}}) {
      absl::StrAppend(&text, "# ", name, "\n", print(estimate::leastSchedule(kernel, target)));
    }
    expectGolden(entry.name, text);
  }
}

void expectLegal(const Kernel &kernel) {
  for (const TargetDescription &target : {machine(64, 32), machine(32, 16), machine(16, 16)}) {
    const Schedule schedule = estimate::leastSchedule(kernel, target);
    ASSERT_TRUE(legal(kernel, schedule, target).ok()) << legal(kernel, schedule, target) << "\n"
                                                      << tensor::print(kernel) << print(schedule);
    absl::StatusOr<Schedule> parsed = parse(print(schedule));
    ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << print(schedule);
    EXPECT_EQ(*parsed, schedule);
  }
}

TEST(DefaultSchedule, IsLegalAndItsOwnText) {
  for (const Kernel &kernel : exampleKernels()) expectLegal(kernel);
  for (const Case &entry : kCases) expectLegal(entry.make());
  hone::testing::inRounds(500, 20000, [](hone::testing::Random &random) { expectLegal(randomKernel(random.next())); });
}

// Two products with one matrix, read along its rows and along its columns.
TEST(DefaultSchedule, PacksAParameterOnce) {
  KernelBuilder b("k");
  const int x = b.input("x", {8, 64}), w = b.parameter("w", {64, 64}), out = b.output("out", {8, 64}),
            other = b.output("other", {8, 64});
  for (const bool isTransposed : {false, true}) {
    b.begin(isTransposed ? "t" : "s", {parallel("r", 8), parallel("c", 64), reduce("k", 64)});
    const tensor::Scalar weight =
        isTransposed ? b.get(w, {tensor::dim(1), tensor::dim(2)}) : b.get(w, {tensor::dim(2), tensor::dim(1)});
    b.put(b.get(x, {tensor::dim(0), tensor::dim(2)}) * weight, isTransposed ? other : out,
          {tensor::dim(0), tensor::dim(1)});
    b.fold(tensor::CombinerKind::Sum);
  }
  expectLegal(b.kernel());
}

/// Windows of 3 over rows of channels in \p groups, between values in blocks of 16 channels.
Kernel grouped(int64_t groups, int64_t perGroup) {
  KernelBuilder b("grouped");
  const int64_t channels = groups * perGroup;
  const int x = b.input("x", {channels, 30}), w = b.parameter("w", {channels, perGroup, 3}),
            out = b.output("out", {channels, 28});
  b.begin("conv", {parallel("g", groups), parallel("oc", perGroup), parallel("x", 28), reduce("ic", perGroup),
                   reduce("kx", 3)});
  const tensor::Index first = tensor::dim(0) * perGroup, channel = first + tensor::dim(1);
  b.put(b.get(x, {first + tensor::dim(3), tensor::dim(2) + tensor::dim(4)}) *
            b.get(w, {channel, tensor::dim(3), tensor::dim(4)}),
        out, {channel, tensor::dim(2)});
  b.fold(tensor::CombinerKind::Sum);
  Kernel kernel = b.finish();
  for (tensor::Buffer &buffer : kernel.buffers) {
    if (buffer.role != tensor::BufferRole::Parameter) buffer.layout = Layout::blocked(buffer.shape, 0, 16);
  }
  return kernel;
}

// As many lanes as a group fills, of which all lie in one block wherever it begins; where not even four do, as many as
// it fills.
TEST(DefaultSchedule, GroupsOfFewChannelsAreShortVectors) {
  struct Group {
    int64_t channels, lanes;
  };
  for (const Group &group : {Group{32, 16}, {16, 16}, {24, 8}, {40, 8}, {8, 8}, {12, 4}, {4, 4}, {6, 8}, {5, 8}}) {
    const Kernel kernel = grouped(8, group.channels);
    expectLegal(kernel);
    const Schedule schedule = estimate::leastSchedule(kernel, machine(64, 32));
    EXPECT_EQ(schedule.stages[0].vectorDim, "oc") << group.channels;
    EXPECT_EQ(schedule.stages[0].lanes, group.lanes) << group.channels;
    // The channels of a group lie together: they are the innermost loop, and in the weights behind the window.
    EXPECT_EQ(schedule.stages[0].reduction.back().dim, "ic") << group.channels;
  }
}

}  // namespace
}  // namespace hone::schedule
