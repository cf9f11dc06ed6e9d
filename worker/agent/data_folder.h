// The worker's own folder: fetched blobs, and files and folders of work in progress. Belongs to one process at a time,
// which starts with an empty place for work: what a killed one left is removed.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/file_lock.h"

namespace hone::worker {

class DataFolder {
 public:
  /// Makes what is not there. UNAVAILABLE when it cannot be written, or another worker has it.
  static absl::StatusOr<DataFolder> open(const std::string &path);
  DataFolder(DataFolder &&) = default;
  ~DataFolder();

  std::string blobs() const { return path_ + "/blobs"; }
  std::string work() const { return path_ + "/work"; }

 private:
  DataFolder(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  FileLock lock_;
};

}  // namespace hone::worker
