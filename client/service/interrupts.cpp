#include "client/service/interrupts.h"

#include <grpcpp/client_context.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/exit_code.h"

namespace hone::client {

Interrupts::Interrupts() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, &old_);
  signals_ = signalfd(-1, &signals, SFD_CLOEXEC);
  end_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] { watch(); });
}

Interrupts::~Interrupts() {
  const uint64_t one = 1;
  // An event counter takes eight bytes as long as it has not been counted up 2^64 times.
  [[maybe_unused]] const ssize_t written = write(end_, &one, sizeof one);
  thread_.join();
  close(signals_);
  close(end_);
  pthread_sigmask(SIG_SETMASK, &old_, nullptr);
}

void Interrupts::watch() {
  for (;;) {
    pollfd waiting[] = {{signals_, POLLIN, 0}, {end_, POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0) continue;
    if (waiting[0].revents != 0) {
      signalfd_siginfo info;
      if (read(signals_, &info, sizeof info) != sizeof info) continue;
      if (raised_.exchange(true)) _exit(static_cast<int>(ExitCode::Interrupted));
      const MutexLock lock(mutex_);
      for (grpc::ClientContext *call : calls_) call->TryCancel();
      woken_.notifyAll();
      continue;
    }
    if (waiting[1].revents != 0) return;
  }
}

bool Interrupts::sleep(std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  const MutexLock lock(mutex_);
  while (!raised() && woken_.waitUntil(mutex_, end)) continue;
  return !raised();
}

void Interrupts::add(grpc::ClientContext &call) {
  const MutexLock lock(mutex_);
  calls_.insert(&call);
  if (raised()) call.TryCancel();
}

void Interrupts::remove(grpc::ClientContext &call) {
  const MutexLock lock(mutex_);
  calls_.erase(&call);
}

}  // namespace hone::client
