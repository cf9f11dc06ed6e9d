#include "tests/schedule/legal_cases.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::schedule::testing {
namespace {

using namespace tensor::testing;
using tensor::CombinerKind;
using tensor::dim;
using tensor::Index;
using tensor::Kernel;

Kernel convolutionOf20() {
  ConvolutionSize size;
  size.oc = 20;
  return convolutionWithEpilogue(size);
}

/// Rows [3, 8]: stage a, then a stage that scans it, then one that reads the sums.
Kernel scanBetweenMaps() {
  KernelBuilder b("between");
  const int x = b.input("x", {3, 8}), a = b.temporary("a", {3, 8}), sum = b.temporary("sum", {3, 8});
  const int out = b.output("out", {3, 8});
  b.begin("a", {parallel("r", 3), parallel("c", 8)});
  b.put(b.get(x, {dim(0), dim(1)}) * f32(2), a, {dim(0), dim(1)});
  b.begin("sum", {scan("c", 8), parallel("r", 3)});
  const Index c = dim(0), r = dim(1);
  const tensor::Scalar before = select(isIndex(c, 0), f32(0), b.get(sum, {r, tensor::clamp(c - 1, 0, 7)}));
  b.put(b.get(a, {r, c}) + before, sum, {r, c});
  b.begin("out", {parallel("r", 3), parallel("c", 8)});
  b.put(b.get(sum, {dim(0), dim(1)}) * f32(3), out, {dim(0), dim(1)});
  return b.finish();
}

std::vector<LegalCase> hostCases() {
  const std::string host = "conv order n, oc | y, x | -\nout ";
  const std::string shared = "\nout order n, oc | y, x | -\n";
  const char *parallel = "': parallel loops in a stage that is attached to another; give them as tile loops";
  const char *scans = "': stages with scan dims cannot be attached";
  return {
      breaks(Rule::AttachedIsNotParallel, convolutionOf20(), host + "at conv x order x | - | -\n",
             std::string("schedule of stage 'out") + parallel, host + "at conv x\n"),
      breaks(Rule::AttachedIsNotParallel, convolutionOf20(), "conv at out y order x | - | -" + shared,
             std::string("schedule of stage 'conv") + parallel, "conv at out y order - | x | -" + shared),
      breaks(Rule::HostIsAnotherStage, convolutionOf20(), host + "at nothing x\n",
             "schedule of stage 'out': attached to 'nothing', which is not another stage of the kernel",
             host + "at conv x\n"),
      breaks(Rule::HostIsAnotherStage, convolutionOf20(), host + "at out x\n",
             "schedule of stage 'out': attached to 'out', which is not another stage of the kernel",
             host + "at conv x\n"),
      // A stage that feeds a scan, and one that scans.
      breaks(Rule::ScansAreNotAttached, scanBetweenMaps(), "a at sum r\nsum order - | r | -\nout\n",
             std::string("schedule of stage 'a") + scans, "a\nsum order - | r | -\nout\n"),
      breaks(Rule::ScansAreNotAttached, scanBetweenMaps(), "a\nsum at out r\nout order r | - | -\n",
             std::string("schedule of stage 'sum") + scans, "a\nsum\nout order r | - | -\n"),
      breaks(Rule::HostHasTheLoop, convolutionOf20(), "conv at out x/2" + shared,
             "schedule of stage 'conv': attached at loop x/2, which is not among the parallel or tile loops of 'out'",
             "conv at out x" + shared),
      breaks(Rule::HostHasTheLoop, convolutionOf20(), host + "at conv x/2\n",
             "schedule of stage 'out': attached at loop x/2, which is not among the parallel or tile loops of 'conv'",
             host + "at conv x\n"),
  };
}

/// Places [4] and their doubles [4], which out reads, and which say what out reads of the table when \p loads is set.
Kernel placesAndTable(bool loads) {
  KernelBuilder b("places");
  const int x = b.input("x", {4}, DType::I64), table = b.input("table", {9}, DType::I64);
  const int twice = b.temporary("twice", {4}, DType::I64), out = b.output("out", {4}, DType::I64);
  b.begin("twice", {parallel("i", 4)});
  b.put(b.get(x, {dim(0)}) + b.get(x, {dim(0)}), twice, {dim(0)});
  b.begin("out", {parallel("i", 4)});
  const Index place = loads ? tensor::clamp(tensor::load(twice, {dim(0)}), 0, 8) : dim(0);
  b.put(b.get(table, {place}) + b.get(twice, {dim(0)}), out, {dim(0)});
  return b.finish();
}

/// Copies y and z of x; z reads y when \p reads is set.
Kernel copies(bool reads) {
  KernelBuilder b("two");
  const int x = b.input("x", {4}), y = b.output("y", {4}), z = b.output("z", {4});
  b.begin("y", {parallel("i", 4)});
  b.put(b.get(x, {dim(0)}), y, {dim(0)});
  b.begin("z", {parallel("i", 4)});
  b.put(b.get(reads ? y : x, {dim(0)}), z, {dim(0)});
  return b.finish();
}

/// s [4], the sums of rows of x [4, 5], and y = x - s: s is a result, or a temporary whose elements lie \p step apart.
Kernel rowsWithoutSums(bool isResult, int64_t step) {
  KernelBuilder b("sum");
  const int x = b.input("x", {4, 5}), y = b.output("y", {4, 5});
  const int s = isResult ? b.output("s", {4 * step}) : b.temporary("s", {4 * step});
  const Index r = dim(0), c = dim(1), place = step == 1 ? r : r * step;
  b.begin("s", {parallel("r", 4), reduce("k", 5)});
  b.fold(CombinerKind::Sum);
  b.put(b.get(x, {r, c}), s, {place});
  b.begin("y", {parallel("r", 4), parallel("c", 5)});
  b.put(b.get(x, {r, c}) - b.get(s, {place}), y, {r, c});
  return b.finish();
}

std::vector<LegalCase> feederCases() {
  const Kernel kernel = softmax(3, 8);
  LegalCase loaded = breaks(Rule::NothingLoadsFromIt, placesAndTable(true), "twice at out i\nout order i | - | -\n",
                            "schedule of stage 'twice': attached to 'out', but 'out' loads indices from what it "
                            "writes, which has to be complete; attach it nowhere",
                            "twice\nout order i | - | -\n");
  LegalCase loadedKernel = loaded;
  loadedKernel.repaired = loaded.lines;
  loadedKernel.repairedKernel = placesAndTable(false);
  LegalCase notRead =
      breaks(Rule::HostReadsIt, copies(false), "y at z i\nz order i | - | -\n",
             "schedule of stage 'y': attached to 'z', which does not read it", "y at z i\nz order i | - | -\n");
  notRead.repairedKernel = copies(true);
  const char *pieces = "schedule of stage 's': writes 's', which would be written by several pieces of 'y'";
  return {
      breaks(Rule::ReadersAreInside, kernel, "mx\ne at s r\ns order r | - | -\nout\n",
             "schedule of stage 'e': attached to 's' but also read by 'out', outside of that loop",
             "mx\ne\ns order r | - | -\nout\n"),
      breaks(Rule::ReadersAreInside, kernel, "mx at s r\ne order r | - | -\ns order r | - | -\nout\n",
             "schedule of stage 'mx': attached to 's' but also read by 'e', outside of that loop",
             "mx at e r\ne order r | - | -\ns order r | - | -\nout\n"),
      breaks(Rule::ReadersAreInside, kernel, "mx\ne at out r\ns\nout order r | c | -\n",
             "schedule of stage 'e': attached to 'out' but also read by 's', outside of that loop",
             "mx\ne at out r\ns at out r\nout order r | c | -\n"),
      loaded,
      loadedKernel,
      notRead,
      breaks(Rule::WriterIsNotElsewhere, kernel,
             "mx at e r\ne at out r order - | r | -\ns at out r\nout order r | c | -\n",
             "schedule of stage 'e': reads 'mx', which is attached elsewhere",
             "mx at out r\ne at out r order - | r | -\ns at out r\nout order r | c | -\n"),
      breaks(Rule::WrittenByOnePiece, rowsWithoutSums(true, 1), "s at y r\ny order c | r | -\n", pieces,
             "s at y r\ny order r | c | -\n"),
      breaks(Rule::WrittenByOnePiece, rowsWithoutSums(false, 2), "s at y r\ny order - | c, r | -\n", pieces,
             "s at y r\ny order - | r, c | -\n"),
  };
}

enum class Follower : uint8_t { Fits, Reduces, Loads, Shifted, Diagonal, OtherConstant, Narrower };

/// host [r 4, c 4] of x, then a stage `next` that reads it in the way of \p follower.
Kernel following(Follower follower) {
  KernelBuilder b("following");
  const int x = b.input("x", {4, 4}, DType::I64), t = b.temporary("t", {4, 4, 2}, DType::I64);
  const int out = b.output("out", {4, 4}, DType::I64);
  const Index r = dim(0), c = dim(1), zero = tensor::constant(0);
  b.begin("host", {parallel("r", 4), parallel("c", 4)});
  b.put(b.get(x, {r, c}), t, {r, c, zero});
  const int64_t rows = follower == Follower::Narrower ? 3 : 4;
  b.begin("next", {parallel("r", rows), follower == Follower::Reduces ? reduce("c", 4) : parallel("c", 4)});
  if (follower == Follower::Reduces) b.fold(CombinerKind::Sum);
  tensor::Scalar value =
      b.get(t, {follower == Follower::Shifted ? tensor::clamp(r + 1, 0, 3) : r, follower == Follower::Diagonal ? r : c,
                follower == Follower::OtherConstant ? tensor::constant(1) : zero});
  if (follower == Follower::Loads) {
    value = value + b.get(x, {tensor::clamp(tensor::load(t, {zero, c, zero}), 0, 3), c});
  }
  b.put(value, out, {r, follower == Follower::Reduces ? zero : c});
  return b.finish();
}

/// y = 2 x, z = 3 x, out = y + z [4]; or out = y when \p reads is not set.
Kernel sumOfTwo(bool reads) {
  KernelBuilder b("sum_of_two");
  const int x = b.input("x", {4}), y = b.temporary("y", {4}), z = b.output("z", {4}), out = b.output("out", {4});
  b.begin("y", {parallel("i", 4)});
  b.put(b.get(x, {dim(0)}) * f32(2), y, {dim(0)});
  b.begin("z", {parallel("i", 4)});
  b.put(b.get(x, {dim(0)}) * f32(3), z, {dim(0)});
  b.begin("out", {parallel("i", 4)});
  b.put(reads ? b.get(y, {dim(0)}) + b.get(z, {dim(0)}) : b.get(y, {dim(0)}), out, {dim(0)});
  return b.finish();
}

std::vector<LegalCase> elementCases() {
  const char *lines = "host order r | c | -\nnext at host c\n";
  std::vector<LegalCase> cases;
  for (const Follower follower : {Follower::Reduces, Follower::Loads, Follower::Shifted, Follower::Diagonal,
                                  Follower::OtherConstant, Follower::Narrower}) {
    cases.push_back(breaks(Rule::FollowsElementByElement, following(follower), lines,
                           "schedule of stage 'next': attached to 'host' but does not follow it element by element",
                           lines));
    cases.back().repairedKernel = following(Follower::Fits);
  }
  const char *second = "y order i | - | -\nz\nout at y i\n";
  cases.push_back(breaks(Rule::FollowsElementByElement, sumOfTwo(true), second,
                         "schedule of stage 'out': attached to 'y' but does not follow it element by element", second));
  cases.back().repairedKernel = sumOfTwo(false);
  const char *apart = "y order i | - | -\nz at y i\n";
  cases.push_back(breaks(Rule::FollowsElementByElement, copies(false), apart,
                         "schedule of stage 'z': attached to 'y' but does not follow it element by element", apart));
  cases.back().repairedKernel = copies(true);
  return cases;
}

std::vector<LegalCase> followerCases() {
  const std::string host = "conv order n, oc | y, x | -\nout at conv ";
  const char *given = "schedule of stage 'out': takes vector dim, registers and loops from 'conv'; give none";
  return {
      breaks(Rule::FollowsAtTheInnermostLoop, convolutionOf20(), host + "y\n",
             "schedule of stage 'out': a stage that reads 'conv' is attached at its innermost loop, x/1", host + "x\n"),
      breaks(Rule::FollowsAtTheInnermostLoop, convolutionOf20(), "conv order n, oc, y, x | - | -\nout at conv y\n",
             "schedule of stage 'out': a stage that reads 'conv' is attached at its innermost loop, x/1",
             "conv order n, oc, y, x | - | -\nout at conv x\n"),
      breaks(Rule::HostEndsWithItsTile, convolutionOf20(), "conv order y, x | - | -\nout at conv x\n",
             "schedule of stage 'out': attached to 'conv', whose loops leave 20 of dim 'oc'; end them with oc/1",
             "conv order oc, y, x | - | -\nout at conv x\n"),
      breaks(Rule::HostEndsWithItsTile, convolutionOf20(), "conv vector oc 8 order y, oc/16 | x | -\nout at conv x\n",
             "schedule of stage 'out': attached to 'conv', whose loops leave 16 of dim 'oc'; end them with oc/8",
             "conv vector oc 8 order y, oc/8 | x | -\nout at conv x\n"),
      breaks(Rule::FollowerHasNoLoops, convolutionOf20(), host + "x vector oc 8\n", given, host + "x\n"),
      breaks(Rule::FollowerHasNoLoops, convolutionOf20(), host + "x registers oc 2\n", given, host + "x\n"),
      breaks(Rule::FollowerHasNoLoops, convolutionOf20(), host + "x order - | x | -\n", given, host + "x\n"),
  };
}

}  // namespace

std::vector<LegalCase> attachmentCases() {
  std::vector<LegalCase> all;
  for (const auto &cases : {hostCases(), feederCases(), elementCases(), followerCases()}) {
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

}  // namespace hone::schedule::testing
