#include "client/data_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

// A pipe without a writer is not waited for, and a terminal does not become ours.
constexpr int kReading = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
constexpr int kPassing = O_PATH | O_CLOEXEC | O_DIRECTORY;

std::vector<std::string> partsOf(const std::string &location) {
  std::vector<std::string> parts = absl::StrSplit(location, '/', absl::SkipEmpty());
  std::erase(parts, ".");
  return parts;
}

absl::Status refused(const std::string &location, const char *why) {
  return absl::DataLossError(absl::StrCat("its data file '", location, "' ", why));
}

absl::Status checkName(const std::string &location) {
  if (absl::StartsWith(location, "/"))
    return refused(location,
                   "has an absolute name; data files are taken from the model's folder and below only: move "
                   "it there, and name it in the model relative to it");
  const std::vector<std::string> parts = partsOf(location);
  if (std::find(parts.begin(), parts.end(), "..") != parts.end())
    return refused(location, "has '..' in its name; data files are taken from the model's folder and below only");
  if (parts.empty()) return refused(location, "is a folder, no plain file");
  return absl::OkStatus();
}

absl::Status failure(int error, const fs::path &folder, const std::string &location) {
  std::error_code ignored;
  const std::string place = fs::absolute(folder, ignored).lexically_normal().string();
  if (error == ELOOP)
    return refused(location,
                   "is reached through a symbolic link, and links are not followed; put the file itself there");
  if (error == ENXIO) return refused(location, "is no plain file");
  if (error == ENOENT)
    return absl::NotFoundError(absl::StrCat("its data file '", location, "' is not there; it was looked for in '",
                                            place, "', the model's folder"));
  return absl::NotFoundError(
      absl::StrCat("cannot open its data file '", location, "' in '", place, "': ", strerror(error)));
}

absl::StatusOr<InputFile> onlyPlain(InputFile file, const std::string &location) {
  struct stat facts{};
  if (fstat(file.descriptor(), &facts) == 0 && S_ISREG(facts.st_mode)) return file;
  return refused(location, S_ISDIR(facts.st_mode) ? "is a folder, no plain file" : "is no plain file");
}

absl::StatusOr<InputFile> openFolder(const fs::path &folder) {
  InputFile opened(open(folder.empty() ? "." : folder.c_str(), kPassing));
  if (opened.descriptor() >= 0) return opened;
  return absl::NotFoundError(absl::StrCat("cannot open the model's folder '", folder.string(), "': ", strerror(errno)));
}

// One step of the way, or the errno. What the kernel says of a link where it wants a folder depends on its flags.
InputFile step(int folder, const std::string &name, int flags, int &error) {
  InputFile next(openat(folder, name.c_str(), flags | O_NOFOLLOW));
  error = next.descriptor() < 0 ? errno : 0;
  struct stat facts{};
  if (error == ENOTDIR && fstatat(folder, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(facts.st_mode))
    error = ELOOP;
  return next;
}

}  // namespace

absl::StatusOr<InputFile> openDataFileStepwise(const fs::path &folder, const std::string &location) {
  if (absl::Status status = checkName(location); !status.ok()) return status;
  auto top = openFolder(folder);
  if (!top.ok()) return top.status();
  const std::vector<std::string> parts = partsOf(location);
  std::vector<InputFile> way;
  way.push_back(*std::move(top));
  for (size_t i = 0; i < parts.size(); ++i) {
    int error = 0;
    way.push_back(step(way.back().descriptor(), parts[i], i + 1 < parts.size() ? kPassing : kReading, error));
    if (error != 0) return failure(error, folder, location);
  }
  return onlyPlain(std::move(way.back()), location);
}

absl::StatusOr<InputFile> openDataFile(const fs::path &folder, const std::string &location) {
  if (absl::Status status = checkName(location); !status.ok()) return status;
  auto top = openFolder(folder);
  if (!top.ok()) return top.status();
  open_how how{};
  how.flags = kReading;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  InputFile file(static_cast<int>(syscall(SYS_openat2, top->descriptor(), location.c_str(), &how, sizeof how)));
  if (file.descriptor() >= 0) return onlyPlain(std::move(file), location);
  // Filters of system calls that are older than this one refuse it as not permitted.
  if (errno == ENOSYS || errno == EPERM) return openDataFileStepwise(folder, location);
  return failure(errno, folder, location);
}

}  // namespace hone::client
