// The host's quiet lock: while something is measured, nobody compiles. One lock file for all workers of a machine, with
// two locks inside: "wanted", which a measurement takes first, and "busy", which builders share while their children
// run and a measurement takes for itself. The kernel gives them back when a process dies.
//
// Thread-safe. Without the file (it cannot be opened) everything goes on without quiet; isUsable() tells.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/descriptor.h"
#include "worker/agent/cancellation.h"

namespace hone::worker {

class QuietLock {
 public:
  /// Makes the file if it is not there, for every user of the machine.
  explicit QuietLock(std::string path);
  ~QuietLock();

  const absl::Status &state() const { return state_; }

  /// Whether somebody measures or waits to.
  bool isWanted() const;

  /// Holds the machine quiet while it lives.
  class Quiet {
   public:
    Quiet(Quiet &&) = default;

   private:
    friend class QuietLock;
    explicit Quiet(Descriptor file) : file_(std::move(file)) {}
    Descriptor file_;
  };
  /// Waits for other measurements to end and builders to pause. CANCELLED when \p cancellation ended the wait.
  absl::StatusOr<Quiet> measure(const Cancellation &cancellation);

  /// While it lives, the process \p child is stopped whenever the machine is to be quiet. Ends before the child is
  /// waited for: until then its number means no other process.
  class Builder {
   public:
    Builder(QuietLock &lock, pid_t child);
    Builder(const Builder &) = delete;
    Builder &operator=(const Builder &) = delete;
    ~Builder();

   private:
    QuietLock &lock_;
    pid_t child_;
  };

 private:
  Descriptor openFile() const;
  void watch();
  void signalAll(int signal);

  std::string path_;
  absl::Status state_;
  Descriptor file_;  ///< of the builders
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<pid_t> children_;
  bool isPaused_ = false;
  bool isBusy_ = false;  ///< the busy lock is held
  bool isEnding_ = false;
  std::thread watcher_;
};

}  // namespace hone::worker
