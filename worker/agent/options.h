// The command line of hone-worker. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hone/v1/fleet.pb.h"
#include "worker/agent/log.h"

namespace hone::worker {

struct AgentOptions {
  std::string server;
  std::vector<v1::Role> roles;
  std::string key;
  std::string name;
  int32_t slots = 0;
  std::string data;
  Log::Format logFormat = Log::Format::Text;
  uint64_t cacheBytes = uint64_t{10} << 30;
  int32_t pieces = 1;  ///< of work that may be in hand at once
  uint64_t childMemoryBytes = 0;
  uint64_t childDiskBytes = 0;     ///< 0: a share of what is free in the data folder when the worker starts
  bool allowsWeakSandbox = false;  ///< work is done even if it cannot be confined
  std::string quietLock;           ///< empty: that of the machine
  std::string help;                ///< what to print instead of anything else; empty: go on
};

/// INVALID_ARGUMENT with a sentence. \p hasCompiler: whether the role of a builder can be had.
absl::StatusOr<AgentOptions> readOptions(int argc, char **argv, bool hasCompiler);

}  // namespace hone::worker
