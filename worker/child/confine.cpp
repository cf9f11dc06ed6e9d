#include "worker/child/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "worker/child/landlock.h"

namespace hone::worker {

namespace {

Wall standing(std::string name) { return {std::move(name), true, "", true}; }
Wall missing(std::string name, int error) { return {std::move(name), false, strerror(error), true}; }

Wall attachToParent() {
  const std::string name = "no new privileges";
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? standing(name) : missing(name, errno);
}

// When memory runs out, the kernel is to end us and not who started us. It is no wall: there may be no /proc.
void offerToOutOfMemoryKiller() {
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  constexpr char kScore[] = "800";
  if (write(file, kScore, strlen(kScore)) < 0) errno = 0;
  close(file);
}

// A namespace of users comes with all capabilities inside it, which would open doors of the kernel: away with them.
int dropCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return static_cast<int>(syscall(SYS_capset, &header, none));
}

Wall leaveNetwork() {
  const std::string name = "a network namespace";
  // The filter refuses sockets, too.
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) != 0) return {name, false, strerror(errno), false};
  if (dropCapabilities() != 0) return missing(name, errno);
  // Counted within the new namespace: our threads alone. Not more than any `--threads` asks for.
  constexpr rlimit kThreads = {4352, 4352};
  setrlimit(RLIMIT_NPROC, &kThreads);
  // The change of credentials may have taken it away.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return standing(name);
}

// Refused with EPERM, whatever their arguments.
constexpr int kRefused[] = {
    // Network. What the process already has goes on: send and receive stay.
    SCMP_SYS(socket),
    SCMP_SYS(socketpair),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    // Other programs and processes.
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(tkill),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(rt_tgsigqueueinfo),
    SCMP_SYS(setpgid),
    SCMP_SYS(setsid),
    // The system.
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(acct),
    SCMP_SYS(syslog),
    SCMP_SYS(quotactl),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(shmget),
    SCMP_SYS(msgget),
    SCMP_SYS(semget),
    SCMP_SYS(mq_open),
};

int addRules(scmp_filter_ctx filter) {
  const auto refuse = SCMP_ACT_ERRNO(EPERM);
  const auto self = static_cast<scmp_datum_t>(getpid());
  for (const int call : kRefused) {
    // A call that this architecture lacks cannot be made.
    const int error = seccomp_rule_add(filter, refuse, call, 0);
    if (error != 0 && error != -EDOM) return error;
  }
  // Threads yes, processes no. clone3 hides its flags in memory: told that there is none, the C library uses clone.
  if (const int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0); error != 0) return error;
  const scmp_arg_cmp newProcess = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
  if (const int error = seccomp_rule_add_array(filter, refuse, SCMP_SYS(clone), 1, &newProcess); error != 0)
    return error;
  // Signals and limits to itself only (abort() sends one).
  const scmp_arg_cmp another = SCMP_A0(SCMP_CMP_NE, self, 0);
  for (const int call : {SCMP_SYS(kill), SCMP_SYS(tgkill)})
    if (const int error = seccomp_rule_add_array(filter, refuse, call, 1, &another); error != 0) return error;
  const scmp_arg_cmp notCaller = SCMP_A0(SCMP_CMP_NE, 0, 0);
  return seccomp_rule_add_array(filter, refuse, SCMP_SYS(prlimit64), 1, &notCaller);
}

Wall filterSystemCalls() {
  const std::string name = "a filter of system calls";
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (!filter) return {name, false, "libseccomp has no memory", true};
  int error = addRules(filter.get());
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? standing(name) : missing(name, -error);
}

}  // namespace

std::vector<Wall> confineProcess() {
  std::vector<Wall> walls = {attachToParent()};
  offerToOutOfMemoryKiller();
  walls.push_back(leaveNetwork());
  walls.push_back(filterSystemCalls());
  return walls;
}

Wall confineFiles(const Scope &scope) {
  const std::string name = "landlock";
  const int error = landlock(scope);
  return error == 0 ? standing(name) : missing(name, error);
}

Wall confineMemory(uint64_t bytes) {
  const std::string name = "a limit of memory";
  rlimit limits{};
  if (getrlimit(RLIMIT_DATA, &limits) != 0) return missing(name, errno);
// Sanitizers take what they like.
#ifndef HONE_SANITIZED
  if (bytes > 0) limits.rlim_cur = limits.rlim_max = std::min<rlim_t>(bytes, limits.rlim_max);
#endif
  return setrlimit(RLIMIT_DATA, &limits) == 0 ? standing(name) : missing(name, errno);
}

absl::Status checkWalls(const std::vector<Wall> &walls) {
  for (const Wall &wall : walls)
    if (wall.isNeeded && !wall.stands)
      return absl::UnavailableError(
          absl::StrCat("this machine cannot confine what comes from others: no ", wall.name, " (", wall.reason,
                       "); mend that, or start hone-worker with --allow-weak-sandbox if you trust all who send work"));
  return absl::OkStatus();
}

std::string describeWalls(const std::vector<Wall> &walls) {
  std::string stand;
  std::string lack;
  for (const Wall &wall : walls) {
    if (wall.stands)
      absl::StrAppend(&stand, stand.empty() ? "" : ", ", wall.name);
    else
      absl::StrAppend(&lack, lack.empty() ? "" : ", ", wall.name, " (", wall.reason, ")");
  }
  return absl::StrCat("confined by ", stand.empty() ? "nothing" : stand, lack.empty() ? "" : "; not by ", lack);
}

}  // namespace hone::worker
