#include "worker/agent/data_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/user_folder.h"
#include "worker/agent/child.h"

namespace hone::worker {

namespace fs = std::filesystem;

absl::StatusOr<DataFolder> DataFolder::open(const std::string &path) {
  std::error_code error;
  const std::string absolute = fs::absolute(path, error).string();
  const auto cannot = [&](const std::string &reason) {
    return absl::UnavailableError(
        absl::StrCat("cannot use the folder '", absolute, "': ", reason, "; give another one with --data"));
  };
  fs::create_directories(absolute, error);
  if (error) return cannot(error.message());
  // Its content is removed below, and its rights are changed: not of a folder that somebody else owns.
  struct stat link{};
  if (lstat(absolute.c_str(), &link) != 0) return cannot(strerror(errno));
  if (S_ISLNK(link.st_mode) && link.st_uid != geteuid() && link.st_uid != 0)
    return cannot("it is a link that another user has made");
  if (absl::Status status = checkOwnFolder(fs::canonical(absolute, error)); !status.ok())
    return cannot(std::string(status.message()));
  // Models and artifacts may be secret.
  if (chmod(absolute.c_str(), 0700) != 0) return cannot(strerror(errno));
  auto lock = FileLock::attempt(absolute + "/lock");
  if (!lock.ok()) return cannot(std::string(lock.status().message()));
  if (!lock->has_value()) return cannot("another hone-worker has it");
  DataFolder folder(absolute, *std::move(*lock));
  removeFolder(folder.work());
  for (const std::string &part : {folder.blobs(), folder.work()}) {
    fs::create_directories(part, error);
    if (error) return cannot(error.message());
  }
  return folder;
}

DataFolder::~DataFolder() {
  if (lock_.isHeld()) removeFolder(work());
}

}  // namespace hone::worker
