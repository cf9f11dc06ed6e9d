// Keeps builders of this machine away from our cores while something is measured. Used from one thread.
#pragma once

#include <optional>

#include "common/core_lock.h"
#include "runtime/tools/run_tool.h"

namespace hone::client {

/// A runtime::Rest: the measurement begins with the first call and ends with the object. Where there can be none, a
/// note says so and what is measured goes on.
class QuietCores {
 public:
  bool operator()(const runtime::Sleep &sleep);

 private:
  bool hasBegun_ = false;
  std::optional<Measurement> measurement_;
};

}  // namespace hone::client
