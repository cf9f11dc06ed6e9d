#include "worker/agent/blob_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/agent/digest.h"

namespace hone::worker {

namespace fs = std::filesystem;

namespace {

bool isBlobName(const std::string &name) {
  return name.size() == 64 && std::all_of(name.begin(), name.end(),
                                          [](unsigned char c) { return std::isdigit(c) || (c >= 'a' && c <= 'f'); });
}

absl::Status missing() { return absl::NotFoundError("not in the cache"); }

}  // namespace

BlobCache::BlobCache(std::string folder, int64_t limit) : folder_(std::move(folder)), limit_(limit) {
  std::vector<std::pair<fs::file_time_type, Entry>> found;
  std::error_code error;
  for (auto file = fs::directory_iterator(folder_, error); !error && file != fs::directory_iterator();
       file.increment(error)) {
    std::error_code ignored;
    Entry entry;
    entry.name = file->path().filename();
    entry.bytes = static_cast<int64_t>(file->file_size(ignored));
    if (ignored || !isBlobName(entry.name)) continue;
    found.emplace_back(file->last_write_time(ignored), std::move(entry));
  }
  std::sort(found.begin(), found.end(), [](const auto &a, const auto &b) {
    return a.first != b.first ? a.first > b.first : a.second.name < b.second.name;
  });
  for (auto &[time, entry] : found) {
    bytes_ += entry.bytes;
    entries_.push_back(std::move(entry));
    byName_[entries_.back().name] = std::prev(entries_.end());
  }
  shrink();
}

std::string BlobCache::pathOf(const std::string &name) const { return absl::StrCat(folder_, "/", name); }

int64_t BlobCache::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

absl::StatusOr<Descriptor> BlobCache::open(const v1::Digest &digest) {
  const MutexLock lock(mutex_);
  const auto found = byName_.find(digest.sha256());
  if (found == byName_.end()) return missing();
  Descriptor file(::open(pathOf(digest.sha256()).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.isOpen() || !isWhole(*found->second, digest, file.get())) {
    remove(found->second);
    return missing();
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  // The order of use outlives this process as the order of times.
  futimens(file.get(), nullptr);
  struct stat status{};
  if (fstat(file.get(), &status) == 0) entries_.front().changed = status.st_ctim;
  return file;
}

// Hashed once, and again whenever the file is not the one that was hashed.
bool BlobCache::isWhole(Entry &entry, const v1::Digest &digest, int file) const {
  struct stat status{};
  if (fstat(file, &status) != 0 || status.st_size != digest.size_bytes()) return false;
  if (entry.isVerified && entry.inode == status.st_ino && entry.changed.tv_sec == status.st_ctim.tv_sec &&
      entry.changed.tv_nsec == status.st_ctim.tv_nsec)
    return true;
  const auto actual = digestOf(file);
  if (!actual.ok() || actual->sha256() != digest.sha256()) return false;
  entry.isVerified = true;
  entry.inode = status.st_ino;
  entry.changed = status.st_ctim;
  return true;
}

absl::StatusOr<Descriptor> BlobCache::adopt(const v1::Digest &digest, const std::string &path) {
  const MutexLock lock(mutex_);
  if (const auto old = byName_.find(digest.sha256()); old != byName_.end()) remove(old->second);
  if (rename(path.c_str(), pathOf(digest.sha256()).c_str()) != 0)
    return absl::InternalError(absl::StrCat("cannot keep a blob in '", folder_, "': ", strerror(errno)));
  Descriptor file(::open(pathOf(digest.sha256()).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status{};
  if (!file.isOpen() || fstat(file.get(), &status) != 0)
    return absl::InternalError(absl::StrCat("cannot open a blob in '", folder_, "': ", strerror(errno)));
  entries_.push_front({digest.sha256(), digest.size_bytes(), true, status.st_ino, status.st_ctim});
  byName_[digest.sha256()] = entries_.begin();
  bytes_ += digest.size_bytes();
  shrink();
  return file;
}

void BlobCache::remove(Entries::iterator entry) {
  unlink(pathOf(entry->name).c_str());
  bytes_ -= entry->bytes;
  byName_.erase(entry->name);
  entries_.erase(entry);
}

void BlobCache::shrink() {
  while (bytes_ > limit_ && !entries_.empty()) remove(std::prev(entries_.end()));
}

void BlobCache::clear() {
  const MutexLock lock(mutex_);
  while (!entries_.empty()) remove(entries_.begin());
}

}  // namespace hone::worker
