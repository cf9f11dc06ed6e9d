#include "bench/loaded_module.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <random>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "runtime/flush_denormals.h"

namespace hone::bench {
namespace {

using artifact::BufferDescription;
using artifact::BufferKind;

/// Values in [-1, 1): no denormals, no infinities, which some CPUs compute more slowly. Read as an integer index they
/// are out of range, and kernels clamp indices.
void fill(std::byte *memory, int64_t bytes) {
  std::minstd_rand generator(1);
  std::uniform_real_distribution<float> values(-1, 1);
  for (int64_t offset = 0; offset + 4 <= bytes; offset += 4) {
    const float value = values(generator);
    std::memcpy(memory + offset, &value, sizeof value);
  }
}

absl::StatusOr<std::string> readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

void LoadedModule::Unload::operator()(void *handle) const { dlclose(handle); }
void LoadedModule::Free::operator()(std::byte *memory) const { std::free(memory); }

LoadedModule::Memory LoadedModule::allocate(int64_t bytes) {
  constexpr int64_t alignment = HONE_ALIGNMENT;
  const int64_t rounded = std::max<int64_t>((bytes + alignment - 1) / alignment * alignment, alignment);
  Memory memory(static_cast<std::byte *>(std::aligned_alloc(alignment, static_cast<size_t>(rounded))));
  if (memory == nullptr) throw std::bad_alloc();
  fill(memory.get(), rounded);
  return memory;
}

absl::Status LoadedModule::loadCode(std::string_view moduleBytes) {
  const int descriptor = memfd_create("mod.so", MFD_CLOEXEC);
  if (descriptor < 0) return absl::UnavailableError("cannot make a file in memory");
  while (!moduleBytes.empty()) {
    const ssize_t written = write(descriptor, moduleBytes.data(), moduleBytes.size());
    if (written < 0) return absl::UnavailableError("cannot write the module into memory");
    moduleBytes.remove_prefix(static_cast<size_t>(written));
  }
  handle_.reset(dlopen(absl::StrCat("/proc/self/fd/", descriptor).c_str(), RTLD_NOW | RTLD_LOCAL));
  close(descriptor);
  if (handle_ == nullptr) return absl::FailedPreconditionError(absl::StrCat("cannot load the module: ", dlerror()));
  auto query = reinterpret_cast<hone_module_query_function>(dlsym(handle_.get(), HONE_QUERY_SYMBOL));
  module_ = query == nullptr ? nullptr : query(HONE_ABI_VERSION);
  if (module_ == nullptr) return absl::FailedPreconditionError("the module is for another version of hone");
  return absl::OkStatus();
}

void LoadedModule::makeMemory(std::string_view parameterBytes) {
  arena_ = allocate(description_.arenaBytes);
  parameters_ = allocate(static_cast<int64_t>(parameterBytes.size()));
  std::copy(parameterBytes.begin(), parameterBytes.end(), reinterpret_cast<char *>(parameters_.get()));

  const size_t inputs = description_.inputs.size();
  ports_.resize(inputs + description_.outputs.size());
  for (const BufferDescription &buffer : description_.buffers) {
    if (buffer.kind == BufferKind::Input) ports_[buffer.index] = allocate(buffer.bytes);
    if (buffer.kind == BufferKind::Output) ports_[inputs + buffer.index] = allocate(buffer.bytes);
  }
  auto address = [&](const BufferDescription &buffer) -> void * {
    switch (buffer.kind) {
      case BufferKind::Input:
        return ports_[buffer.index].get();
      case BufferKind::Output:
        return ports_[inputs + buffer.index].get();
      case BufferKind::Parameter:
        return parameters_.get() + buffer.offset;
      case BufferKind::Arena:
        break;
    }
    return arena_.get() + buffer.offset;
  };

  int64_t scratch = 0;
  for (const artifact::CallDescription &call : description_.calls) {
    const hone_kernel &kernel = module_->kernels[call.kernel];
    for (int i = 0; i < kernel.phase_count; ++i) scratch = std::max(scratch, kernel.phases[i].scratch_bytes);
    std::vector<void *> &arguments = callArguments_.emplace_back();
    for (const int position : call.arguments) arguments.push_back(address(description_.buffers[position]));
    if (kernel.shared_scratch_bytes > 0) {
      arguments.push_back(sharedScratch_.emplace_back(allocate(kernel.shared_scratch_bytes)).get());
    }
  }
  scratch_ = allocate(scratch);
}

absl::StatusOr<LoadedModule> LoadedModule::load(const std::string &path) {
  HONE_ASSIGN_OR_RETURN(const std::string tar, readFile(path));
  HONE_ASSIGN_OR_RETURN(artifact::Artifact read, artifact::readArtifact(tar));
  LoadedModule loaded;
  loaded.description_ = std::move(read.description);
  HONE_RETURN_IF_ERROR(loaded.loadCode(read.moduleBytes));
  loaded.makeMemory(read.parameterBytes);
  return loaded;
}

void LoadedModule::run(int call) const {
  const hone_kernel &kernel = module_->kernels[description_.calls[call].kernel];
  const runtime::FlushDenormals flush;  // as the runtime does
  for (int i = 0; i < kernel.phase_count; ++i) {
    const hone_phase &phase = kernel.phases[i];
    phase.run(callArguments_[call].data(), 0, phase.extent, scratch_.get());
  }
}

}  // namespace hone::bench
