// One schedule per rule that breaks it, with the sentence; and that what is next to it is legal.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/schedule/schedule.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::schedule {
namespace {

using tensor::Kernel;
using namespace tensor::testing;

TargetDescription target() {
  TargetDescription target;
  target.vectorBytes = 32;
  target.vectorRegisters = 16;
  return target;
}

std::string refusal(const Kernel &kernel, const std::string &lines) {
  absl::StatusOr<Schedule> schedule = parse("algorithm direct\n" + lines);
  if (!schedule.ok()) return std::string(schedule.status().message());
  const absl::Status status = legal(kernel, *schedule, target());
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

struct Rule {
  const char *lines;     // of the schedule that breaks it
  const char *sentence;  // "" for a legal neighbour
};

class ConvolutionRules : public ::testing::TestWithParam<Rule> {};

// Stages conv [n, oc, y, x; ic, ky, kx] and out [n, oc, y, x]; extents 1, 20, 7, 6; 3, 3, 3.
TEST_P(ConvolutionRules, Hold) {
  ConvolutionSize size;
  size.oc = 20;
  const std::string lines = GetParam().lines;
  const std::string rest = lines.find("\nout") == std::string::npos ? "\nout\n" : "\n";
  EXPECT_EQ(refusal(convolutionWithEpilogue(size), lines + rest), GetParam().sentence) << lines;
}

INSTANTIATE_TEST_SUITE_P(
    Vector, ConvolutionRules,
    ::testing::Values(
        Rule{"conv vector oc 8", ""}, Rule{"conv vector ic 2", ""},
        Rule{"conv vector z 8", "schedule of stage 'conv': vector dim 'z' is not a dim of the stage"},
        Rule{"conv vector oc 1", "schedule of stage 'conv': vector of 1 lanes; use a power of two from 2 to 64"},
        Rule{"conv vector oc 12", "schedule of stage 'conv': vector of 12 lanes; use a power of two from 2 to 64"},
        Rule{"conv vector oc 128", "schedule of stage 'conv': vector of 128 lanes; use a power of two from 2 to 64"}));

INSTANTIATE_TEST_SUITE_P(
    Registers, ConvolutionRules,
    ::testing::Values(
        Rule{"conv vector oc 8 registers x 8, oc 2", ""}, Rule{"conv registers x 256", ""},
        Rule{"conv registers z 2", "schedule of stage 'conv': register dim 'z' is not a dim of the stage"},
        Rule{"conv registers x 2, x 3", "schedule of stage 'conv': register dim 'x' is given twice"},
        Rule{"conv registers x 257", "schedule of stage 'conv': registers x 257; at most 256"},
        Rule{"conv registers x 32, y 16", "schedule of stage 'conv': register tile of 512 elements; at most 256"},
        Rule{"conv vector oc 8 registers x 9, oc 2",
             "schedule of stage 'conv': register tile needs 18 vector registers, the target has 16; lower the counts "
             "after 'registers'"}));

INSTANTIATE_TEST_SUITE_P(
    Loops, ConvolutionRules,
    ::testing::Values(
        Rule{"conv vector oc 8 registers x 3 order n, oc/16 | x/3, oc/8 | ic, ky", ""},
        Rule{"conv order z | - | -", "schedule of stage 'conv': loop over 'z', which is not a dim of the stage"},
        Rule{"conv order ic | - | -", "schedule of stage 'conv': 'ic' among the parallel loops is not a parallel dim"},
        Rule{"conv order - | ky | -", "schedule of stage 'conv': 'ky' among the tile loops is not a parallel dim"},
        Rule{"conv order - | - | x", "schedule of stage 'conv': 'x' among the reduction loops is not a reduction dim"},
        Rule{"conv vector oc 8 registers oc 2 order oc/8 | - | -",
             "schedule of stage 'conv': loop oc/8 is not a multiple of the register tile, 16"},
        Rule{"conv order x/4 | x/4 | -",
             "schedule of stage 'conv': loop x/4 inside x/4: steps must get smaller, each a divisor of the one before"},
        Rule{"conv order x/4 | x/3 | -",
             "schedule of stage 'conv': loop x/3 inside x/4: steps must get smaller, each a divisor of the one before"},
        Rule{"conv order x | - | -\nout at conv x\n",
             "schedule of stage 'out': attached to 'conv', whose loops leave 20 of dim 'oc'; end them with oc/1"}));

INSTANTIATE_TEST_SUITE_P(
    Unroll, ConvolutionRules,
    ::testing::Values(
        Rule{"conv unroll ky, kx", ""},
        Rule{"conv unroll x", "schedule of stage 'conv': unroll of 'x', which is not a reduction dim of the stage"},
        Rule{"conv unroll z", "schedule of stage 'conv': unroll of 'z', which is not a reduction dim of the stage"},
        Rule{"conv registers x 128 unroll ky, kx",
             "schedule of stage 'conv': unrolling makes 1152 steps; at most 1024"}));

INSTANTIATE_TEST_SUITE_P(
    Followers, ConvolutionRules,
    ::testing::Values(
        Rule{"conv order n, oc | y, x | -\nout at conv x\n", ""},
        Rule{"conv order n, oc | y, x | -\nout at nothing x\n",
             "schedule of stage 'out': attached to 'nothing', which is not another stage of the kernel"},
        Rule{"conv order n, oc | y, x | -\nout at out x\n",
             "schedule of stage 'out': attached to 'out', which is not another stage of the kernel"},
        Rule{"conv order n, oc | y, x | -\nout at conv x/2\n",
             "schedule of stage 'out': attached at loop x/2, which is not among the parallel or tile loops of 'conv'"},
        Rule{"conv order n, oc | y, x | -\nout at conv y\n",
             "schedule of stage 'out': a stage that reads 'conv' is attached at its innermost loop, x/1"},
        Rule{"conv order n, oc | y, x | -\nout at conv x vector oc 8\n",
             "schedule of stage 'out': takes vector dim, registers and loops from 'conv'; give none"},
        Rule{"conv order n, oc | y, x | -\nout at conv x registers oc 2\n",
             "schedule of stage 'out': takes vector dim, registers and loops from 'conv'; give none"},
        Rule{"conv order n, oc | y, x | -\nout at conv x order - | x | -\n",
             "schedule of stage 'out': takes vector dim, registers and loops from 'conv'; give none"},
        Rule{"conv order n, oc | y, x | -\nout at conv x order x | - | -\n",
             "schedule of stage 'out': parallel loops in a stage that is attached to another; give them as tile "
             "loops"}));

INSTANTIATE_TEST_SUITE_P(
    Feeders, ConvolutionRules,
    ::testing::Values(Rule{"conv at out y\nout order n, oc | y, x | -", ""},
                      Rule{"conv at out y order x | - | -\nout order n, oc | y, x | -",
                           "schedule of stage 'conv': parallel loops in a stage that is attached to another; give them "
                           "as tile loops"}));

INSTANTIATE_TEST_SUITE_P(
    Packs, ConvolutionRules,
    ::testing::Values(Rule{"conv pack weight [0/8][1][2][3][0%8], bias [0]", ""},
                      Rule{"conv pack data [0][1][2][3]",
                           "schedule of stage 'conv': packs 'data', which is not a parameter of the kernel"},
                      Rule{"conv pack nothing [0]",
                           "schedule of stage 'conv': packs 'nothing', which is not a parameter of the kernel"},
                      Rule{"conv pack bias [0], bias [0]", "schedule of stage 'conv': packs 'bias' twice"},
                      Rule{"conv pack bias [0]\nout pack bias [0]", "schedule of stage 'out': packs 'bias' twice"},
                      Rule{"conv pack weight [0][1][2]",
                           "schedule of stage 'conv': layout of 'weight' must name each of its 4 dims"},
                      Rule{"conv pack weight [0][1][2][4]",
                           "schedule of stage 'conv': layout of 'weight' must name each of its 4 dims"}));

TEST(Legal, StagesMustBeTheKernels) {
  const Kernel kernel = softmax(3, 8);
  EXPECT_EQ(refusal(kernel, "mx\ne\ns\nout\n"), "");
  EXPECT_EQ(refusal(kernel, "mx\ne\ns\n"), "schedule has 3 stages, kernel 'softmax' has 4; give one line per stage");
  EXPECT_EQ(refusal(kernel, "mx\ns\ne\nout\n"),
            "schedule line for stage 's' where 'e' is expected; keep the kernel's order of stages");
}

TEST(Legal, TheAlgorithmFitsTheKernel) {
  const absl::Status status = legal(softmax(3, 8), *parse("algorithm winograd\nmx\ne\ns\nout\n"), target());
  EXPECT_EQ(std::string(status.message()), "schedule: expected 'winograd 2 3' or 'winograd 4 3'");
  const auto refused = [](const std::string &algorithm) {
    const Kernel kernel = softmax(3, 8);
    return std::string(legal(kernel, *parse("algorithm " + algorithm + "\nmx\ne\ns\nout\n"), target()).message());
  };
  EXPECT_EQ(refused("winograd 4 3"),
            "schedule: stage 'mx' is not a convolution that winograd fits: it must be one sum of floats");
  EXPECT_EQ(refused("split mx nothing 2"), "schedule: stage 'mx' has no dim 'nothing'");
  EXPECT_EQ(refused("swiftly"), "schedule: unknown algorithm 'swiftly'; use direct, winograd or split");
  // Tuples count.
  const Kernel kernel = convolution({.n = 2, .oc = 16, .y = 64, .x = 64});
  const auto tiled = [&](const std::string &count) {
    return std::string(
        legal(kernel,
              *parse("algorithm winograd 4 3\nconv_v   registers y_tile " + count + ", x_tile 4\nconv_m\nconv\n"),
              target())
            .message());
  };
  EXPECT_EQ(tiled("7"), "");
  EXPECT_EQ(tiled("8"),
            "schedule of stage 'conv_v': register tile of 32 elements of 36 values each; at most 1024 values");
  // Its stages are those that the algorithm leaves.
  EXPECT_EQ(refused("split mx c 2"), "schedule has 4 stages, kernel 'softmax' has 5; give one line per stage");
  EXPECT_TRUE(legal(softmax(3, 8), *parse("algorithm split mx c 2\nmx_partial\nmx\ne\ns\nout\n"), target()).ok());
}

TEST(Legal, ProducersAreReadInsideTheirLoopOnly) {
  const Kernel kernel = softmax(3, 8);
  EXPECT_EQ(refusal(kernel, "mx at out r\ne at out r\ns at out r\nout order r | c | -\n"), "");
  EXPECT_EQ(refusal(kernel, "mx\ne at s r\ns order r | - | -\nout order r | c | -\n"),
            "schedule of stage 'e': attached to 's' but also read by 'out', outside of that loop");
  EXPECT_EQ(refusal(kernel, "mx at s r\ne\ns order r | - | -\nout\n"),
            "schedule of stage 'mx': attached to 's' but also read by 'e', outside of that loop");
}

TEST(Legal, ProducersAreReadByTheirHost) {
  EXPECT_EQ(refusal(concatenation(3, 4, 5), "first at second r\nsecond order r | - | -\n").substr(0, 9), "schedule ");
  KernelBuilder b("two");
  const int x = b.input("x", {4}), y = b.output("y", {4}), z = b.output("z", {4});
  b.begin("y", {parallel("i", 4)});
  b.put(b.get(x, {tensor::dim(0)}), y, {tensor::dim(0)});
  b.begin("z", {parallel("i", 4)});
  b.put(b.get(x, {tensor::dim(0)}), z, {tensor::dim(0)});
  const Kernel kernel = b.finish();
  EXPECT_EQ(refusal(kernel, "y at z i\nz order i | - | -\n"),
            "schedule of stage 'y': attached to 'z', which does not read it");
  EXPECT_EQ(refusal(kernel, "y order i | - | -\nz at y i\n"),
            "schedule of stage 'z': attached to 'y' but does not follow it element by element");
}

TEST(Legal, OutputsAreWrittenByOnePiece) {
  KernelBuilder b("sum");
  const int x = b.input("x", {4, 5}), s = b.output("s", {4}), y = b.output("y", {4, 5});
  const tensor::Index r = tensor::dim(0), c = tensor::dim(1);
  b.begin("s", {parallel("r", 4), reduce("k", 5)});
  b.fold(tensor::CombinerKind::Sum);
  b.put(b.get(x, {r, c}), s, {r});
  b.begin("y", {parallel("r", 4), parallel("c", 5)});
  b.put(b.get(x, {r, c}) - b.get(s, {r}), y, {r, c});
  const Kernel kernel = b.finish();
  EXPECT_EQ(refusal(kernel, "s at y r\ny order r | c | -\n"), "");
  EXPECT_EQ(refusal(kernel, "s at y r\ny order c | r | -\n"),
            "schedule of stage 's': writes 's', which would be written by several pieces of 'y'");
}

TEST(Legal, ScansAreSerial) {
  const Kernel kernel = cumulativeSum(3, 8);
  const std::string stage = kernel.stages[0].name, dim = kernel.stages[0].dims[0].name;
  const std::string other = kernel.stages[0].dims[1].name;
  const std::string prefix = absl::StrCat("schedule of stage '", stage, "': ");
  EXPECT_EQ(refusal(kernel, absl::StrCat(stage, " vector ", dim, " 4\n")),
            absl::StrCat(prefix, "vector dim '", dim, "' is a scan dim, which is serial"));
  EXPECT_EQ(refusal(kernel, absl::StrCat(stage, " registers ", dim, " 4\n")),
            absl::StrCat(prefix, "register dim '", dim, "' is a scan dim, which is serial"));
  // Every row is a scan of its own.
  EXPECT_EQ(refusal(kernel, absl::StrCat(stage, " order ", other, " | - | -\n")), "");
}

TEST(Legal, PiecesOfAScanAreScansOfTheirOwn) {
  const Kernel kernel = lstm(3, 4, 5, 6);
  const auto lines = [](const std::string &gates, const std::string &c, const std::string &h) {
    return absl::StrCat("from_input\ngates", gates, "\nc", c, "\nh", h, "\n");
  };
  const std::string rows = " order n/2 | - | -";
  EXPECT_EQ(refusal(kernel, lines(rows, rows, rows)), "");
  EXPECT_EQ(refusal(kernel, lines(rows, rows, "")),
            "schedule of stage 'h': parallel loops differ from those of 'gates'; all stages of a scan have the same");
  EXPECT_EQ(refusal(kernel, lines(rows, " order n | - | -", rows)),
            "schedule of stage 'c': parallel loops differ from those of 'gates'; all stages of a scan have the same");
  // All gates of a step need the whole state of the step before.
  EXPECT_EQ(refusal(kernel, lines(" order j | - | -", "", "")),
            "schedule of stage 'gates': parallel loop over 'j', whose values meet in the steps of the scan; give it as "
            "a tile loop");
}

TEST(Legal, LoadedIndicesAreScalar) {
  const Kernel kernel = gather(5, 8, 6);
  const tensor::TensorOp &op = kernel.stages[0];
  EXPECT_EQ(refusal(kernel, absl::StrCat(op.name, " vector ", op.dims[1].name, " 4\n")), "");
  EXPECT_EQ(refusal(kernel, absl::StrCat(op.name, " vector ", op.dims[0].name, " 4\n")),
            absl::StrCat("schedule of stage '", op.name, "': vector dim '", op.dims[0].name,
                         "' occurs in an index that is loaded from a buffer"));
}

}  // namespace
}  // namespace hone::schedule
