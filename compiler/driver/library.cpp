#include "compiler/driver/library.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/driver/parallel.h"
#include "compiler/loop/lower.h"

namespace hone::driver {

namespace {

struct Built {
  Candidate candidate;
  codegen::ModuleKernel entry;
  std::string object;
};

int argumentCount(const tensor::Kernel &kernel) {
  return static_cast<int>(std::count_if(kernel.buffers.begin(), kernel.buffers.end(), [](const tensor::Buffer &buffer) {
    return buffer.role != tensor::BufferRole::Temporary;
  }));
}

// Compilers for as many threads as ask at once.
class Compilers {
 public:
  explicit Compilers(const TargetDescription &target) : target_(target) {}

  absl::StatusOr<codegen::CompiledKernel> compile(const loop::Kernel &kernel, const std::string &symbol) {
    HONE_ASSIGN_OR_RETURN(codegen::KernelCompiler compiler, take());
    absl::StatusOr<codegen::CompiledKernel> compiled = compiler.compile(kernel, symbol);
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(compiler));
    return compiled;
  }

 private:
  absl::StatusOr<codegen::KernelCompiler> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return codegen::KernelCompiler::make(target_, {});
    codegen::KernelCompiler compiler = std::move(idle_.back());
    idle_.pop_back();
    return compiler;
  }

  const TargetDescription &target_;
  std::mutex mutex_;
  std::vector<codegen::KernelCompiler> idle_;
};

absl::StatusOr<Built> build(const tensor::Kernel &kernel, const schedule::Schedule &given,
                            const TargetDescription &target, Compilers &compilers, const std::string &symbol) {
  // As everywhere, lowering takes only what went through the text.
  HONE_ASSIGN_OR_RETURN(const schedule::Schedule parsed, schedule::parse(schedule::print(given)));
  HONE_RETURN_IF_ERROR(schedule::legal(kernel, parsed, target));
  Built built;
  HONE_ASSIGN_OR_RETURN(built.candidate.rewrite, tensor::applyAlgorithm(kernel, parsed.algorithm));
  built.candidate.packed = schedule::applyPacks(built.candidate.rewrite.kernel, parsed);
  HONE_ASSIGN_OR_RETURN(const loop::Kernel loops, loop::lower(built.candidate.packed, parsed));
  HONE_ASSIGN_OR_RETURN(codegen::CompiledKernel compiled, compilers.compile(loops, symbol));
  built.candidate.stackReferences = compiled.stackReferences;
  built.object = std::move(compiled.object);
  built.entry.name = symbol;
  built.entry.symbol = symbol;
  built.entry.bufferCount = argumentCount(built.candidate.packed);
  built.entry.sharedScratchBytes = loops.sharedScratchBytes;
  for (const loop::Phase &phase : loops.phases) built.entry.phases.push_back({phase.extent, phase.scratchBytes});
  return built;
}

}  // namespace

absl::StatusOr<Library> buildLibrary(const schedule::Task &task, const std::vector<schedule::Schedule> &schedules,
                                     const TargetDescription &target, int threads) {
  Compilers compilers(target);
  std::vector<absl::StatusOr<Built>> built(schedules.size());
  parallelFor(static_cast<int>(schedules.size()), threads, [&](int i) {
    const auto position = static_cast<size_t>(i);
    try {
      built[position] = build(task.kernel(), schedules[position], target, compilers, absl::StrCat("candidate_", i));
    } catch (const std::bad_alloc &) {
      built[position] = absl::ResourceExhaustedError("out of memory while compiling a candidate");
    }
  });
  Library library;
  std::vector<std::string> objects;
  std::vector<codegen::ModuleKernel> table;
  for (absl::StatusOr<Built> &one : built) {
    if (!one.ok()) {
      library.candidates.emplace_back(one.status());
      continue;
    }
    one->candidate.kernel = static_cast<int>(table.size());
    table.push_back(std::move(one->entry));
    objects.push_back(std::move(one->object));
    library.candidates.emplace_back(std::move(one->candidate));
  }
  if (table.empty()) return library;
  HONE_ASSIGN_OR_RETURN(library.bytes, codegen::linkModule(objects, table, target));
  return library;
}

}  // namespace hone::driver
