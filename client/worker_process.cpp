#include "client/worker_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/descriptor.h"
#include "common/spawn.h"
#include "common/system_error.h"
#include "proto/frames.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

constexpr int kSocketDescriptor = 3;
constexpr int kTickMilliseconds = 200;
// A child that talks nonsense at length must not fill our memory with its log.
constexpr size_t kLogBytes = 1 << 20;

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

absl::StatusOr<pid_t> start(const fs::path &program, int socket, int log, const WorkerFiles &files) {
  SpawnSettings settings{.command = {program.string(), "--once", "--fd", std::to_string(kSocketDescriptor)},
                         .descriptors = {{socket, kSocketDescriptor}, {log, STDOUT_FILENO}, {log, STDERR_FILENO}}};
  if (files.input >= 0) settings.descriptors.push_back({files.input, kInputDescriptor});
  if (files.output >= 0) settings.descriptors.push_back({files.output, kOutputDescriptor});
  return spawn(std::move(settings));
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
  auto sockets = makeSocketPair();
  if (!sockets.ok()) return sockets.status();
  auto &[ours, theirs] = *sockets;
  Descriptor log(memfd_create("hone-worker.log", MFD_CLOEXEC));
  if (log.get() < 0) return systemError("make a log");
  const SignalWatch signals;
  auto pid = start(program, theirs.get(), log.get(), files);
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
