#include "client/programs.h"

#include <unistd.h>

#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hone::client {

namespace fs = std::filesystem;

absl::StatusOr<fs::path> findProgram(const std::string &name) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot find ", name, ": /proc is not mounted"));
  const fs::path folder = self.parent_path();
  const fs::path libexec = folder.parent_path() / "libexec/hone";
  for (const fs::path &candidate : {folder / name, libexec / name})
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  return absl::UnavailableError(absl::StrCat("cannot find ", name, " in '", folder.string(), "' or in '",
                                             libexec.string(), "'; install it beside hone"));
}

}  // namespace hone::client
