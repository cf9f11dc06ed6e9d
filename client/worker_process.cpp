#include "client/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/frames.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

constexpr int kSocketDescriptor = 3;
// Copies that the child is to inherit get numbers from here on, so that none is overwritten before it is moved.
constexpr int kFirstFreeDescriptor = 16;
constexpr int kTickMilliseconds = 200;
// A child that talks nonsense at length must not fill our memory with its log.
constexpr size_t kLogBytes = 1 << 20;

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int get() const { return number_; }
  void reset() { *this = Descriptor(); }

 private:
  int number_;
};

absl::Status systemError(const char *what) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, ": ", strerror(errno)));
}

// Turns the signals that ask us to end into something to poll for, as long as it lives.
class SignalWatch {
 public:
  SignalWatch() {
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, &old_);
    descriptor_ = Descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~SignalWatch() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }
  int descriptor() const { return descriptor_.get(); }
  const sigset_t &oldMask() const { return old_; }
  /// Takes the signal, so that it does not strike when the mask is restored.
  void consume() const {
    signalfd_siginfo info;
    while (read(descriptor_.get(), &info, sizeof info) == sizeof info) continue;
  }

 private:
  sigset_t old_;
  Descriptor descriptor_;
};

// The child; killed and buried if it is still there at the end.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child &) = delete;
  Child &operator=(const Child &) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
};

absl::StatusOr<Descriptor> copyForChild(int descriptor) {
  Descriptor copy(fcntl(descriptor, F_DUPFD_CLOEXEC, kFirstFreeDescriptor));
  if (copy.get() < 0) return systemError("pass a file to hone-worker");
  return copy;
}

// posix_spawn's two sets of instructions, freed at the end of the scope.
struct SpawnSettings {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

absl::StatusOr<pid_t> spawn(const fs::path &program, int socket, int log, const WorkerFiles &files,
                            const sigset_t &mask) {
  SpawnSettings settings;
  std::vector<Descriptor> copies;
  for (const auto &[descriptor, number] : {std::pair{socket, kSocketDescriptor},
                                           {log, STDOUT_FILENO},
                                           {log, STDERR_FILENO},
                                           {files.input, kInputDescriptor},
                                           {files.output, kOutputDescriptor}}) {
    if (descriptor < 0) continue;
    auto copy = copyForChild(descriptor);
    if (!copy.ok()) return copy.status();
    posix_spawn_file_actions_adddup2(&settings.actions, copy->get(), number);
    copies.push_back(*std::move(copy));
  }
  posix_spawn_file_actions_addopen(&settings.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  // A group of its own: Ctrl-C reaches us alone, and we end the child.
  posix_spawnattr_setflags(&settings.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setpgroup(&settings.attributes, 0);
  posix_spawnattr_setsigmask(&settings.attributes, &mask);
  std::string name = program.string();
  std::string once = "--once";
  std::string flag = "--fd";
  std::string number = std::to_string(kSocketDescriptor);
  char *arguments[] = {name.data(), once.data(), flag.data(), number.data(), nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, name.c_str(), &settings.actions, &settings.attributes, arguments, environ);
  if (error != 0) return absl::UnavailableError(absl::StrCat("cannot start '", name, "': ", strerror(error)));
  return pid;
}

std::string readLog(int descriptor) {
  std::string text(kLogBytes, '\0');
  const ssize_t count = pread(descriptor, text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return text;
}

// Takes in reports until the result, the end of the stream or a signal.
absl::Status converse(int socket, const SignalWatch &signals, WorkerEnd &end, ProgressLine &progress) {
  proto::FrameReader reader(socket);
  for (;;) {
    pollfd waiting[] = {{socket, POLLIN, 0}, {signals.descriptor(), POLLIN, 0}};
    if (poll(waiting, 2, kTickMilliseconds) < 0 && errno != EINTR) return systemError("wait for hone-worker");
    if (waiting[1].revents != 0) {
      signals.consume();
      return absl::CancelledError("interrupted");
    }
    progress.tick();
    if (waiting[0].revents == 0) continue;
    auto more = reader.fill();
    if (!more.ok()) return more.status();
    for (;;) {
      auto frame = reader.next();
      if (!frame.ok()) return frame.status();
      if (!frame->has_value()) break;
      v1::Report message;
      if (!message.ParseFromString(**frame)) return absl::InternalError("hone-worker sent a damaged report");
      if (message.has_progress()) {
        end.phase = message.progress().phase();
        progress.update(message.progress());
      } else if (message.has_result()) {
        end.result = std::move(*message.mutable_result());
        return absl::OkStatus();
      }
    }
    if (!*more) return absl::OkStatus();
  }
}

}  // namespace

absl::StatusOr<WorkerEnd> runWorker(const fs::path &program, const v1::Work &work, const WorkerFiles &files,
                                    ProgressLine &progress) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return systemError("make a socket pair");
  Descriptor ours(ends[0]);
  Descriptor theirs(ends[1]);
  Descriptor log(memfd_create("hone-worker.log", MFD_CLOEXEC));
  if (log.get() < 0) return systemError("make a log");
  const SignalWatch signals;
  auto pid = spawn(program, theirs.get(), log.get(), files, signals.oldMask());
  if (!pid.ok()) return pid.status();
  Child child(*pid);
  theirs.reset();
  WorkerEnd end;
  // A child that died at once is told from its wait status, below.
  absl::Status sent = proto::writeFrame(ours.get(), work);
  if (absl::Status talked = converse(ours.get(), signals, end, progress); !talked.ok()) return talked;
  if (!sent.ok() && end.result.has_value()) return sent;
  progress.clear();
  end.waitStatus = child.wait();
  end.log = readLog(log.get());
  return end;
}

}  // namespace hone::client
