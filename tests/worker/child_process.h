// hone-worker --once, as a client starts it: files inherited, one Work, one Result.
#pragma once

#include <string>
#include <vector>

#include "hone/v1/work.pb.h"

namespace hone::test {

struct OnceResult {
  v1::Result result;
  std::string output;  ///< what it wrote to the descriptor kOnceOutput
};

inline constexpr int kOnceInput = 4;
inline constexpr int kOnceOutput = 5;

/// \p input: content of the file at kOnceInput.
OnceResult once(const std::string &program, const v1::Work &work, const std::string &input);

}  // namespace hone::test
