#include "client/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/tools/output_path.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

absl::Status cannotWrite(const fs::path &path, std::string_view reason) {
  return absl::UnavailableError(absl::StrCat("cannot write '", path.string(), "': ", std::string(reason)));
}

// mkostemp makes files that only their owner may read; outputs have the modes of any other new file. There is no way
// to read the mask without setting it.
mode_t modeOfNewFiles() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

// Where Linux shows an open file, named or not.
std::string linkOf(int descriptor) { return absl::StrCat("/proc/self/fd/", descriptor); }

}  // namespace

absl::StatusOr<OutputFile> OutputFile::create(const fs::path &path) {
  OutputFile file;
  std::error_code error;
  if (fs::is_directory(path, error)) return cannotWrite(path, "it is a folder");
  file.path_ = path;
  if (fs::exists(path, error)) {
    if (!fs::is_regular_file(path, error)) {
      file.file_ = Descriptor(open(path.c_str(), O_WRONLY | O_CLOEXEC));
      if (!file.file_.isOpen()) return cannotWrite(path, strerror(errno));
      return file;
    }
    if (access(path.c_str(), W_OK) != 0) return cannotWrite(path, strerror(errno));
    file.path_ = fs::canonical(path, error);
    if (error) return cannotWrite(path, error.message());
  }
  const fs::path folder = file.path_.has_parent_path() ? file.path_.parent_path() : ".";
  file.file_ = Descriptor(open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR));
  file.nameless_ = file.file_.isOpen() && access(linkOf(file.descriptor()).c_str(), F_OK) == 0;
  if (!file.nameless_) {
    std::string pattern = (folder / ".hone-XXXXXX").string();
    file.file_ = Descriptor(mkostemp(pattern.data(), O_CLOEXEC));
    if (!file.file_.isOpen()) return cannotWrite(path, strerror(errno));
    file.temporary_ = pattern;
  }
  if (fchmod(file.descriptor(), modeOfNewFiles()) != 0) return cannotWrite(path, strerror(errno));
  return file;
}

absl::StatusOr<OutputFile> OutputFile::createTemporary() {
  std::error_code error;
  std::string pattern = (fs::temp_directory_path(error) / "hone-XXXXXX").string();
  OutputFile file;
  if (!error) file.file_ = Descriptor(mkostemp(pattern.data(), O_CLOEXEC));
  if (!file.file_.isOpen()) {
    return absl::UnavailableError(
        absl::StrCat("cannot make a temporary file: ", error ? error.message() : std::string(strerror(errno)),
                     "; set TMPDIR to a folder that is writable"));
  }
  unlink(pattern.c_str());
  return file;
}

fs::path OutputFile::openPath() const { return linkOf(file_.get()); }

OutputFile::OutputFile(OutputFile &&other) noexcept
    : file_(std::move(other.file_)),
      nameless_(std::exchange(other.nameless_, false)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status OutputFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return cannotWrite(path_, strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status OutputFile::name() {
  constexpr int kMostTries = 100;
  for (int number = 0; number < kMostTries; ++number) {
    fs::path name = path_;
    // Without the file's own, which may be as long as a name can be.
    name.replace_filename(absl::StrCat(".hone-", getpid(), "-", number));
    if (linkat(AT_FDCWD, linkOf(file_.get()).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      nameless_ = false;
      temporary_ = std::move(name);
      return absl::OkStatus();
    }
    if (errno != EEXIST) break;
  }
  return cannotWrite(path_, strerror(errno));
}

absl::Status OutputFile::commit() {
  if (nameless_) {
    if (absl::Status named = name(); !named.ok()) return named;
  }
  // Some file systems tell of a full disk only here.
  if (close(file_.release()) != 0) return cannotWrite(path_, strerror(errno));
  if (temporary_.empty()) return absl::OkStatus();
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return cannotWrite(path_, strerror(errno));
  temporary_.clear();
  return absl::OkStatus();
}

absl::Status checkOutputs(const std::vector<std::string> &outputs, const std::vector<std::string> &inputs) {
  for (const std::string &output : outputs)
    if (const runtime::Status status = runtime::checkOutputPath(output, inputs); !status.ok())
      return absl::InvalidArgumentError(status.message);
  return absl::OkStatus();
}

absl::Status writeWholeFile(const fs::path &path, std::string_view bytes) {
  auto file = OutputFile::create(path);
  if (!file.ok()) return file.status();
  if (absl::Status written = file->write(bytes); !written.ok()) return written;
  return file->commit();
}

}  // namespace hone::client
