#include "client/service/private_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/programs.h"
#include "client/service/connection.h"
#include "client/service/detached_process.h"
#include "client/service/digest.h"
#include "client/service/folders.h"
#include "common/file_lock.h"
#include "common/user_folder.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kStartTime{60};  // a big store is checked at the start
constexpr seconds kEndTime{20};
constexpr milliseconds kPause{20};
constexpr int kFirstFreeDescriptor = 16;
constexpr uintmax_t kLongestLog = 4 << 20;
constexpr size_t kSocketDigits = 16;

// It follows from the data folder, which the coordinator locks, and from nothing else: every command that has the same
// data finds the same coordinator, whatever else differs between its shell and another.
absl::StatusOr<fs::path> socketPath(const fs::path &data) {
  if (const fs::path path = data / "hone.sock"; isSocketPath(path.native())) return path;
  auto folder = temporaryFolderOfUser();
  if (!folder.ok())
    return absl::UnavailableError(
        absl::StrCat(folder.status().message(), ", or set XDG_DATA_HOME to a folder with a shorter name"));
  return *folder / absl::StrCat(sha256Hex(data.string()).substr(0, kSocketDigits), ".sock");
}

// What the coordinator wrote since \p from: its last error, else its last line.
std::string lastWords(const fs::path &log, uintmax_t from) {
  std::ifstream file(log);
  file.seekg(static_cast<std::streamoff>(from));
  std::string line, last, error;
  while (std::getline(file, line)) {
    if (line.starts_with("error: ")) error = line.substr(7);
    if (!line.empty()) last = line;
  }
  return !error.empty() ? error : !last.empty() ? last : "it said nothing";
}

// Until the coordinator says that it serves, or closes the pipe by ending.
absl::StatusOr<bool> waitUntilReady(int pipe, Interrupts &interrupts) {
  const auto end = steady_clock::now() + kStartTime;
  std::string said;
  while (steady_clock::now() < end) {
    if (interrupts.raised()) return interrupted();
    pollfd waiting{pipe, POLLIN, 0};
    if (poll(&waiting, 1, 100) <= 0) continue;
    char bytes[64];
    const ssize_t count = read(pipe, bytes, sizeof bytes);
    if (count <= 0) return false;
    said.append(bytes, static_cast<size_t>(count));
    if (said.find('\n') != std::string::npos) return said.starts_with("ready");
  }
  return absl::UnavailableError(
      absl::StrCat("hone-server did not begin to serve within ", kStartTime.count(), " seconds"));
}

// Whether no coordinator has the data folder, by the lock that it would hold.
absl::StatusOr<bool> isDataFree(const fs::path &data) {
  auto lock = FileLock::attempt(data / "lock");
  if (!lock.ok()) return lock.status();
  return lock->has_value();
}

absl::Status cannotStart(const PrivatePaths &paths, std::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("the private server cannot start: ", std::string(why), " (log: ", paths.log.string(), ")"));
}

// One attempt, by the one process that holds the lock.
absl::Status start(const PrivatePaths &paths, Interrupts &interrupts) {
  auto program = findProgram("hone-server");
  if (!program.ok()) return program.status();
  std::error_code error;
  uintmax_t from = fs::file_size(paths.log, error);
  const bool isLong = !error && from > kLongestLog;
  if (error || isLong) from = 0;
  auto lowLog = Descriptor::open(paths.log, O_WRONLY | O_CREAT | O_APPEND | (isLong ? O_TRUNC : 0));
  if (!lowLog.ok())
    return absl::UnavailableError(
        absl::StrCat(lowLog.status().message(), "; set XDG_DATA_HOME to a folder that can be written"));
  auto pipe = makePipe();
  if (!pipe.ok()) return pipe.status();
  // Numbers beyond those that the descriptors get in the child.
  auto log = lowLog->copy(kFirstFreeDescriptor);
  auto writing = pipe->second.copy(kFirstFreeDescriptor);
  pipe->second.reset();
  if (!log.ok() || !writing.ok()) return log.ok() ? writing.status() : log.status();
  auto pid =
      spawnDetached({program->string(), "--private", "--data", paths.data.string(), "--socket", paths.socket.string(),
                     "--ready-fd", std::to_string(kReadyDescriptor), "--programs", identityOfServer()},
                    log->get(), writing->get());
  writing->reset();
  if (!pid.ok()) return pid.status();
  auto ready = waitUntilReady(pipe->first.get(), interrupts);
  if (ready.ok() && *ready) {
    if (const std::string burden = inheritedBurden(*pid); !burden.empty())
      fprintf(stderr,
              "note: the private server keeps %s from the process that started it, for all who use it; "
              "`hone server stop`, and a command from elsewhere, start it without\n",
              burden.c_str());
    return absl::OkStatus();
  }
  // It is of no use to anybody: nobody has been told of it.
  if (!ready.ok()) kill(*pid, SIGTERM);
  int status = 0;
  if (ready.ok()) waitpid(*pid, &status, 0);
  if (!ready.ok() && absl::IsCancelled(ready.status())) return ready.status();
  return cannotStart(paths, ready.ok() ? lastWords(paths.log, from) : std::string(ready.status().message()));
}

}  // namespace

absl::StatusOr<PrivatePaths> privatePaths() {
  auto data = dataFolder();
  if (!data.ok()) return data.status();
  auto socket = socketPath(*data);
  if (!socket.ok()) return socket.status();
  return PrivatePaths{*data, *socket, *data / "hone-server.log"};
}

absl::Status ensurePrivateServer(const PrivatePaths &paths, Interrupts &interrupts) {
  if (isAnswering(paths.socket)) return absl::OkStatus();
  if (absl::Status made = makeFolder(paths.data); !made.ok())
    return absl::UnavailableError(
        absl::StrCat(made.message(), "; set XDG_DATA_HOME to a folder that can be written, or name a --server"));
  // Of several that find none, one starts it and the others wait for that.
  const auto end = steady_clock::now() + kStartTime;
  while (steady_clock::now() < end) {
    auto lock = FileLock::attempt(paths.data / "start.lock");
    if (!lock.ok())
      return absl::UnavailableError(
          absl::StrCat(lock.status().message(), "; set XDG_DATA_HOME to a folder that can be written"));
    if (isAnswering(paths.socket)) return absl::OkStatus();
    // Who holds the data is ending (its socket is gone already), or about to answer.
    auto isFree = lock->has_value() ? isDataFree(paths.data) : absl::StatusOr<bool>(false);
    if (!isFree.ok()) return isFree.status();
    if (*isFree) return start(paths, interrupts);
    if (!interrupts.sleep(kPause)) return interrupted();
  }
  return absl::UnavailableError(absl::StrCat("the private server neither answers at '", paths.socket.string(),
                                             "' nor ends; see ", paths.log.string()));
}

absl::Status waitForEnd(const PrivatePaths &paths, Interrupts &interrupts) {
  const auto end = steady_clock::now() + kEndTime;
  while (isAnswering(paths.socket)) {
    if (steady_clock::now() > end)
      return absl::UnavailableError(absl::StrCat("the private server at '", paths.socket.string(),
                                                 "' did not end within ", kEndTime.count(), " seconds; see ",
                                                 paths.log.string()));
    if (!interrupts.sleep(kPause)) return interrupted();
  }
  return absl::OkStatus();
}

}  // namespace hone::client
