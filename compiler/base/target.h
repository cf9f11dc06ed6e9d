// TargetDescription: the machine that code is made for, resolved once and explicit from then on. It is part
// of every request, cache key, artifact and record. A plain value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone {

struct TargetDescription {
  std::string triple;                 ///< LLVM's, e.g. "x86_64-pc-linux-gnu"
  std::string cpu;                    ///< LLVM's, e.g. "sapphirerapids"
  std::vector<std::string> features;  ///< sorted, without '+': "avx512f", "fma", …; what the code may use
  int64_t vectorBytes = 16;           ///< width of a vector register
  int64_t vectorRegisters = 16;       ///< how many of them
  int64_t l1Bytes = 32 << 10;         ///< per core; clamped to sense
  int64_t l2Bytes = 1 << 20;          ///< per core
  int64_t l3Bytes = 8 << 20;          ///< what one core may count on
  int64_t cores = 1;                  ///< threads that the schedules are balanced for

  /// Lanes of float32 in one vector register.
  int64_t lanes() const { return vectorBytes / 4; }

  bool operator==(const TargetDescription &) const = default;
};

}  // namespace hone
