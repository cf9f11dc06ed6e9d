#include "server/store/blob_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_detail.h"

namespace hone::server {
namespace {

namespace fs = std::filesystem;

// States of broken uploads are small; beyond these the bytes are hashed again.
constexpr size_t kMostParts = 4096;
// Longer than any kernel's tick; beyond it the clock has been set back.
constexpr std::chrono::milliseconds kMostTick(50);
constexpr std::chrono::microseconds kTickLook(200);  // somebody waits for the answer
// To hash so much takes less time than a tick.
constexpr int64_t kQuicklyHashed = 1 << 20;
// At a file that is replaced or changed meanwhile.
constexpr int kMostLooks = 4;

/// Whether a change from now on will give the file another time of change. Kernels stamp files with a clock that steps
/// every few milliseconds: two changes within one step look like one.
bool isSettled(const struct stat &info) {
  struct timespec now{};
  if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0) return false;
  return std::pair(info.st_ctim.tv_sec, info.st_ctim.tv_nsec) < std::pair(now.tv_sec, now.tv_nsec);
}

/// Between two looks at one file, of which the first was settled.
bool haveBytesChanged(const struct stat &before, const struct stat &after) {
  return before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
         before.st_mtim.tv_nsec != after.st_mtim.tv_nsec;
}

/// Waits until isSettled(); \p info is \p file's then. False: it does not settle.
bool awaitSettled(const Descriptor &file, struct stat &info) {
  for (auto left = kMostTick / kTickLook; fstat(file.get(), &info) == 0; --left) {
    if (isSettled(info)) return true;
    if (left == 0) return false;
    std::this_thread::sleep_for(kTickLook);
  }
  return false;
}

}  // namespace

absl::Status BlobFiles::makeAll() {
  const fs::path top = root_ / "blobs" / "sha256";
  for (const fs::path &folder : {top, uploads(), staging(), root_ / "quarantine"}) {
    if (absl::Status status = makeFolders(folder); !status.ok()) return status;
  }
  for (const fs::path &folder : {top, root_ / "blobs", root_}) {
    if (absl::Status status = syncFolder(folder); !status.ok()) return status;
  }
  if (access(uploads().c_str(), W_OK) != 0) return fileError("write into", uploads(), errno);
  return absl::OkStatus();
}

fs::path BlobFiles::blob(const std::string &sha256) const {
  return root_ / "blobs" / "sha256" / sha256.substr(0, 2) / sha256;
}

absl::Status BlobFiles::checkSpace(int64_t bytes) const {
  const int64_t free = freeBytes(root_);
  if (free - reserveBytes_ >= bytes) return absl::OkStatus();
  return withDetail(
      absl::ResourceExhaustedError(absl::StrCat("the server's disk has ", free, " bytes free, of which ", reserveBytes_,
                                                " are kept in reserve, and ", bytes, " are needed: free space in '",
                                                root_.string(), "', or lower disk-reserve (HONE_SERVER_DISK_RESERVE)")),
      "DISK_FULL", "", absl::Seconds(10));
}

absl::Status BlobFiles::publish(const Descriptor &file, const fs::path &from, const v1::Digest &digest) {
  if (absl::Status status = syncFile(file, from); !status.ok()) return status;
  const fs::path to = blob(digest.sha256());
  failpoints_.pass("blob.rename.before");
  absl::Status renamed = giveName(from, to);
  if (absl::IsNotFound(renamed)) {
    // The first blob whose name begins so.
    if (absl::Status status = makeFolders(to.parent_path()); !status.ok()) return status;
    if (absl::Status status = syncFolder(to.parent_path().parent_path()); !status.ok()) return status;
    renamed = giveName(from, to);
  }
  if (!renamed.ok()) return renamed;
  failpoints_.pass("blob.rename.after");
  // Read-only: whoever is told the path must not write. Not before: an upload must be able to go on.
  if (fchmod(file.get(), 0444) != 0) return fileError("protect", to, errno);
  if (absl::Status status = syncFolder(to.parent_path()); !status.ok()) return status;
  failpoints_.pass("blob.folder.synced");
  remember(digest.sha256(), file);
  return absl::OkStatus();
}

absl::Status BlobFiles::giveName(const fs::path &from, const fs::path &to) {
  const MutexLock lock(names_);
  return renameFile(from, to);
}

BlobFiles::Identity BlobFiles::identityOf(const struct stat &info) {
  return {info.st_dev, info.st_ino, info.st_size, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
}

void BlobFiles::remember(const std::string &sha256, const Descriptor &file) {
  struct stat info{};
  if (fstat(file.get(), &info) != 0) return;
  // What is not remembered is hashed by who asks for it.
  if (info.st_size <= kQuicklyHashed ? !isSettled(info) : !awaitSettled(file, info)) return;
  const MutexLock lock(mutex_);
  whole_.insert_or_assign(sha256, identityOf(info));
}

bool BlobFiles::isKnown(const std::string &sha256, const Identity &identity) {
  const MutexLock lock(mutex_);
  const auto known = whole_.find(sha256);
  return known != whole_.end() && known->second == identity;
}

absl::Status BlobFiles::verify(const v1::Digest &digest) {
  absl::Status status;
  for (int looks = 0; looks < kMostLooks; ++looks) {
    status = look(digest, looks + 1 == kMostLooks);
    if (!absl::IsAborted(status)) return status;
  }
  return absl::UnavailableError(status.message());
}

absl::Status BlobFiles::look(const v1::Digest &digest, bool isLast) {
  const fs::path file = blob(digest.sha256());
  const auto missing = [&](std::string_view what) {
    return absl::NotFoundError(absl::StrCat("there is no blob ", digest.sha256(), std::string(what)));
  };
  absl::StatusOr<Descriptor> opened = Descriptor::open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (absl::IsNotFound(opened.status())) return missing("");
  if (!opened.ok()) return opened.status();
  struct stat before{};
  // A change from here on shows in the file's time.
  const bool isSettled = awaitSettled(*opened, before);
  const Identity identity = identityOf(before);
  if (!S_ISREG(before.st_mode)) return setAside(digest, identity, "is no file");
  // The file is what its name says; a question with another size is wrong.
  const auto whole = [&] {
    return identity.bytes == digest.size_bytes() ? absl::OkStatus()
                                                 : missing(absl::StrCat(" of ", digest.size_bytes(), " bytes"));
  };
  if (isKnown(digest.sha256(), identity)) return whole();

  Sha256 hash;
  int64_t bytes = 0;
  if (absl::Status status = hashRest(*opened, file, hash, bytes); !status.ok()) {
    return setAside(digest, identity, absl::StrCat("cannot be read (", status.message(), ")"));
  }
  absl::StatusOr<struct stat> after = statusOf(*opened, file);
  if (!after.ok()) return after.status();
  if (haveBytesChanged(before, *after)) {
    // Which bytes were hashed, nobody knows.
    if (!isLast) return absl::AbortedError(absl::StrCat("the blob ", digest.sha256(), " changed while it was read"));
    return setAside(digest, identity, "changes while it is read");
  }
  if (hash.finishAsHex() != digest.sha256()) {
    return setAside(digest, identity, absl::StrCat("has other bytes, ", bytes, " of them"));
  }
  // What happened to its names and modes meanwhile does not matter, but then it is hashed again.
  if (isSettled && identityOf(*after) == identity) {
    const MutexLock lock(mutex_);
    whole_.insert_or_assign(digest.sha256(), identity);
  }
  return whole();
}

absl::Status BlobFiles::setAside(const v1::Digest &digest, const Identity &damaged, std::string_view why) {
  const fs::path from = blob(digest.sha256());
  const fs::path folder = root_ / "quarantine";
  const MutexLock lock(names_);
  // Only the file that was looked at: a good one may have taken its place.
  struct stat info{};
  if (lstat(from.c_str(), &info) != 0 && errno == ENOENT) {
    return absl::NotFoundError(absl::StrCat("there is no blob ", digest.sha256()));
  }
  if (info.st_dev != damaged.device || info.st_ino != damaged.file) {
    return absl::AbortedError(absl::StrCat("the blob ", digest.sha256(), " was replaced while it was read"));
  }
  fs::path to = folder / digest.sha256();
  std::error_code error;
  for (int number = 2; fs::exists(to, error); ++number) to = folder / absl::StrCat(digest.sha256(), ".", number);
  if (absl::Status status = renameFile(from, to); !status.ok()) return status;
  return absl::DataLossError(
      absl::StrCat("the blob ", digest.sha256(), " ", std::string(why), "; it was moved to '", to.string(), "'"));
}

absl::Status BlobFiles::remove(const v1::Digest &digest) {
  {
    const MutexLock lock(mutex_);
    whole_.erase(digest.sha256());
  }
  const fs::path file = blob(digest.sha256());
  if (unlink(file.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return fileError("remove", file, errno);
}

bool BlobFiles::take(const std::string &upload) {
  const MutexLock lock(mutex_);
  return taken_.insert(upload).second;
}

void BlobFiles::letGo(const std::string &upload, std::optional<HashedPart> part) {
  const MutexLock lock(mutex_);
  taken_.erase(upload);
  if (part && parts_.size() < kMostParts) parts_.insert_or_assign(upload, *std::move(part));
}

std::optional<Sha256> BlobFiles::resume(const std::string &upload, int64_t bytes) {
  const MutexLock lock(mutex_);
  const auto found = parts_.find(upload);
  if (found == parts_.end()) return std::nullopt;
  std::optional<Sha256> hash;
  if (found->second.bytes == bytes) hash = std::move(found->second.hash);
  parts_.erase(found);
  return hash;
}

bool BlobFiles::isTaken(const std::string &upload) {
  const MutexLock lock(mutex_);
  return taken_.contains(upload);
}

void BlobFiles::forget(const std::string &upload) {
  const MutexLock lock(mutex_);
  parts_.erase(upload);
}

}  // namespace hone::server
