// Files through the system's calls, with sentences instead of errno. Functions without state.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/descriptor.h"
#include "common/sha256.h"
#include "common/system_error.h"
#include "hone/v1/blobs.pb.h"

namespace hone::server {

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
