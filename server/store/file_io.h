// Files through the system's calls, with sentences instead of errno. Functions without state; a Descriptor belongs to
// one thread at a time.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hone/v1/blobs.pb.h"
#include "server/store/sha256.h"

namespace hone::server {

/// "cannot WHAT 'FILE': why". RESOURCE_EXHAUSTED for a full disk or quota, NOT_FOUND for what is not there, else
/// UNAVAILABLE.
absl::Status fileError(std::string_view what, const std::filesystem::path &file, int error);

/// An open file; closes it.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept;
  ~Descriptor();

  /// open(2), with O_CLOEXEC.
  static absl::StatusOr<Descriptor> open(const std::filesystem::path &file, int flags, int mode = 0600);
  int number() const { return number_; }

 private:
  int number_;
};

absl::Status writeAll(const Descriptor &to, std::string_view bytes, const std::filesystem::path &file);
absl::Status syncFile(const Descriptor &file, const std::filesystem::path &name);
/// Makes what happened to names in \p folder durable.
absl::Status syncFolder(const std::filesystem::path &folder);
absl::Status renameFile(const std::filesystem::path &from, const std::filesystem::path &to);
/// Those that are missing; \p folder itself, when it is new, for its owner alone.
absl::Status makeFolders(const std::filesystem::path &folder);
absl::StatusOr<struct stat> statusOf(const Descriptor &file, const std::filesystem::path &name);
/// Bytes that an ordinary user may still write.
int64_t freeBytes(const std::filesystem::path &folder);

/// Appends what \p file holds from its present position to its end.
absl::Status hashRest(const Descriptor &file, const std::filesystem::path &name, Sha256 &hash, int64_t &bytes);
absl::StatusOr<v1::Digest> digestOfFile(const std::filesystem::path &file);

/// Copies \p from into the empty file \p to, both to their ends, and hashes what arrived there: \p from may change
/// meanwhile. Blocks are shared where the file system can.
absl::StatusOr<v1::Digest> copyAndHash(const Descriptor &from, const Descriptor &to, const std::filesystem::path &name);

}  // namespace hone::server
