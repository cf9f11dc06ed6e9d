#include "client/service/folders.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/name.h"
#include "common/user_folder.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

absl::StatusOr<fs::path> folder(const char *variable, const char *fallback) {
  // The specification: a path that is not absolute is to be ignored.
  if (const char *value = getenv(variable); value != nullptr && *value == '/') return fs::path(value) / "hone";
  if (auto home = homeFolder(); home.ok()) return *home / fallback / "hone";
  return absl::NotFoundError(absl::StrCat("there is no home folder; set HOME or ", variable, " to a folder of yours"));
}

}  // namespace

absl::StatusOr<fs::path> configFolder() { return folder("XDG_CONFIG_HOME", ".config"); }
absl::StatusOr<fs::path> cacheFolder() { return folder("XDG_CACHE_HOME", ".cache"); }
absl::StatusOr<fs::path> dataFolder() { return folder("XDG_DATA_HOME", ".local/share"); }
absl::StatusOr<fs::path> stateFolder() { return folder("XDG_STATE_HOME", ".local/state"); }

absl::Status makeFolder(const fs::path &folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return absl::OkStatus();
  if (folder.has_parent_path() && folder.parent_path() != folder)
    if (absl::Status above = makeFolder(folder.parent_path()); !above.ok()) return above;
  // Somebody else may have made it meanwhile.
  if (mkdir(folder.c_str(), 0700) == 0 || (errno == EEXIST && fs::is_directory(folder, error))) return absl::OkStatus();
  const int reason = errno == EEXIST ? ENOTDIR : errno;
  return absl::UnavailableError(absl::StrCat("cannot create the folder '", folder.string(), "': ", strerror(reason)));
}

absl::Status checkUser(const std::string &user) { return checkName(absl::StrCat("the user '", user, "'"), user); }

std::string loginName() {
  for (const char *variable : {"LOGNAME", "USER"})
    if (const char *name = getenv(variable); name != nullptr && isName(name)) return name;
  if (const passwd *entry = getpwuid(getuid()); entry != nullptr && isName(entry->pw_name)) return entry->pw_name;
  return absl::StrCat("uid-", getuid());
}

}  // namespace hone::client
