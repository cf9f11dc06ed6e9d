// The files behind BlobFolder: where they lie, how one becomes a blob, which were found whole. Thread-safe. Owns
// nothing on disk beyond its calls; the failpoints outlive it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "common/sha256.h"
#include "server/base/failpoint.h"
#include "server/store/file_io.h"

namespace hone::server {

/// Of an upload that was broken off: as far as it went.
struct HashedPart {
  Sha256 hash;
  int64_t bytes = 0;
};

class BlobFiles {
 public:
  BlobFiles(std::filesystem::path root, int64_t reserveBytes, Failpoints &failpoints)
      : root_(std::move(root)), reserveBytes_(reserveBytes), failpoints_(failpoints) {}

  absl::Status makeAll();

  std::filesystem::path uploads() const { return root_ / "uploads"; }
  std::filesystem::path staging() const { return root_ / "staging"; }
  std::filesystem::path blob(const std::string &sha256) const;
  const std::filesystem::path &root() const { return root_; }
  int64_t reserveBytes() const { return reserveBytes_; }
  Failpoints &failpoints() const { return failpoints_; }

  /// RESOURCE_EXHAUSTED when \p bytes more would leave less than the reserve.
  absl::Status checkSpace(int64_t bytes) const;

  /// The whole file \p from becomes the blob: synced, renamed, its folder synced. Its bytes are known to be right.
  absl::Status publish(const Descriptor &file, const std::filesystem::path &from, const v1::Digest &digest);
  absl::Status verify(const v1::Digest &digest);
  absl::Status remove(const v1::Digest &digest);

  /// At most one user of an upload's file at a time. False: there is one.
  bool take(const std::string &upload);
  void letGo(const std::string &upload, std::optional<HashedPart> part);
  /// The state of an upload that this process broke off after \p bytes.
  std::optional<Sha256> resume(const std::string &upload, int64_t bytes);
  bool isTaken(const std::string &upload);
  void forget(const std::string &upload);

 private:
  struct Identity {
    uint64_t device, file;
    int64_t bytes, changedSeconds, changedNanos;
    bool operator==(const Identity &) const = default;
  };
  static Identity identityOf(const struct stat &info);
  absl::Status giveName(const std::filesystem::path &from, const std::filesystem::path &to);
  void remember(const std::string &sha256, const Descriptor &file);
  bool isKnown(const std::string &sha256, const Identity &identity);
  /// verify() of the file that has the name now. ABORTED: it was changed or replaced meanwhile. The last look takes
  /// one that changes for damaged.
  absl::Status look(const v1::Digest &digest, bool isLast);
  /// Moves \p damaged into quarantine/, and says DATA_LOSS. NOT_FOUND or ABORTED: the name is no longer that file's.
  absl::Status setAside(const v1::Digest &digest, const Identity &damaged, std::string_view why);

  const std::filesystem::path root_;
  const int64_t reserveBytes_;
  Failpoints &failpoints_;
  Mutex names_;  // of blobs and in quarantine/: held from a look at who has a name to the change of it
  Mutex mutex_;
  std::map<std::string, Identity> whole_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> taken_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, HashedPart> parts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hone::server
