#include "client/service/pending_request.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/service/digest.h"
#include "client/service/folders.h"
#include "client/service/job_kinds.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

constexpr size_t kIdBytes = 64;

std::string newId() {
  std::random_device random;
  return absl::StrFormat("%08x%08x%08x%08x", random(), random(), random(), random());
}

// The file of the lock, if it still has its name: whoever had it before may have removed it meanwhile.
std::optional<FileLock> lockNamed(const fs::path &path) {
  for (;;) {
    auto lock = FileLock::attempt(path);
    if (!lock.ok() || !lock->has_value()) return std::nullopt;
    struct stat status{};
    if (fstat((*lock)->descriptor(), &status) != 0) return std::nullopt;
    if (status.st_nlink > 0) return std::move(*lock);
  }
}

}  // namespace

PendingRequest PendingRequest::find(const v1::SubmitRequest &request, const Endpoint &endpoint) {
  PendingRequest pending;
  pending.id_ = newId();
  auto folder = stateFolder();
  if (!folder.ok() || !makeFolder(*folder / "requests").ok()) return pending;
  v1::SubmitRequest named = request;
  named.clear_request_id();
  const fs::path path = *folder / "requests" /
                        sha256Hex(absl::StrCat(endpoint.address, "\n", endpoint.user, "\n", named.SerializeAsString()));
  pending.lock_ = lockNamed(path);
  if (!pending.lock_.has_value()) return pending;
  pending.path_ = path;
  std::array<char, kIdBytes> text{};
  const ssize_t count = pread(pending.lock_->descriptor(), text.data(), text.size(), 0);
  struct stat status{};
  fstat(pending.lock_->descriptor(), &status);
  // What was interrupted longer ago is not what somebody goes on with.
  const time_t oldest = time(nullptr) - kindOf(request.spec()).rememberedSeconds;
  if (count > 0 && status.st_mtim.tv_sec >= oldest) {
    pending.id_.assign(text.data(), static_cast<size_t>(count));
    pending.isOld_ = true;
  } else {
    pending.keep();
  }
  return pending;
}

void PendingRequest::keep() {
  if (!lock_.has_value()) return;
  // A half-written id is one that no server knows: the command begins anew.
  if (ftruncate(lock_->descriptor(), 0) != 0 ||
      pwrite(lock_->descriptor(), id_.data(), id_.size(), 0) != static_cast<ssize_t>(id_.size()))
    forget();
}

void PendingRequest::renew() {
  id_ = newId();
  isOld_ = false;
  keep();
}

void PendingRequest::forget() {
  if (!path_.empty()) unlink(path_.c_str());
  path_.clear();
  lock_.reset();
}

}  // namespace hone::client
