// The command line of `hone run` and `hone-run`: TVMC's flags under TVMC's names, and a few more. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/status.h"

namespace hone::runtime {

enum class FillMode : uint8_t { Zeros, Ones, Random };

struct RunOptions {
  std::string path;     ///< of the artifact
  std::string inputs;   ///< npz to read; empty: fill
  std::string outputs;  ///< npz to write; empty: none
  FillMode fillMode = FillMode::Random;
  uint64_t seed = 0;
  bool printTime = false;
  int64_t printTop = 0;  ///< 0: not asked for
  bool profile = false;
  bool endToEnd = false;
  int64_t repeat = 1, number = 1, warmup = 1;
  int64_t threads = 0;
  bool pin = false;
  bool copyParameters = false;
  bool checkIndices = false;
  bool json = false;
  bool help = false;
};

/// Long options may be shortened as far as they stay unambiguous, or unambiguous among TVMC's. HONE_USAGE with a
/// sentence for anything else.
Result<RunOptions> parseRunOptions(const std::vector<std::string> &arguments);

/// The long option (without dashes) that \p name means, where there are the options \p further besides these.
/// HONE_USAGE, listing those that it could mean.
Result<std::string> completeRunOption(const std::string &name, const std::vector<std::string> &further);

/// The text for --help.
std::string runHelp(const std::string &program);

}  // namespace hone::runtime
