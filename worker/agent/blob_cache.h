// Blobs that this worker has fetched, in a folder of bounded size: what was not used for longest goes first. A file is
// hashed before its first use by this process. A blob that is open stays readable when it is thrown out. Thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <list>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "common/descriptor.h"
#include "common/mutex.h"
#include "hone/v1/blobs.pb.h"

namespace hone::worker {

class BlobCache {
 public:
  /// Takes over what is in \p folder, which exists, up to \p limit bytes.
  BlobCache(std::string folder, int64_t limit);

  /// Open for reading. NOT_FOUND: it is not there, or was damaged and is thrown away.
  absl::StatusOr<Descriptor> open(const v1::Digest &digest);
  /// Takes the file at \p path, whose bytes have \p digest, and opens it. One that is larger than the cache is not
  /// kept.
  absl::StatusOr<Descriptor> adopt(const v1::Digest &digest, const std::string &path);
  /// Throws everything out, for want of space on the disk.
  void clear();

  int64_t bytes() const;

 private:
  struct Entry {
    std::string name;
    int64_t bytes = 0;
    bool isVerified = false;
    ino_t inode = 0;
    timespec changed{};
  };
  using Entries = std::list<Entry>;

  std::string pathOf(const std::string &name) const;
  bool isWhole(Entry &entry, const v1::Digest &digest, int file) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void remove(Entries::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void shrink() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string folder_;
  const int64_t limit_;
  mutable Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);  ///< the last used first
  std::map<std::string, Entries::iterator> byName_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hone::worker
