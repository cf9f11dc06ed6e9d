// The other way to an artifact, without any service: hone-worker --once in a child, one Work, one Result. What the
// service computes is compared with it. One thread; the child is gone when the call returns.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "hone/v1/work.pb.h"

namespace hone::test {

struct LocalEnd {
  v1::Result result;
  std::string output;  ///< what the child wrote to its output file
};

/// \p input is what the child reads from its input file. INTERNAL when it dies without a result.
absl::StatusOr<LocalEnd> workLocally(const std::string &worker, v1::Work work, const std::string &input);

absl::StatusOr<v1::TargetDescription> describeTarget(const std::string &worker, const std::string &target);

}  // namespace hone::test
