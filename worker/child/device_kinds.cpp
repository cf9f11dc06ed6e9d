#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "runtime/cpu.h"
#include "runtime/tools/run_tool.h"
#include "worker/child/artifacts.h"
#include "worker/child/bench.h"
#include "worker/child/files.h"
#include "worker/child/work.h"

namespace hone::worker {

namespace {

absl::StatusOr<runtime::RunOptions> optionsOf(const v1::Run &request) {
  constexpr int64_t kMany = 1000000000;
  constexpr int64_t kThreads = 4096;
  absl::Status status = checkFlag("repeat", request.repeat(), 0, kMany);
  status.Update(checkFlag("number", request.number(), 0, kMany));
  status.Update(checkFlag("warmup", request.warmup(), 0, kMany));
  status.Update(checkFlag("print-top", request.print_top(), 0, kMany));
  status.Update(checkFlag("threads", request.threads(), 0, kThreads));
  if (!status.ok()) return status;
  runtime::RunOptions options;
  options.path = pathOf(request.artifact_descriptor());
  if (request.inputs_descriptor() > 0) options.inputs = pathOf(request.inputs_descriptor());
  options.fillMode = fillModeOf(request.fill_mode());
  options.seed = request.seed();
  options.printTime = request.print_time();
  options.printTop = request.print_top();
  options.profile = request.profile();
  options.endToEnd = request.end_to_end();
  options.repeat = std::max<int64_t>(request.repeat(), 1);
  options.number = std::max<int64_t>(request.number(), 1);
  options.warmup = request.warmup();
  options.threads = request.threads();
  options.pin = request.pin();
  options.json = request.json();
  options.checkIndices = request.check_indices();
  return options;
}

// The tool speaks of files by the paths that it was given; ours mean nothing to the person.
Words wordsOf(const runtime::RunOptions &options) {
  Words words = {{absl::StrCat("'", options.path, "': "), ""}, {absl::StrCat("'", options.path, "'"), "the artifact"}};
  if (!options.inputs.empty()) {
    words.emplace_back(absl::StrCat("'", options.inputs, "': "), "the inputs: ");
    words.emplace_back(absl::StrCat("'", options.inputs, "'"), "the inputs");
  }
  return words;
}

absl::Status run(const v1::Work &work, const ReportProgress &progress, Kept &, v1::Result &result) {
  const v1::Run &request = work.run();
  auto options = optionsOf(request);
  if (!options.ok()) return options.status();
  v1::Progress begun;
  begun.set_phase("run");
  progress(begun);
  std::ostringstream printed;
  std::ostringstream notes;
  DescriptorStream npz(request.outputs_descriptor());
  runtime::RunReport report;
  const runtime::RunSinks sinks{printed, notes, request.outputs_descriptor() > 0 ? &npz.stream() : nullptr};
  const runtime::Status status = runtime::runArtifact(*options, sinks, report, restOf(request.core_lock_descriptor()));
  if (!status.ok()) {
    if (npz.error() != 0) return cannotWrite("the outputs", npz.error());
    return statusOf(status, wordsOf(*options));
  }
  result.set_printed(printed.str());
  for (const double milliseconds : report.milliseconds) result.add_sample_seconds(milliseconds / 1000);
  constexpr std::string_view kNote = "note: ";
  for (const auto line : absl::StrSplit(notes.str(), '\n', absl::SkipEmpty())) {
    std::string note = absl::StrReplaceAll(line, wordsOf(*options));
    if (note.starts_with(kNote)) note.erase(0, kNote.size());
    result.add_notes(std::move(note));
  }
  return absl::OkStatus();
}

// Those that the compiler makes use of, of all that the runtime can detect: the same machine is described by the same
// list, whichever of the two looks.
constexpr std::string_view kArithmetic[] = {
#if defined(__x86_64__)
    "avx",        "avx2",       "avx512bf16", "avx512bitalg", "avx512bw",        "avx512cd", "avx512dq", "avx512f",
    "avx512fp16", "avx512ifma", "avx512vbmi", "avx512vbmi2",  "avx512vl",        "bmi",      "bmi2",     "avx512vnni",
    "f16c",       "fma",        "gfni",       "avxvnni",      "avx512vpopcntdq", "lzcnt",    "movbe",    "popcnt",
    "sse",        "sse2",       "sse3",       "sse4.1",       "sse4.2",          "ssse3",
#elif defined(__aarch64__)
    "bf16", "dotprod", "fp-armv8", "fp16fml", "fullfp16", "i8mm", "lse", "neon", "rcpc",
#endif
};

int64_t cacheBytes(int name, int64_t fallback, int64_t low, int64_t high) {
  const int64_t bytes = sysconf(name);
  return std::clamp(bytes > 0 ? bytes : fallback, low, high);
}

// As the compiler counts them.
int64_t cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  return std::max<int64_t>(1, sysconf(_SC_NPROCESSORS_ONLN));
}

// The machine as far as it can be told without LLVM: the CPU stays nameless, its features do not.
absl::Status describeHost(const v1::Work &work, const ReportProgress &, Kept &, v1::Result &result) {
  const std::string &text = work.describe_target().target();
  if (!text.empty() && text != "llvm")
    return absl::FailedPreconditionError(
        absl::StrCat("this hone-worker has no compiler, which target '", text, "' needs; it knows 'llvm' alone"));
  v1::TargetDescription &target = *result.mutable_target_description();
#if defined(__x86_64__)
  target.set_triple("x86_64-pc-linux-gnu");
  target.set_cpu("x86-64");
#elif defined(__aarch64__)
  target.set_triple("aarch64-unknown-linux-gnu");
  target.set_cpu("generic");
#endif
  std::vector<std::string> features;
  for (const runtime::CpuFeature &feature : runtime::cpuFeatures())
    if (feature.available &&
        std::find(std::begin(kArithmetic), std::end(kArithmetic), feature.name) != std::end(kArithmetic))
      features.emplace_back(feature.name);
  std::sort(features.begin(), features.end());
  for (const std::string &feature : features) target.add_features(feature);
  const auto has = [&](std::initializer_list<const char *> names) {
    return std::all_of(names.begin(), names.end(),
                       [&](const char *name) { return std::binary_search(features.begin(), features.end(), name); });
  };
  const bool isWide = has({"avx512f", "avx512vl", "avx512bw", "avx512dq"});
  target.set_vector_bytes(isWide ? 64 : has({"avx2", "fma"}) ? 32 : 16);
  target.set_vector_registers(isWide || has({"neon"}) ? 32 : 16);
  constexpr int64_t kKilo = 1 << 10;
  constexpr int64_t kMega = 1 << 20;
  target.set_l1_bytes(cacheBytes(_SC_LEVEL1_DCACHE_SIZE, 32 * kKilo, 16 * kKilo, 128 * kKilo));
  target.set_l2_bytes(cacheBytes(_SC_LEVEL2_CACHE_SIZE, kMega, 256 * kKilo, 4 * kMega));
  target.set_cores(cores());
  const int64_t shared = sysconf(_SC_LEVEL3_CACHE_SIZE);
  target.set_l3_bytes(std::clamp(shared > 0 ? shared / target.cores() : 8 * kMega, 2 * kMega, 16 * kMega));
  return absl::OkStatus();
}

}  // namespace

std::vector<Kind> deviceKinds() {
  return {{v1::Work::kRun, run}, {v1::Work::kBench, bench}, {v1::Work::kDescribeTarget, describeHost}};
}

}  // namespace hone::worker
