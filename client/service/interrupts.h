// Ctrl-C while a server works for us: the first one ends the calls under way, so that the command can say how to come
// back; the second ends the process. While an object lives, SIGINT, SIGTERM and SIGHUP go to its thread alone; make it
// before any other thread, and once per process. Thread-safe.
#pragma once

#include <signal.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "common/mutex.h"

namespace grpc {
class ClientContext;
}

namespace hone::client {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts &) = delete;
  Interrupts &operator=(const Interrupts &) = delete;

  bool raised() const { return raised_; }

  /// Sleeps, but not longer than until an interruption. Whether none came.
  bool sleep(std::chrono::milliseconds duration);

  /// While it lives, an interruption cancels \p call.
  class Scope {
   public:
    Scope(Interrupts &interrupts, grpc::ClientContext &call) : interrupts_(interrupts), call_(call) {
      interrupts_.add(call_);
    }
    ~Scope() { interrupts_.remove(call_); }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

   private:
    Interrupts &interrupts_;
    grpc::ClientContext &call_;
  };

 private:
  void watch();
  // Apart from Scope's constructor and destructor, in which the compiler does not check locks.
  void add(grpc::ClientContext &call);
  void remove(grpc::ClientContext &call);

  sigset_t old_;
  int signals_ = -1, end_ = -1;
  std::atomic<bool> raised_ = false;
  Mutex mutex_;
  Condition woken_;
  std::set<grpc::ClientContext *> calls_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hone::client
