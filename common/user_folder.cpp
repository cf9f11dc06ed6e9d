#include "common/user_folder.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/system_error.h"

namespace hone {

namespace fs = std::filesystem;

namespace {

absl::Status check(const fs::path &folder, mode_t forbidden) {
  struct stat status{};
  if (lstat(folder.c_str(), &status) != 0) return fileError("look at", folder, errno);
  if (S_ISDIR(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & forbidden) == 0)
    return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("'", folder.string(), "' is not a folder of this user's",
                                             forbidden == 0 ? "" : " alone; remove it"));
}

}  // namespace

absl::Status checkOwnFolder(const fs::path &folder) { return check(folder, 0); }

absl::Status makePrivateFolder(const fs::path &folder) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return fileError("make the folder", folder, errno);
  return check(folder, S_IRWXG | S_IRWXO);
}

absl::StatusOr<fs::path> temporaryFolderOfUser() {
  const fs::path folder = absl::StrCat("/tmp/hone-", geteuid());
  if (absl::Status status = makePrivateFolder(folder); !status.ok()) return status;
  return folder;
}

absl::StatusOr<fs::path> homeFolder() {
  if (const char *home = getenv("HOME"); home != nullptr && *home == '/') return fs::path(home);
  if (const passwd *entry = getpwuid(getuid()); entry != nullptr && *entry->pw_dir == '/')
    return fs::path(entry->pw_dir);
  return absl::NotFoundError("there is no home folder");
}

}  // namespace hone
