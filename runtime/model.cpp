#include "runtime/model.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "runtime/cpu.h"

namespace hone::runtime {
namespace {

Status checkMember(const char *name, std::string_view bytes, const Member &stated) {
  if (bytes.size() != stated.bytes)
    return refused("the artifact is damaged: ", name, " has ", bytes.size(), " bytes, but mod.json says ",
                   stated.bytes);
  if (xxh3(bytes) != stated.xxh3)
    return refused("the artifact is damaged: the digest of ", name, " is not the one in mod.json");
  return {};
}

bool isFolder(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace

Result<std::shared_ptr<const Model>> Model::load(const std::string &path, uint32_t flags) {
  auto model = std::make_shared<Model>();
  const auto map = [&](const std::string &name, std::string_view &bytes) -> Status {
    Result<MappedFile> file = MappedFile::open(name);
    if (!file.ok()) return file.status();
    bytes = file->bytes();
    model->files_.push_back(std::move(*file));
    return {};
  };
  ArtifactMembers members;
  if (isFolder(path)) {
    HONE_RT_RETURN_IF_ERROR(map(path + "/mod.so", members.module));
    HONE_RT_RETURN_IF_ERROR(map(path + "/mod.json", members.json));
    HONE_RT_RETURN_IF_ERROR(map(path + "/mod.params", members.parameters));
  } else {
    std::string_view tar;
    HONE_RT_RETURN_IF_ERROR(map(path, tar));
    Result<ArtifactMembers> found = readTar(tar);
    if (!found.ok()) return Status{found.status().code, "'" + path + "': " + found.status().message};
    members = *found;
  }
  if (Status status = model->init(members); !status.ok())
    return Status{status.code, "'" + path + "': " + status.message};
  if (flags & HONE_LOAD_COPY_PARAMETERS) {
    HONE_RT_RETURN_IF_ERROR(model->copyParameters(members.parameters));
    model->files_.clear();
  } else {
    model->parameters_ = members.parameters.data();
  }
  return std::shared_ptr<const Model>(std::move(model));
}

Result<std::shared_ptr<const Model>> Model::load(std::string_view tar, uint32_t flags) {
  auto model = std::make_shared<Model>();
  Result<ArtifactMembers> members = readTar(tar);
  if (!members.ok()) return members.status();
  HONE_RT_RETURN_IF_ERROR(model->init(*members));
  HONE_RT_RETURN_IF_ERROR(model->copyParameters(members->parameters));
  return std::shared_ptr<const Model>(std::move(model));
}

Status Model::init(const ArtifactMembers &members) {
  Result<Manifest> manifest = parseManifest(members.json);
  if (!manifest.ok()) return manifest.status();
  manifest_ = std::move(*manifest);
  json_ = members.json;
  HONE_RT_RETURN_IF_ERROR(checkMember("mod.so", members.module, manifest_.module));
  HONE_RT_RETURN_IF_ERROR(checkMember("mod.params", members.parameters, manifest_.parameters));
  // Before anything of the module can execute.
  HONE_RT_RETURN_IF_ERROR(checkCpu(manifest_.triple, manifest_.requiredFeatures));
  Result<Module> module = Module::load(members.module);
  if (!module.ok()) return module.status();
  module_ = std::move(*module);
  return checkCalls();
}

Status Model::checkCalls() {
  const hone_module &table = module_.table();
  if (table.kernel_count != manifest_.kernelCount)
    return refused("the artifact is malformed: mod.so has ", table.kernel_count, " kernels, but mod.json ",
                   manifest_.kernelCount);
  for (const Call &call : manifest_.calls) {
    const hone_kernel &kernel = table.kernels[call.kernel];
    if (static_cast<size_t>(kernel.buffer_count) != call.arguments.size())
      return refused("the artifact is malformed: kernel '", kernel.name, "' takes ", kernel.buffer_count,
                     " buffers, but call '", call.name, "' gives ", call.arguments.size());
    sharedScratchBytes_ = std::max(sharedScratchBytes_, static_cast<size_t>(kernel.shared_scratch_bytes));
    for (int32_t phase = 0; phase < kernel.phase_count; ++phase)
      scratchBytes_ = std::max(scratchBytes_, static_cast<size_t>(kernel.phases[phase].scratch_bytes));
  }
  return {};
}

Status Model::copyParameters(std::string_view parameters) {
  Result<Block> block = Block::allocate(parameters.size());
  if (!block.ok()) return block.status();
  copy_ = std::move(*block);
  if (!parameters.empty()) std::memcpy(copy_.data(), parameters.data(), parameters.size());
  parameters_ = copy_.data();
  return {};
}

}  // namespace hone::runtime
