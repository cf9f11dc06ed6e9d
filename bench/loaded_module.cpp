#include "bench/loaded_module.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>
#include <random>
#include <utility>

#include "compiler/base/status.h"

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

void LoadedModule::Free::operator()(std::byte *memory) const { std::free(memory); }

LoadedModule::Memory LoadedModule::allocate(int64_t bytes) {
  constexpr int64_t alignment = HONE_ALIGNMENT;
  const int64_t rounded = std::max<int64_t>((bytes + alignment - 1) / alignment * alignment, alignment);
  Memory memory(static_cast<std::byte *>(std::aligned_alloc(alignment, static_cast<size_t>(rounded))));
  if (memory == nullptr) throw std::bad_alloc();
  fill(memory.get(), rounded);
  return memory;
}

void LoadedModule::makeMemory() {
  arena_ = allocate(description_.arenaBytes);
  const size_t inputs = description_.inputs.size();
  ports_.resize(inputs + description_.outputs.size());
  for (const BufferDescription &buffer : description_.buffers) {
    if (buffer.kind == BufferKind::Input) ports_[buffer.index] = allocate(buffer.bytes);
    if (buffer.kind == BufferKind::Output) ports_[inputs + buffer.index] = allocate(buffer.bytes);
  }
}

absl::StatusOr<measure::Call> LoadedModule::call(int position, int64_t cacheBytes) const {
  const artifact::CallDescription &described = description_.calls[static_cast<size_t>(position)];
  std::vector<void *> arguments;
  std::vector<size_t> places;
  std::vector<std::vector<char>> parameters;
  int64_t bytes = 0;
  for (const int number : described.arguments) {
    const BufferDescription &buffer = description_.buffers[static_cast<size_t>(number)];
    switch (buffer.kind) {
      case BufferKind::Input:
        arguments.push_back(ports_[buffer.index].get());
        break;
      case BufferKind::Output:
        arguments.push_back(ports_[description_.inputs.size() + buffer.index].get());
        break;
      case BufferKind::Arena:
        arguments.push_back(arena_.get() + buffer.offset);
        break;
      case BufferKind::Parameter: {
        const auto from = parameters_.begin() + buffer.offset;
        places.push_back(arguments.size());
        parameters.emplace_back(from, from + buffer.bytes);
        arguments.push_back(nullptr);
        bytes += measure::copyBytes(buffer.bytes);
        break;
      }
    }
  }
  arguments.push_back(nullptr);
  HONE_ASSIGN_OR_RETURN(measure::ParameterCopies copies,
                        measure::ParameterCopies::make(parameters, measure::copiesFor(bytes, cacheBytes)));
  return measure::Call{&module_.table().kernels[described.kernel], std::move(arguments), std::move(places),
                       std::move(copies)};
}

absl::StatusOr<LoadedModule> LoadedModule::load(const std::string &path) {
  HONE_ASSIGN_OR_RETURN(const std::string tar, readFile(path));
  HONE_ASSIGN_OR_RETURN(artifact::Artifact read, artifact::readArtifact(tar));
  LoadedModule loaded;
  loaded.description_ = std::move(read.description);
  runtime::Result<runtime::Module> module = runtime::Module::load(read.moduleBytes);
  if (!module.ok()) return absl::FailedPreconditionError(module.status().message);
  loaded.module_ = std::move(*module);
  loaded.parameters_ = read.parameterBytes;
  loaded.makeMemory();
  return loaded;
}

}  // namespace hone::bench
