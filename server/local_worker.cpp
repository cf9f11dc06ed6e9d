#include "server/local_worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace hone::server {

namespace fs = std::filesystem;

namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(200);
constexpr absl::Duration kLongestPause = absl::Seconds(30);
constexpr absl::Duration kGoodLife = absl::Seconds(60);  // after which a death is no sign of a pattern
constexpr absl::Duration kEndTime = absl::Seconds(3);
constexpr int kCannotStart = 127;

std::string describe(int status) {
  return WIFSIGNALED(status) ? absl::StrCat("signal ", WTERMSIG(status)) : absl::StrCat("exit ", WEXITSTATUS(status));
}

}  // namespace

absl::StatusOr<fs::path> findWorkerProgram() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (error) return absl::UnavailableError("cannot find hone-worker: /proc is not mounted");
  const fs::path folder = self.parent_path();
  for (const fs::path &candidate : {folder / "hone-worker", folder.parent_path() / "libexec/hone/hone-worker"})
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  return absl::UnavailableError(
      absl::StrCat("cannot find hone-worker in '", folder.string(), "'; install it beside hone-server"));
}

LocalWorker::LocalWorker(std::vector<std::string> command, const Clock &clock, const Log &log)
    : command_(std::move(command)), clock_(clock), log_(log), pause_(kFirstPause) {}

LocalWorker::~LocalWorker() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  const absl::Duration end = clock_.monotonic() + kEndTime;
  while (waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (clock_.monotonic() > end) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      return;
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
}

void LocalWorker::start() {
  std::vector<char *> arguments;
  for (const std::string &word : command_) arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  sigset_t none;
  sigemptyset(&none);
  const pid_t parent = getpid();
  // vfork, since gRPC's threads do not survive fork's handlers; the child does nothing but what is allowed after it.
  const pid_t pid = vfork();  // NOLINT(bugprone-unsafe-functions): posix_spawn cannot set the death signal
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kCannotStart);
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execv(arguments[0], arguments.data());
    _exit(kCannotStart);
  }
  startedAt_ = clock_.monotonic();
  if (pid < 0) {
    log_.error("worker not started", {{"error", strerror(errno)}});
    nextStart_ = startedAt_ + pause_;
    return;
  }
  pid_ = pid;
  log_.info("worker started", {{"pid", absl::StrCat(pid)}});
}

void LocalWorker::supervise() {
  const absl::Duration now = clock_.monotonic();
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = -1;
    pause_ = now - startedAt_ > kGoodLife ? kFirstPause : std::min(2 * pause_, kLongestPause);
    nextStart_ = now + pause_;
    log_.warning("worker ended", {{"how", describe(status)}, {"next_start", absl::FormatDuration(pause_)}});
  }
  if (pid_ <= 0 && now >= nextStart_) start();
}

}  // namespace hone::server
