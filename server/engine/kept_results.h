// Results that are kept for equal jobs: finding one, and making sure that its blobs are whole before it is given away.
// Looking is done on the engine's thread, hashing on a thread of its own. Does not own what it is given.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/engine/background.h"
#include "server/engine/state.h"

namespace hone::server {

struct KeptResult {
  std::string cacheKey;
  v1::TaskResult result;
};

class KeptResults {
 public:
  KeptResults(State &state, Background &checks) : state_(state), checks_(checks) {}

  /// Of work equal to \p specificationKey, by the compiler of any builder attached now.
  absl::StatusOr<std::optional<KeptResult>> find(const std::string &specificationKey) const;

  /// Hashes the blobs, then calls \p then in a command of its own, with what was wrong, if anything was; the cache has
  /// forgotten the entry then. \p undone as in Command.
  void check(KeptResult kept, std::function<absl::Status(const absl::Status &whole)> then,
             std::function<void(const absl::Status &)> undone);

 private:
  absl::Status forget(const KeptResult &kept, const std::vector<v1::Digest> &damaged);

  State &state_;
  Background &checks_;
};

}  // namespace hone::server
