// How long things are kept: ended jobs, blobs that nothing refers to, uploads that nobody goes on with.
//
// Blobs are collected in three steps, since reading and deleting take their time: a scan (of the store, by a thread of
// its own), then files are removed there, then their rows. From the beginning of a scan on, whatever names a blob says
// so with use(), and such blobs are left alone; a blob whose file is being removed isDoomed(), and whoever wants it is
// told to come again. Files go before rows: an interruption leaves a row without a file, which counts as missing and is
// found by the next scan. Used by the engine's thread only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/background.h"
#include "server/engine/state.h"

namespace hone::server {

class Retention {
 public:
  Retention(State &state, Background &files) : state_(state), files_(files) {}

  /// Removes some ended jobs that are old enough. True: there may be more.
  absl::StatusOr<bool> removeOldJobs();

  /// Begins a scan unless one is going on. Must be called with no change uncommitted: the scan sees what is committed.
  void collectBlobs();
  void sweepUploads();

  void use(const v1::Digest &digest) {
    if (isScanning_) used_.insert(digest.sha256());
  }
  bool isDoomed(const v1::Digest &digest) const { return doomed_.contains(digest.sha256()); }

  /// Workers that have not come for as long as jobs are kept.
  absl::Status removeOldWorkers();

 private:
  void removeFiles(const std::vector<v1::Digest> &found);
  absl::Status removeRows(const std::vector<v1::Digest> &removed, bool wasMany);

  /// The wall clock, but for a jump forward of an hour or more, which is believed after a day: by a wrong clock nothing
  /// is to be lost in one go.
  int64_t trustedNow();

  State &state_;
  Background &files_;
  bool isScanning_ = false;
  std::optional<int64_t> lead_;  ///< of the wall clock before the monotonic one, as it is believed
  std::optional<absl::Duration> doubtedSince_;
  absl::flat_hash_set<std::string> used_, doomed_;
};

}  // namespace hone::server
