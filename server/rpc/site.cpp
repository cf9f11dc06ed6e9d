#include "server/rpc/site.h"

#include "absl/strings/str_cat.h"
#include "server/base/error_detail.h"

namespace hone::server {

namespace {

constexpr absl::Duration kRetryQuota = absl::Seconds(5);
constexpr absl::Duration kRetryDisk = absl::Seconds(10);

}  // namespace

void Activity::end() {
  const MutexLock lock(mutex_);
  last_ = clock_.monotonic();
  --active_;
}

absl::Duration Activity::idle() const {
  const MutexLock lock(mutex_);
  return active_ > 0 ? absl::ZeroDuration() : clock_.monotonic() - last_;
}

absl::Status UploadSlots::take(const std::string &user, int64_t bytes, int64_t storedBytes, int64_t freeBytes) {
  const MutexLock lock(mutex_);
  const auto found = users_.find(user);
  const Use use = found == users_.end() ? Use() : found->second;
  if (use.count >= limits_.perUser)
    return withDetail(
        absl::ResourceExhaustedError(absl::StrCat("user '", user, "' has ", use.count, " uploads under way, and ",
                                                  limits_.perUser, " is the limit; wait for one to end")),
        "QUOTA", "wait for another upload to end", kRetryQuota);
  if (bytes > limits_.userBytes - storedBytes - use.bytes)
    return withDetail(
        absl::ResourceExhaustedError(absl::StrCat("the blob has ", bytes, " bytes, and of user '", user, "' there are ",
                                                  storedBytes + use.bytes, " of at most ", limits_.userBytes)),
        "QUOTA", "blobs that nobody uses go by themselves after the grace period; ask the operator for a larger quota");
  return takeLocked(user, bytes, freeBytes);
}

absl::Status UploadSlots::takeUnlimited(const std::string &name, int64_t bytes, int64_t freeBytes) {
  const MutexLock lock(mutex_);
  return takeLocked(name, bytes, freeBytes);
}

absl::Status UploadSlots::takeLocked(const std::string &user, int64_t bytes, int64_t freeBytes) {
  if (absl::Status status = checkDiskLocked("blob", bytes, freeBytes); !status.ok()) return status;
  Use &changed = users_[user];
  ++changed.count;
  changed.bytes += bytes;
  bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status UploadSlots::checkDisk(std::string_view what, int64_t bytes, int64_t freeBytes) {
  const MutexLock lock(mutex_);
  return checkDiskLocked(what, bytes, freeBytes);
}

absl::Status UploadSlots::checkDiskLocked(std::string_view what, int64_t bytes, int64_t freeBytes) const {
  if (bytes <= freeBytes - bytes_ - limits_.reserveBytes) return absl::OkStatus();
  return withDetail(
      absl::ResourceExhaustedError(
          absl::StrCat("the ", std::string(what), " has ", bytes, " bytes, and the coordinator's disk has ", freeBytes,
                       " free, of which ", limits_.reserveBytes, " are kept and ", bytes_, " promised to uploads")),
      "DISK_FULL",
      "make space on the coordinator's disk, or lower its disk-reserve (HONE_SERVER_DISK_RESERVE when it starts)",
      kRetryDisk);
}

void UploadSlots::give(const std::string &user, int64_t bytes) {
  const MutexLock lock(mutex_);
  const auto found = users_.find(user);
  found->second.bytes -= bytes;
  bytes_ -= bytes;
  if (--found->second.count == 0) users_.erase(found);
}

absl::Status DownloadSlots::take(const std::string &user) {
  const MutexLock lock(mutex_);
  int32_t &count = users_[user];
  if (count >= perUser_)
    return withDetail(
        absl::ResourceExhaustedError(absl::StrCat("user '", user, "' has ", count, " downloads under way, and ",
                                                  perUser_, " is the limit; wait for one to end")),
        "QUOTA", "wait for another download to end", kRetryQuota);
  ++count;
  return absl::OkStatus();
}

void DownloadSlots::give(const std::string &user) {
  const MutexLock lock(mutex_);
  const auto found = users_.find(user);
  if (--found->second == 0) users_.erase(found);
}

}  // namespace hone::server
