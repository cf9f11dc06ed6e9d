// Kernels under random legal schedules, compiled and run, against the interpreter: lowering and code generation must
// keep what a kernel computes whatever order it is computed in.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/codegen/codegen.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/interpreter.h"
#include "tests/support/arguments.h"
#include "tests/support/effort.h"
#include "tests/support/example_kernels.h"
#include "tests/support/execute.h"
#include "tests/support/random_kernel.h"
#include "tests/support/random_schedule.h"

namespace hone::testing {
namespace {

using schedule::Schedule;
using schedule::StageSchedule;
using tensor::Kernel;

constexpr const char *kTargets[] = {"llvm", "llvm -mcpu=haswell", "llvm -mcpu=x86-64"};
constexpr int kMostFailures = 8;  // enough to see what they have in common
constexpr size_t kFields = 19;
constexpr size_t kFewestValues = 3;  // that each field of the schedules must have taken

// How often each field of the schedules took which value.
class Coverage {
 public:
  void add(const Kernel &kernel, const Schedule &schedule) {
    note("algorithm", schedule.algorithm.starts_with("split") ? "split" : schedule.algorithm);
    const Kernel rewritten = tensor::applyAlgorithm(kernel, schedule.algorithm)->kernel;
    for (size_t s = 0; s < schedule.stages.size(); ++s) addStage(rewritten.stages[s], s, schedule);
  }

  bool isVaried() const {
    return seen_.size() == kFields && std::all_of(seen_.begin(), seen_.end(), [](const auto &field) {
             return field.second.size() >= kFewestValues;
           });
  }

  void expectVariety() const {
    for (const auto &[field, values] : seen_) {
      int64_t count = 0;
      for (const auto &[value, times] : values) count += times;
      std::cout << field << ": " << values.size() << " values in " << count << " stages\n";
      EXPECT_GE(values.size(), kFewestValues) << "random schedules vary '" << field << "' too little";
    }
    EXPECT_EQ(seen_.size(), kFields);
  }

 private:
  void addStage(const tensor::TensorOp &op, size_t s, const Schedule &schedule) {
    const StageSchedule &stage = schedule.stages[s];
    std::string kind = "none";
    for (const tensor::Dim &dim : op.dims) {
      if (dim.name == stage.vectorDim) kind = dim.kind == tensor::DimKind::Reduction ? "reduction" : "parallel";
    }
    note("vector dim", kind);
    note("lanes", absl::StrCat(stage.lanes));
    note("register tiles", absl::StrCat(stage.registers.size()));
    for (const schedule::RegisterTile &tile : stage.registers) note("register count", absl::StrCat(tile.count));
    note("parallel loops", absl::StrCat(stage.parallel.size()));
    note("tile loops", absl::StrCat(stage.tile.size()));
    note("blocked reduction dims",
         absl::StrCat(std::count_if(stage.tile.begin(), stage.tile.end(), [&](const auto &loop) {
           return std::any_of(op.dims.begin(), op.dims.end(), [&](const tensor::Dim &dim) {
             return dim.name == loop.dim && dim.kind == tensor::DimKind::Reduction;
           });
         })));
    note("reduction loops", absl::StrCat(stage.reduction.size()));
    for (const auto *loops : {&stage.parallel, &stage.tile, &stage.reduction}) {
      for (const schedule::Loop &loop : *loops) {
        note("steps", absl::StrCat(loop.step));
        noteDivision(op, loop, *loops);
      }
    }
    note("unrolled dims", absl::StrCat(stage.unroll.size()));
    note("packs", absl::StrCat(stage.packs.size()));
    for (const schedule::Pack &pack : stage.packs) note("pack layout", pack.layout.text());
    note("prefetches", absl::StrCat(stage.prefetches.size()));
    for (const schedule::Prefetch &prefetch : stage.prefetches) note("distance", absl::StrCat(prefetch.distance));
    note("stores", absl::StrCat(stage.stores.size()));
    for (const schedule::Pack &store : stage.stores) note("store layout", store.layout.text());
    note("attachment", attachmentKind(s, schedule));
  }

  void noteDivision(const tensor::TensorOp &op, const schedule::Loop &loop, const std::vector<schedule::Loop> &loops) {
    const auto same =
        std::count_if(loops.begin(), loops.end(), [&](const schedule::Loop &other) { return other.dim == loop.dim; });
    for (const tensor::Dim &dim : op.dims) {
      if (dim.name != loop.dim) continue;
      const char *fit = loop.step > dim.extent ? "larger" : dim.extent % loop.step == 0 ? "divides" : "leaves a tail";
      note("step and extent", absl::StrCat(fit, same > 1 ? ", nested" : ""));
    }
  }

  static std::string attachmentKind(size_t s, const Schedule &schedule) {
    if (!schedule.stages[s].at) return "none";
    for (size_t h = 0; h < s; ++h) {
      if (schedule.stages[h].stage == schedule.stages[s].at->stage) return "follows";
    }
    return "feeds";
  }

  void note(const std::string &field, const std::string &value) { ++seen_[field][value]; }

  std::map<std::string, std::map<std::string, int64_t>> seen_;
};

class RandomSchedules : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char *text : kTargets) {
      absl::StatusOr<TargetDescription> target = codegen::parseTarget(text);
      ASSERT_TRUE(target.ok()) << target.status();
      if (canRun(*target)) targets_.push_back(*target);
    }
    ASSERT_FALSE(targets_.empty());
  }

  /// Whether the interpreter can say something about every output.
  static bool isTelling(const Kernel &kernel, uint64_t seed) {
    const auto result = tensor::interpretWithTolerance(kernel, tensor::testing::randomArguments(kernel, seed));
    return result.ok() &&
           std::all_of(result->tolerances.begin(), result->tolerances.end(), [](const tensor::Tolerance &tolerance) {
             return tolerance.empty() ||
                    std::any_of(tolerance.begin(), tolerance.end(), [](double t) { return t < 1e300; });
           });
  }

  void check(const Kernel &kernel, uint64_t seed) {
    if (!isTelling(kernel, seed)) return;
    const TargetDescription &target = targets_[checked_++ % targets_.size()];
    const Schedule schedule = randomSchedule(kernel, target, seed);
    coverage_.add(kernel, schedule);
    const std::string difference = checkAgainstInterpreter(kernel, schedule, target, seed);
    if (difference.empty()) return;
    ++failures_;
    ADD_FAILURE() << kernel.name << " for " << target.cpu << ", seed " << seed << "\n" << difference;
  }

  std::vector<TargetDescription> targets_;
  size_t checked_ = 0;
  int failures_ = 0;
  Coverage coverage_;
};

TEST_F(RandomSchedules, AgreeWithInterpreter) {
  const uint64_t seed = testSeed() * 1000;
  const std::vector<Kernel> examples = tensor::testing::exampleKernels();
  const int64_t rounds = effort(3, 40);
  // A sample goes on until it has seen some of everything.
  auto isEnough = [&](int64_t round) { return round >= rounds && (coverage_.isVaried() || round >= 8 * rounds); };
  for (int64_t round = 0; !isEnough(round) && failures_ < kMostFailures; ++round) {
    for (const Kernel &kernel : examples) check(kernel, seed + static_cast<uint64_t>(round));
  }
  const size_t ofExamples = checked_;
  const int64_t kernels = effort(100, 600);
  for (int64_t i = 0; i < kernels && failures_ < kMostFailures; ++i) {
    check(tensor::testing::randomKernel(seed + static_cast<uint64_t>(i)), seed + static_cast<uint64_t>(i));
  }
  std::cout << checked_ << " schedules, " << checked_ - ofExamples << " of them of random kernels\n";
  if (HasFailure()) return;
  EXPECT_GE(static_cast<int64_t>(checked_ - ofExamples), kernels / 2);
  coverage_.expectVariety();
}

}  // namespace
}  // namespace hone::testing
