// An artifact's kernels, callable one at a time: what a benchmark needs and a session does not offer. The data is made
// up; what kernels compute does not matter here, how long they take does.
//
// Belongs to one thread. Owns the loaded code and the memory that kernels see, but for scratch and copies of
// parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "abi/hone_abi.h"
#include "absl/status/statusor.h"
#include "compiler/artifact/artifact.h"
#include "measure/timed_run.h"
#include "runtime/module.h"

namespace hone::bench {

class LoadedModule {
 public:
  /// Reads and loads the artifact at \p path: native code that is trusted.
  static absl::StatusOr<LoadedModule> load(const std::string &path);

  const artifact::ArtifactDescription &description() const { return description_; }

  const hone_module &table() const { return module_.table(); }

  /// One of the description's calls, for a measure::Runner. With copies of its parameters that exceed \p cacheBytes
  /// together, used in turn; at least one.
  absl::StatusOr<measure::Call> call(int position, int64_t cacheBytes) const;

 private:
  struct Free {
    void operator()(std::byte *memory) const;
  };
  using Memory = std::unique_ptr<std::byte, Free>;

  static Memory allocate(int64_t bytes);
  void makeMemory();

  artifact::ArtifactDescription description_;
  runtime::Module module_;
  Memory arena_;
  std::string parameters_;
  std::vector<Memory> ports_;  ///< of inputs, then of outputs
};

}  // namespace hone::bench
