#include "client/service/detached_process.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hone::client {

namespace {

constexpr int kCannotStart = 127;

// As in <linux/ioprio.h>, which has been no C++ since Linux 6.1.192: it calls a parameter `class`.
constexpr int kIoPriorityOfProcess = 1;
constexpr int kNoIoPriority = 0;

struct Resource {
  __rlimit_resource number;
  rlim_t wanted;     ///< RLIM_INFINITY: as much as there is
  rlim_t needed;     ///< with less, work fails that would do elsewhere
  const char *what;  ///< completes "at most 4096 …"
};
constexpr rlim_t kAll = RLIM_INFINITY;
// A stack without limit would make those of threads as large as an address space's layout allows; core files of a
// coordinator are of no use to its user.
constexpr Resource kResources[] = {
    {RLIMIT_AS, kAll, kAll, "bytes of address space"},   {RLIMIT_DATA, kAll, kAll, "bytes of data"},
    {RLIMIT_FSIZE, kAll, kAll, "bytes in a file"},       {RLIMIT_CPU, kAll, kAll, "seconds of CPU time"},
    {RLIMIT_NPROC, kAll, 1024, "processes and threads"}, {RLIMIT_NOFILE, 65536, 1024, "open files"},
    {RLIMIT_STACK, 8 << 20, 1 << 20, "bytes of stack"},  {RLIMIT_MEMLOCK, kAll, 0, "bytes of locked memory"},
    {RLIMIT_SIGPENDING, kAll, 0, "queued signals"},      {RLIMIT_CORE, 0, 0, "bytes of a core file"}};

// Both limits where that is allowed, else the soft one as far as the hard one lets it.
void lift(const Resource &resource) {
  rlimit limits{};
  if (getrlimit(resource.number, &limits) != 0) return;
  const rlimit lifted{resource.wanted, std::max(resource.wanted, limits.rlim_max)};
  if (setrlimit(resource.number, &lifted) == 0) return;
  limits.rlim_cur = std::min(resource.wanted, limits.rlim_max);
  setrlimit(resource.number, &limits);
}

void resetSignals() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void resetScheduling() {
  const sched_param plain{};
  sched_setscheduler(0, SCHED_OTHER, &plain);
  setpriority(PRIO_PROCESS, 0, 0);
  syscall(SYS_ioprio_set, kIoPriorityOfProcess, 0, kNoIoPriority);
  // The kernel leaves out what there is not, and what the control group does not allow.
  cpu_set_t all;
  memset(&all, 0xFF, sizeof all);
  sched_setaffinity(0, sizeof all, &all);
  syscall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0);
}

void closeFrom(int first) {
  if (close_range(static_cast<unsigned>(first), ~0U, 0) == 0) return;
  // Before Linux 5.9.
  for (auto number = static_cast<int>(sysconf(_SC_OPEN_MAX)); number >= first; --number) close(number);
}

// All that follows vfork: calls that change the calling process alone, and its memory not at all.
[[noreturn]] void become(char *const *arguments, char *const *environment, int log, int ready) {
  setsid();
  resetSignals();
  resetScheduling();
  for (const Resource &resource : kResources) lift(resource);
  umask(S_IRWXG | S_IRWXO);
  // It must not keep the folder of whoever came first from being unmounted.
  const int null = open("/dev/null", O_RDONLY);
  const bool isReady = chdir("/") == 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
                       dup2(log, STDERR_FILENO) >= 0 && dup2(ready, kReadyDescriptor) >= 0;
  closeFrom(kReadyDescriptor + 1);
  if (isReady) execve(arguments[0], arguments, environment);
  _exit(kCannotStart);
}

bool isKept(std::string_view variable) {
  constexpr std::string_view kKept[] = {"HOME",
                                        "USER",
                                        "LOGNAME",
                                        "PATH",
                                        "XDG_DATA_HOME",
                                        "XDG_CACHE_HOME",
                                        "XDG_CONFIG_HOME",
                                        "XDG_STATE_HOME",
                                        "LD_LIBRARY_PATH",
                                        "ASAN_OPTIONS",
                                        "UBSAN_OPTIONS",
                                        "TSAN_OPTIONS",
                                        "LSAN_OPTIONS"};
  const std::string_view name = variable.substr(0, variable.find('='));
  return name.starts_with("HONE_") || std::find(std::begin(kKept), std::end(kKept), name) != std::end(kKept);
}

}  // namespace

absl::StatusOr<pid_t> spawnDetached(const std::vector<std::string> &command, int log, int ready) {
  std::vector<char *> arguments, environment;
  for (const std::string &word : command) arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  for (char **variable = environ; *variable != nullptr; ++variable)
    if (isKept(*variable)) environment.push_back(*variable);
  environment.push_back(nullptr);
  // posix_spawn can set neither limits nor CPUs, and fork would run the handlers of libraries with threads.
  const pid_t pid = vfork();  // NOLINT(bugprone-unsafe-functions)
  if (pid == 0) become(arguments.data(), environment.data(), log, ready);
  if (pid < 0) return absl::UnavailableError(absl::StrCat("cannot start '", command[0], "': ", strerror(errno)));
  return pid;
}

std::string inheritedBurden(pid_t pid) {
  std::vector<std::string> parts;
  if (const int nice = getpriority(PRIO_PROCESS, static_cast<id_t>(pid)); nice > 0)
    parts.push_back(absl::StrCat("a nice value of ", nice));
  for (const Resource &resource : kResources) {
    rlimit limits{};
    if (prlimit(pid, resource.number, nullptr, &limits) == 0 && limits.rlim_cur < resource.needed)
      parts.push_back(absl::StrCat("at most ", limits.rlim_cur, " ", resource.what));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace hone::client
