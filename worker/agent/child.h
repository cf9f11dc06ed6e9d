// One spawned `hone-worker --once`: idle until it is given its work, alone with its folder, gone with this object. One
// thread at a time; the thread that spawns must outlive the child, which dies with it (PR_SET_PDEATHSIG).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/descriptor.h"
#include "hone/v1/work.pb.h"
#include "worker/agent/cancellation.h"

namespace hone::worker {

using Deadline = std::chrono::steady_clock::time_point;

/// What is started, where its folders are made, and what it may take.
struct ChildProgram {
  std::string path;
  std::string folders;
  bool isStrict = true;      ///< it does no work unless all its walls stand
  uint64_t memoryBytes = 0;  ///< 0: no limit
  uint64_t diskBytes = 0;    ///< of all files in its folder; 0: no limit
};

/// How a child ended.
struct ChildEnd {
  enum class Reason {
    Ended,      ///< by itself, with or without a result
    Deadline,   ///< killed: it took too long
    Cancelled,  ///< killed: nobody wants the result
    Nonsense,   ///< killed: what it sent is not a Report
    Disk,       ///< killed: it filled its folder
  };
  Reason reason = Reason::Ended;
  bool hasBegun = false;  ///< it had read its work
  std::optional<v1::Result> result;
  int waitStatus = 0;                       ///< as waitpid gives it
  std::string phase;                        ///< the last one that it reported
  std::string log;                          ///< the end of what it wrote to its standard output and error
  uint64_t memoryBytes = 0, diskBytes = 0;  ///< what it was allowed
};

class Child {
 public:
  /// UNAVAILABLE when it cannot be started. \p isTalkative: its log says what confines it.
  static absl::StatusOr<std::unique_ptr<Child>> spawn(const ChildProgram &program, bool isTalkative);
  Child(const Child &) = delete;
  Child &operator=(const Child &) = delete;
  /// Kills it if it lives, and removes its folder.
  ~Child();

  pid_t pid() const { return pid_; }
  bool isAlive() const;

  /// Hands over the files, which get the numbers that the work names, then the work.
  void begin(const v1::Work &work, const std::vector<int> &files);

  /// From begin() to the child's result or end; it may still have to be waited for. \p lost: the time during which it
  /// had to stand still, which moves the deadline.
  void converse(
      Deadline deadline, const Cancellation &cancellation, const std::function<void(const v1::Progress &)> &progress,
      const std::function<Deadline::duration()> &lost = [] { return Deadline::duration(); });
  /// Waits for the end of the process (kills it unless it ended by itself) and tells of it.
  ChildEnd finish();

 private:
  Child(pid_t pid, const ChildProgram &program, std::string folder, Descriptor socket, Descriptor log);
  bool isFolderFull();
  bool takeReports(const std::function<void(const v1::Progress &)> &progress);
  void readLog();
  void wait(bool isPatient);

  class Reader;
  pid_t pid_;
  std::string folder_;
  Descriptor socket_, log_;
  std::unique_ptr<Reader> reader_;
  std::chrono::steady_clock::time_point lastProgress_{}, lastLook_{};
  ChildEnd end_;
};

/// Removes a folder with all that a child may have put there.
void removeFolder(const std::string &path);

}  // namespace hone::worker
