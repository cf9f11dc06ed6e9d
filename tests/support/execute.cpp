#include "tests/support/execute.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "abi/hone_abi.h"
#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/loop/lower.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/interpreter.h"
#include "tests/support/arguments.h"

namespace hone::testing {
namespace {

using tensor::BufferRole;
using tensor::HostTensor;

// Guard bytes behind every buffer: a store past the end shows.
constexpr size_t kGuardBytes = 256;
constexpr char kGuard = 0x5a;

class AlignedBytes {
 public:
  explicit AlignedBytes(size_t size, char fill) : size_(size) {
    size_t total = (size + kGuardBytes + HONE_ALIGNMENT - 1) / HONE_ALIGNMENT * HONE_ALIGNMENT;
    data_.reset(static_cast<char *>(std::aligned_alloc(HONE_ALIGNMENT, total)));
    std::memset(data_.get(), kGuard, total);
    std::memset(data_.get(), fill, size);
  }
  char *data() { return data_.get(); }
  bool guardIntact() const {
    return std::all_of(data_.get() + size_, data_.get() + size_ + kGuardBytes, [](char c) { return c == kGuard; });
  }

 private:
  struct Free {
    void operator()(char *bytes) const { std::free(bytes); }
  };
  size_t size_;
  std::unique_ptr<char, Free> data_;
};

// A shared library loaded from memory.
class LoadedModule {
 public:
  static absl::StatusOr<std::unique_ptr<LoadedModule>> load(const std::string &bytes) {
    int descriptor = memfd_create("module", MFD_CLOEXEC);
    if (descriptor < 0) return absl::InternalError("memfd_create failed");
    bool written = write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    void *handle =
        written ? dlopen(absl::StrCat("/proc/self/fd/", descriptor).c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
    close(descriptor);
    if (handle == nullptr) return absl::InternalError(absl::StrCat("dlopen: ", written ? dlerror() : "short write"));
    return std::unique_ptr<LoadedModule>(new LoadedModule(handle));
  }
  ~LoadedModule() { dlclose(handle_); }
  LoadedModule(const LoadedModule &) = delete;
  LoadedModule &operator=(const LoadedModule &) = delete;

  const hone_module *query() const {
    auto function = reinterpret_cast<hone_module_query_function>(dlsym(handle_, HONE_QUERY_SYMBOL));
    return function == nullptr ? nullptr : function(HONE_ABI_VERSION);
  }

 private:
  explicit LoadedModule(void *handle) : handle_(handle) {}
  void *handle_;
};

absl::StatusOr<std::string> build(const loop::Kernel &nest, const TargetDescription &target, int bufferCount) {
  HONE_ASSIGN_OR_RETURN(codegen::CompiledKernel compiled, codegen::compileKernel(nest, "k0", target, {}));
  codegen::ModuleKernel entry;
  entry.name = nest.name;
  entry.symbol = "k0";
  entry.bufferCount = bufferCount;
  entry.sharedScratchBytes = nest.sharedScratchBytes;
  for (const loop::Phase &phase : nest.phases) entry.phases.push_back({phase.extent, phase.scratchBytes});
  return codegen::linkModule({compiled.object}, {entry}, target);
}

void runPhases(const hone_kernel &kernel, std::vector<void *> buffers, int64_t pieces) {
  AlignedBytes shared(static_cast<size_t>(kernel.shared_scratch_bytes), 0x7f);
  if (kernel.shared_scratch_bytes > 0) buffers.push_back(shared.data());
  for (int32_t p = 0; p < kernel.phase_count; ++p) {
    const hone_phase &phase = kernel.phases[p];
    AlignedBytes scratch(static_cast<size_t>(phase.scratch_bytes), 0x7f);
    int64_t count = std::min(pieces, phase.extent);
    for (int64_t piece = count; piece-- > 0;) {
      phase.run(buffers.data(), phase.extent * piece / count, phase.extent * (piece + 1) / count, scratch.data());
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<HostTensor>> execute(const tensor::Kernel &kernel, const schedule::Schedule &schedule,
                                                const TargetDescription &target, const std::vector<HostTensor> &given,
                                                int64_t pieces) {
  HONE_ASSIGN_OR_RETURN(schedule::Schedule parsed, schedule::parse(schedule::print(schedule)));
  if (!(parsed == schedule))
    return absl::InternalError(absl::StrCat("text round trip changed\n", schedule::print(schedule)));
  HONE_RETURN_IF_ERROR(schedule::legal(kernel, parsed, target));
  HONE_ASSIGN_OR_RETURN(const tensor::Rewrite rewrite, tensor::applyAlgorithm(kernel, parsed.algorithm));
  const std::vector<HostTensor> arguments = tensor::testing::argumentsOf(kernel, rewrite, given);
  tensor::Kernel packed = schedule::applyPacks(rewrite.kernel, parsed);
  HONE_ASSIGN_OR_RETURN(loop::Kernel nest, loop::lower(packed, parsed));
  auto count = std::count_if(packed.buffers.begin(), packed.buffers.end(),
                             [](const tensor::Buffer &buffer) { return buffer.role != BufferRole::Temporary; });
  HONE_ASSIGN_OR_RETURN(std::string library, build(nest, target, static_cast<int>(count)));
  HONE_ASSIGN_OR_RETURN(std::unique_ptr<LoadedModule> module, LoadedModule::load(library));
  const hone_module *table = module->query();
  if (table == nullptr || table->kernel_count != 1) return absl::InternalError("module has no table of one kernel");

  std::vector<AlignedBytes> storage;
  std::vector<void *> buffers;
  size_t argument = 0;
  for (const tensor::Buffer &buffer : packed.buffers) {
    if (buffer.role == BufferRole::Temporary) continue;
    auto bytes = static_cast<size_t>(buffer.layout.elements() * sizeOf(buffer.dtype));
    storage.emplace_back(bytes, static_cast<char>(0xff));
    if (buffer.role != BufferRole::Output) {
      std::vector<char> data = tensor::testing::toLayout(arguments.at(argument++), buffer.layout);
      std::memcpy(storage.back().data(), data.data(), data.size());
    }
    buffers.push_back(storage.back().data());
  }
  runPhases(table->kernels[0], buffers, pieces);
  std::vector<HostTensor> outputs;
  size_t position = 0;
  for (const tensor::Buffer &buffer : packed.buffers) {
    if (buffer.role == BufferRole::Temporary) continue;
    AlignedBytes &bytes = storage[position++];
    if (!bytes.guardIntact()) return absl::InternalError(absl::StrCat("wrote behind buffer '", buffer.name, "'"));
    if (buffer.role != BufferRole::Output) continue;
    std::vector<char> data(bytes.data(), bytes.data() + buffer.layout.elements() * sizeOf(buffer.dtype));
    outputs.push_back(tensor::testing::fromLayout(data, buffer.dtype, buffer.shape, buffer.layout));
  }
  return outputs;
}

std::string checkAgainstInterpreter(const tensor::Kernel &kernel, const schedule::Schedule &schedule,
                                    const TargetDescription &target, uint64_t seed) {
  std::vector<HostTensor> arguments = tensor::testing::randomArguments(kernel, seed);
  absl::StatusOr<tensor::Interpretation> expected = tensor::interpretWithTolerance(kernel, arguments);
  if (!expected.ok()) return std::string(expected.status().message());
  const absl::StatusOr<tensor::Rewrite> rewrite = tensor::applyAlgorithm(kernel, schedule.algorithm);
  if (!rewrite.ok()) return std::string(rewrite.status().message());
  if (schedule.algorithm != "direct") {
    // An algorithm has rounding of its own, which the interpreter bounds as well.
    const auto rewritten =
        tensor::interpretWithTolerance(rewrite->kernel, tensor::testing::argumentsOf(kernel, *rewrite, arguments));
    if (!rewritten.ok()) return std::string(rewritten.status().message());
    for (size_t o = 0; o < expected->tolerances.size(); ++o)
      for (size_t i = 0; i < expected->tolerances[o].size(); ++i)
        expected->tolerances[o][i] += rewritten->tolerances[o][i];
  }
  absl::StatusOr<std::vector<HostTensor>> got = execute(kernel, schedule, target, arguments, 3);
  std::string context = absl::StrCat("\n", tensor::print(kernel), schedule::print(schedule));
  if (absl::StatusOr<loop::Kernel> nest = loop::lower(schedule::applyPacks(rewrite->kernel, schedule), schedule);
      nest.ok()) {
    absl::StrAppend(&context, loop::print(*nest));
  }
  if (!got.ok()) return absl::StrCat(std::string(got.status().message()), context);
  for (size_t i = 0; i < got->size(); ++i) {
    std::string difference = tensor::compare(expected->outputs[i], (*got)[i], expected->tolerances[i]);
    if (!difference.empty()) return absl::StrCat("output ", i, ": ", difference, context);
  }
  return "";
}

bool canRun(const TargetDescription &target) {
  TargetDescription host = codegen::hostTarget();
  return std::all_of(target.features.begin(), target.features.end(), [&](const std::string &feature) {
    return std::find(host.features.begin(), host.features.end(), feature) != host.features.end();
  });
}

}  // namespace hone::testing
