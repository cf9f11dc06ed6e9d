// SHA-256 digests of files, remembered: a file whose device, inode, size and times of change are what they were has the
// bytes that it had. Not thread-safe; several processes may share the folder.
#pragma once

#include <filesystem>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/service/interrupts.h"
#include "common/sha256.h"
#include "hone/v1/blobs.pb.h"

namespace hone::client {

class DigestCache {
 public:
  /// \p folder is made when there is something to keep; one that cannot be written keeps nothing.
  explicit DigestCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// What is remembered of the open file.
  std::optional<v1::Digest> find(int descriptor) const;
  /// Remembers, unless the file changed so lately that a further change could leave its times as they are.
  void remember(int descriptor, const v1::Digest &digest) const;
  /// find(), else the whole file is read (from its beginning; its position stays). UNAVAILABLE when it cannot be.
  absl::StatusOr<v1::Digest> of(int descriptor, const Interrupts &interrupts) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace hone::client
