// Model: a loaded artifact, checked so that running it needs no checks. Immutable, hence shared by sessions and
// threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/manifest.h"
#include "runtime/memory.h"
#include "runtime/module.h"
#include "runtime/status.h"
#include "runtime/tar_reader.h"

namespace hone::runtime {

class Model {
 public:
  /// \p path: the tar, or a folder with its members. \p flags: of hone_load_flags.
  static Result<std::shared_ptr<const Model>> load(const std::string &path, uint32_t flags);
  static Result<std::shared_ptr<const Model>> load(std::string_view tar, uint32_t flags);

  const Manifest &manifest() const { return manifest_; }
  const hone_module &module() const { return module_.table(); }
  const std::string &json() const { return json_; }
  const char *parameters() const { return parameters_; }
  /// The largest that any phase (kernel) asks for.
  size_t scratchBytes() const { return scratchBytes_; }
  size_t sharedScratchBytes() const { return sharedScratchBytes_; }

 private:
  Status init(const ArtifactMembers &members);
  Status checkCalls();
  Status copyParameters(std::string_view parameters);

  Manifest manifest_;
  std::string json_;
  Module module_;
  std::vector<MappedFile> files_;  ///< what parameters_ points into, unless copied
  Block copy_;
  const char *parameters_ = nullptr;
  size_t scratchBytes_ = 0, sharedScratchBytes_ = 0;
};

}  // namespace hone::runtime
