#include "tests/schedule/legal_cases.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::schedule::testing {
namespace {

using namespace tensor::testing;
using tensor::CombinerKind;
using tensor::dim;
using tensor::Kernel;

/// Stages conv [n, oc, y, x; ic, ky, kx] and out [n, oc, y, x]; extents 1, 20, 7, 6; 3, 3, 3. The line is conv's.
LegalCase convolutionBreaks(Rule rule, const std::string &line, const std::string &sentence,
                            const std::string &repaired) {
  ConvolutionSize size;
  size.oc = 20;
  return breaks(rule, convolutionWithEpilogue(size), "conv " + line + "\nout\n",
                "schedule of stage 'conv': " + sentence, "conv " + repaired + "\nout\n");
}

std::vector<LegalCase> stageCases() {
  const Kernel kernel = softmax(3, 8);
  const char *whole = "mx\ne\ns\nout\n";
  return {
      breaks(Rule::LinePerStage, kernel, "mx\ne\ns\n",
             "schedule has 3 stages, kernel 'softmax' has 4; give one line per stage", whole),
      breaks(Rule::LinePerStage, kernel, "mx\ne\ns\nout\nout\n",
             "schedule has 5 stages, kernel 'softmax' has 4; give one line per stage", whole),
      breaks(Rule::LinesInOrder, kernel, "mx\ne\ns\nuot\n",
             "schedule line for stage 'uot' where 'out' is expected; keep the kernel's order of stages", whole),
      breaks(Rule::LinesInOrder, kernel, "mx\ns\ne\nout\n",
             "schedule line for stage 's' where 'e' is expected; keep the kernel's order of stages", whole),
  };
}

/// x [8] written to the places that an input says.
Kernel scatter() {
  KernelBuilder b("scatter");
  const int x = b.input("x", {8, 4}), places = b.input("places", {8}, DType::I64), out = b.output("out", {8, 4});
  b.begin("out", {parallel("i", 8), parallel("c", 4)});
  b.put(b.get(x, {dim(0), dim(1)}), out, {tensor::load(places, {dim(0)}), dim(1)});
  return b.finish();
}

/// Indices that an input holds, as values.
Kernel loadedValues() {
  KernelBuilder b("values");
  const int places = b.input("places", {8}, DType::I64), out = b.output("out", {8, 4}, DType::I64);
  b.begin("out", {parallel("i", 8), parallel("c", 4)});
  b.put(tensor::indexValue(tensor::load(places, {dim(0)}) + dim(1)), out, {dim(0), dim(1)});
  return b.finish();
}

std::vector<LegalCase> vectorCases() {
  const auto loaded = [](Kernel kernel) {
    return breaks(Rule::VectorDimIsNotLoaded, std::move(kernel), "out vector i 4\n",
                  "schedule of stage 'out': vector dim 'i' occurs in an index that is loaded from a buffer",
                  "out vector c 4\n");
  };
  return {
      convolutionBreaks(Rule::VectorDimExists, "vector z 8", "vector dim 'z' is not a dim of the stage", "vector oc 8"),
      convolutionBreaks(Rule::LanesFit, "vector oc 1", "vector of 1 lanes; use a power of two from 2 to 64",
                        "vector oc 2"),
      convolutionBreaks(Rule::LanesFit, "vector oc 12", "vector of 12 lanes; use a power of two from 2 to 64",
                        "vector ic 2"),
      convolutionBreaks(Rule::LanesFit, "vector oc 128", "vector of 128 lanes; use a power of two from 2 to 64",
                        "vector oc 64"),
      breaks(Rule::VectorDimIsNoScan, cumulativeSum(3, 8), "out vector c 4\n",
             "schedule of stage 'out': vector dim 'c' is a scan dim, which is serial", "out vector r 4\n"),
      loaded(gather(5, 8, 6)),
      loaded(scatter()),
      loaded(loadedValues()),
  };
}

/// Of (x, x^2 ..): five values for each element.
Kernel fiveSums() {
  KernelBuilder b("five");
  const int x = b.input("x", {300, 4});
  std::vector<int> outputs;
  for (const char *name : {"y0", "y1", "y2", "y3", "y4"}) outputs.push_back(b.output(name, {300}));
  b.begin("sums", {parallel("i", 300), reduce("k", 4)});
  std::vector<tensor::Scalar> sums, zeros;
  for (int i = 0; i < 5; ++i) {
    sums.push_back(tensor::accumulator(i, DType::F32) + tensor::element(i, DType::F32));
    zeros.push_back(f32(0));
  }
  b.fold(sums, zeros);
  for (const int output : outputs) b.put(b.get(x, {dim(0), dim(1)}), output, {dim(0)});
  return b.finish();
}

/// Sums of \p dtype along the second dim.
Kernel sums(DType dtype) {
  KernelBuilder b("sums");
  const int x = b.input("x", {64, 5}, dtype), y = b.output("y", {64}, dtype);
  b.begin("y", {parallel("i", 64), reduce("k", 5)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(x, {dim(0), dim(1)}), y, {dim(0)});
  return b.finish();
}

std::vector<LegalCase> registerCases() {
  const char *tooMany = "; lower the counts after 'registers'";
  return {
      convolutionBreaks(Rule::RegisterDimExists, "registers z 2", "register dim 'z' is not a dim of the stage",
                        "registers x 2"),
      breaks(Rule::RegisterDimIsNoScan, cumulativeSum(3, 8), "out registers c 4\n",
             "schedule of stage 'out': register dim 'c' is a scan dim, which is serial", "out registers r 4\n"),
      convolutionBreaks(Rule::RegisterDimOnce, "registers x 2, x 3", "register dim 'x' is given twice",
                        "registers x 2, y 3"),
      convolutionBreaks(Rule::RegisterTileFits, "registers x 257",
                        "registers x 257 make a register tile of more than 256 elements", "registers x 256"),
      convolutionBreaks(Rule::RegisterTileFits, "registers x 32, y 9",
                        "registers y 9 make a register tile of more than 256 elements", "registers x 32, y 8"),
      // What wraps around to nothing is no small tile.
      convolutionBreaks(Rule::RegisterTileFits, "registers oc 4, y 4611686018427387904",
                        "registers y 4611686018427387904 make a register tile of more than 256 elements",
                        "registers oc 4, y 64"),
      breaks(Rule::RegisterTuplesFit, fiveSums(), "sums registers i 205\n",
             "schedule of stage 'sums': register tile of 205 elements of 5 values each; at most 1024 values",
             "sums registers i 204\n"),
      convolutionBreaks(Rule::VectorRegistersSuffice, "vector oc 8 registers x 9, oc 2",
                        std::string("register tile needs 18 vector registers, the target has 16") + tooMany,
                        "vector oc 8 registers x 8, oc 2"),
      // Values twice as wide take twice as many.
      breaks(Rule::VectorRegistersSuffice, sums(DType::F64), "y vector i 8 registers i 9\n",
             std::string("schedule of stage 'y': register tile needs 18 vector registers, the target has 16") + tooMany,
             "y vector i 8 registers i 8\n"),
  };
}

std::vector<LegalCase> orderCases() {
  const char *steps = ": steps must get smaller, each a divisor of the one before";
  return {
      convolutionBreaks(Rule::LoopDimExists, "order z | - | -", "loop over 'z', which is not a dim of the stage",
                        "order x | - | -"),
      convolutionBreaks(Rule::LoopKindFits, "order ic | - | -", "'ic' among the parallel loops is not a parallel dim",
                        "order - | - | ic"),
      convolutionBreaks(Rule::LoopKindFits, "order ky | - | -", "'ky' among the parallel loops is not a parallel dim",
                        "order - | y | -"),
      convolutionBreaks(Rule::LoopKindFits, "order - | - | x", "'x' among the reduction loops is not a reduction dim",
                        "order - | x | -"),
      breaks(Rule::LoopKindFits, cumulativeSum(3, 8), "out order - | c | -\n",
             "schedule of stage 'out': 'c' among the tile loops is not a parallel or reduction dim",
             "out order - | r | -\n"),
      convolutionBreaks(Rule::StepIsWholeTiles, "vector oc 8 registers oc 2 order oc/8 | - | -",
                        "loop oc/8 is not a multiple of the register tile, 16",
                        "vector oc 8 registers oc 2 order oc/32 | - | -"),
      convolutionBreaks(Rule::StepIsWholeTiles, "registers x 3 order - | x/2 | -",
                        "loop x/2 is not a multiple of the register tile, 3", "registers x 3 order - | x/3 | -"),
      convolutionBreaks(Rule::StepsDivide, "order x/4 | x/4 | -", std::string("loop x/4 inside x/4") + steps,
                        "order x/4 | x/2 | -"),
      convolutionBreaks(Rule::StepsDivide, "order x/4 | x/3 | -", std::string("loop x/3 inside x/4") + steps,
                        "order x/4 | x | -"),
      convolutionBreaks(Rule::StepsDivide, "order - | - | ic, ky, ic/2", std::string("loop ic/2 inside ic/1") + steps,
                        "order - | - | ic/2, ky, ic"),
  };
}

/// Running sums down each column, each of which takes over from the column beside it.
Kernel crossingScan() {
  KernelBuilder b("crossing");
  const int x = b.input("x", {8, 3}), out = b.output("out", {8, 3});
  b.begin("out", {scan("t", 8), parallel("r", 3)});
  const tensor::Index t = dim(0), r = dim(1);
  const tensor::Scalar before = b.get(out, {tensor::clamp(t - 1, 0, 7), tensor::clamp(r + 1, 0, 2)});
  b.put(b.get(x, {t, r}) + select(isIndex(t, 0), f32(0), before), out, {t, r});
  return b.finish();
}

std::vector<LegalCase> scanCases() {
  const Kernel kernel = lstm(3, 4, 5, 6);
  const auto lines = [](const std::string &gates, const std::string &c, const std::string &h) {
    return "from_input\ngates" + gates + "\nc" + c + "\nh" + h + "\n";
  };
  const std::string rows = " order n/2 | - | -";
  const char *same = "': parallel loops differ from those of 'gates'; all stages of a scan have the same";
  return {
      // Of the only stage, and of one whose steps need the whole state of the step before.
      breaks(
          Rule::ScanPiecesAreApart, crossingScan(), "out order r | - | -\n",
          "schedule of stage 'out': parallel loop over 'r', whose values meet in the steps of the scan; give it as a "
          "tile loop",
          "out order - | r | -\n"),
      breaks(
          Rule::ScanPiecesAreApart, kernel, lines(" order j | - | -", "", ""),
          "schedule of stage 'gates': parallel loop over 'j', whose values meet in the steps of the scan; give it as "
          "a tile loop",
          lines(" order - | j | -", "", "")),
      breaks(Rule::ScanPiecesAreTheSame, kernel, lines(rows, rows, ""), std::string("schedule of stage 'h") + same,
             lines(rows, rows, rows)),
      breaks(Rule::ScanPiecesAreTheSame, kernel, lines(rows, " order n | - | -", rows),
             std::string("schedule of stage 'c") + same, lines(rows, rows, rows)),
  };
}

std::vector<LegalCase> unrollAndPackCases() {
  const Kernel kernel = convolutionWithEpilogue({});
  const char *dims = "layout of 'weight' must name each of its 4 dims";
  return {
      convolutionBreaks(Rule::UnrollsReductions, "unroll x", "unroll of 'x', which is not a reduction dim of the stage",
                        "unroll kx"),
      convolutionBreaks(Rule::UnrollsReductions, "unroll kx, z",
                        "unroll of 'z', which is not a reduction dim of the stage", "unroll kx, ky"),
      convolutionBreaks(Rule::UnrolledStepsFit, "registers x 114 unroll ky, kx",
                        "unrolling makes 1026 steps; at most 1024", "registers x 113 unroll ky, kx"),
      // A block of a reduction is what is written out.
      breaks(Rule::UnrolledStepsFit, matmul(1, 2, 2, 2048), "out order - | k/2048 | k unroll k\n",
             "schedule of stage 'out': unrolling makes 2048 steps; at most 1024",
             "out order - | k/1024 | k unroll k\n"),
      convolutionBreaks(Rule::PacksParameters, "pack data [0][1][2][3]",
                        "packs 'data', which is not a parameter of the kernel", "pack weight [0][1][2][3]"),
      convolutionBreaks(Rule::PacksParameters, "pack nothing [0]",
                        "packs 'nothing', which is not a parameter of the kernel", "pack bias [0]"),
      convolutionBreaks(Rule::PacksOnce, "pack bias [0], bias [0]", "packs 'bias' twice",
                        "pack bias [0], weight [0][1][2][3]"),
      breaks(Rule::PacksOnce, kernel, "conv pack bias [0]\nout pack bias [0]\n",
             "schedule of stage 'out': packs 'bias' twice", "conv pack bias [0]\nout\n"),
      convolutionBreaks(Rule::PackNamesAllDims, "pack weight [0][1][2]", dims, "pack weight [2][1][0][3]"),
      convolutionBreaks(Rule::PackNamesAllDims, "pack weight [0][1][2][4]", dims, "pack weight [0/8][1][2][3][0%8]"),
      convolutionBreaks(Rule::LayoutIsNotPadding, "pack weight [0/1000000000000][1][2][3][0%1000000000000]",
                        "layout of 'weight' has blocks of 1000000000000 where dim 0 is 20 long; at most 64",
                        "pack weight [0/64][1][2][3][0%64]"),
  };
}

std::vector<LegalCase> prefetchCases() {
  const Kernel kernel = convolutionWithEpilogue({});
  const auto notRead = [](const char *name) {
    return std::string("prefetches '") + name + "', which is not a parameter that the stage reads";
  };
  return {
      convolutionBreaks(Rule::PrefetchesParameters, "prefetch data 64", notRead("data"), "prefetch weight 64"),
      convolutionBreaks(Rule::PrefetchesParameters, "prefetch bias 64", notRead("bias"), "prefetch weight 1"),
      convolutionBreaks(Rule::PrefetchesParameters, "prefetch nothing 64", notRead("nothing"), ""),
      convolutionBreaks(Rule::PrefetchesOnce, "prefetch weight 64, weight 128", "prefetches 'weight' twice",
                        "prefetch weight 64"),
      breaks(Rule::PrefetchesInReductions, kernel, "conv\nout prefetch bias 16\n",
             "schedule of stage 'out': prefetches 'bias' in the steps of a reduction, and reduces nothing",
             "conv\nout\n"),
      convolutionBreaks(Rule::PrefetchIsNear, "prefetch weight 16777217",
                        "prefetches 'weight' 16777217 elements further on; at most 16777216",
                        "prefetch weight 16777216"),
  };
}

// Stages mx [r; c], e [r, c], s [r; c], out [r, c], which write temporaries of their names; extents 3 and 8.
std::vector<LegalCase> storeCases() {
  const auto storeBreaks = [](Rule rule, const std::string &clause, const std::string &sentence,
                              const std::string &repaired) {
    return breaks(rule, softmax(3, 8), "mx\ne " + clause + "\ns\nout\n", "schedule of stage 'e': " + sentence,
                  "mx\ne " + repaired + "\ns\nout\n");
  };
  const auto notWritten = [](const char *name) {
    return std::string("stores '") + name + "', which is not a temporary that the stage writes";
  };
  return {
      storeBreaks(Rule::StoresTemporaries, "store x [0][1]", notWritten("x"), "store e [0][1]"),
      storeBreaks(Rule::StoresTemporaries, "store mx [0]", notWritten("mx"), "store e [1][0]"),
      storeBreaks(Rule::StoresTemporaries, "store nothing [0]", notWritten("nothing"), ""),
      breaks(Rule::StoresTemporaries, softmax(3, 8), "mx\ne\ns\nout store out [0][1]\n",
             "schedule of stage 'out': " + notWritten("out"), "mx\ne\ns\nout\n"),
      storeBreaks(Rule::StoresOnce, "store e [0][1], e [1][0]", "stores 'e' twice", "store e [1/4][0][1%4]"),
      storeBreaks(Rule::PackNamesAllDims, "store e [1]", "layout of 'e' must name each of its 2 dims",
                  "store e [1][0]"),
      storeBreaks(Rule::PackNamesAllDims, "store e [0][1][2]", "layout of 'e' must name each of its 2 dims",
                  "store e [0][1]"),
      storeBreaks(Rule::LayoutIsNotPadding, "store e [0/65][1][0%65]",
                  "layout of 'e' has blocks of 65 where dim 0 is 3 long; at most 64", "store e [0/64][1][0%64]"),
      breaks(Rule::LayoutIsNotPadding, softmax(3, 80), "mx\ne store e [1/192][0][1%192/6][1%6]\ns\nout\n",
             "schedule of stage 'e': layout of 'e' has blocks of 192 where dim 1 is 80 long; at most 128",
             "mx\ne store e [1/128][0][1%128/4][1%4]\ns\nout\n"),
  };
}

}  // namespace

std::vector<LegalCase> loopCases() {
  std::vector<LegalCase> all;
  for (const auto &cases : {stageCases(), vectorCases(), registerCases(), orderCases(), scanCases(),
                            unrollAndPackCases(), prefetchCases(), storeCases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace hone::schedule::testing
