// Blobs as files: ROOT/blobs/sha256/aa/<digest>. A blob is written to ROOT/uploads/, hashed while it is written,
// synced, renamed, its folder synced: a file under its name is whole, unless the disk lies. Knows nothing of the
// database: who stores a blob then tells the engine. Thread-safe; one Writer belongs to one caller at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hone/v1/blobs.pb.h"
#include "server/base/failpoint.h"

namespace hone::server {

/// INVALID_ARGUMENT unless \p digest is 64 lower-case hexadecimal digits and a size of at least 0.
absl::Status checkDigest(const v1::Digest &digest);

class BlobFolder {
 public:
  struct Options {
    std::filesystem::path root;
    int64_t reserveBytes = int64_t{1} << 30;  ///< uploads are refused when less would stay free
  };

  /// Makes the folders. UNAVAILABLE when they cannot be written.
  static absl::StatusOr<std::unique_ptr<BlobFolder>> open(Options options, Failpoints &failpoints);
  virtual ~BlobFolder() = default;

  /// A blob on its way in. Dropped without finish(): what was written stays for resume(), until sweepUploads().
  class Writer {
   public:
    virtual ~Writer() = default;
    virtual int64_t written() const = 0;
    /// INVALID_ARGUMENT beyond the digest's size, RESOURCE_EXHAUSTED for a full disk.
    virtual absl::Status append(std::string_view bytes) = 0;
    /// Checks size and digest and makes the blob durable under its name. INVALID_ARGUMENT: other bytes were promised;
    /// what was written is thrown away.
    virtual absl::Status finish() = 0;
  };
  /// Begins or resumes the upload \p id of \p digest at \p offset (which must be what is there; 0 begins anew).
  /// ALREADY_EXISTS: the blob is whole already. ABORTED: the same upload is going on elsewhere.
  virtual absl::StatusOr<std::unique_ptr<Writer>> write(const v1::Digest &digest, const std::string &uploadId,
                                                        int64_t offset) = 0;
  /// Bytes of an interrupted upload that can be resumed; 0 when there are none.
  virtual int64_t resumable(const v1::Digest &digest, const std::string &uploadId) const = 0;

  /// There, with the right size. Reads no byte.
  virtual bool has(const v1::Digest &digest) const = 0;
  /// There and of the right bytes: hashed, unless the same file (inode, size, change time) was found whole before by
  /// this process. DATA_LOSS: it is not, and was moved to ROOT/quarantine/. NOT_FOUND.
  virtual absl::Status verify(const v1::Digest &digest) = 0;
  /// verify(), then the file's path.
  virtual absl::StatusOr<std::filesystem::path> locate(const v1::Digest &digest) = 0;
  /// The blob becomes a copy of \p file, or, when \p file is in stagingFolder(), that file.
  virtual absl::StatusOr<v1::Digest> import(const std::filesystem::path &file) = 0;
  virtual std::filesystem::path stagingFolder() const = 0;

  virtual absl::Status remove(const v1::Digest &digest) = 0;
  /// Removes unfinished uploads untouched for \p seconds; returns how many.
  virtual int64_t sweepUploads(int64_t seconds) = 0;
  virtual int64_t freeBytes() const = 0;
  virtual int64_t reserveBytes() const = 0;
};

}  // namespace hone::server
