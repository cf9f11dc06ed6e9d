// What workers are known for: successes, failures, strikes, and what follows of them. Used by the engine's thread only.
//
// A strike is an attempt that expired or came back, at work that another worker then completed: enough of them, and the
// worker is quarantined until a person says otherwise. A worker that gives work back several times in a row, whoever
// completes it, is held back for a while, and then tries again.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/engine/failure_policy.h"
#include "server/engine/state.h"

namespace hone::server {

class Standing {
 public:
  explicit Standing(State &state) : state_(state) {}

  /// \p task was completed by its worker.
  absl::Status succeeded(const Task &task);
  /// \p task came back from its worker.
  void cameBack(const Task &task, const ComesBack &how, const std::string &detail);

 private:
  absl::Status strike(const std::string &worker);

  State &state_;
};

}  // namespace hone::server
