// An artifact's kernels, callable one at a time in the calling thread: what a benchmark needs and a session does not
// offer. The data is made up; what kernels compute does not matter here, how long they take does.
//
// Belongs to one thread. Owns the loaded code and all memory that the kernels see.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "abi/hone_abi.h"
#include "absl/status/statusor.h"
#include "compiler/artifact/artifact.h"

namespace hone::bench {

class LoadedModule {
 public:
  /// Reads and loads the artifact at \p path: native code that is trusted.
  static absl::StatusOr<LoadedModule> load(const std::string &path);

  const artifact::ArtifactDescription &description() const { return description_; }

  /// Runs all phases of one of the description's calls.
  void run(int call) const;

 private:
  struct Unload {
    void operator()(void *handle) const;
  };
  struct Free {
    void operator()(std::byte *memory) const;
  };
  using Memory = std::unique_ptr<std::byte, Free>;

  static Memory allocate(int64_t bytes);
  absl::Status loadCode(std::string_view moduleBytes);
  void makeMemory(std::string_view parameterBytes);

  artifact::ArtifactDescription description_;
  std::unique_ptr<void, Unload> handle_;
  const hone_module *module_ = nullptr;
  Memory arena_, parameters_, scratch_;
  std::vector<Memory> ports_;                       ///< of inputs, then of outputs
  std::vector<Memory> sharedScratch_;               ///< per call
  std::vector<std::vector<void *>> callArguments_;  ///< per call, as its kernel takes them
};

}  // namespace hone::bench
