// One spawned `hone-worker --serve`: idle until it is given its first work, alone with its folder, gone with this
// object. Its works are all of one lease. One thread at a time; the thread that spawns must outlive the child, which
// dies with it (PR_SET_PDEATHSIG).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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

/// How a child ended, or how its work did after which it waits for another one.
struct ChildEnd {
  enum class Reason {
    Ended,      ///< by itself, with or without a result
    Deadline,   ///< killed: it took too long
    Cancelled,  ///< killed: nobody wants the result
    Nonsense,   ///< killed: what it sent is not a Report
    Disk,       ///< killed: it filled its folder
  };
  Reason reason = Reason::Ended;
  bool hasBegun = false;  ///< it had read its work: the last one, as is what follows
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

  /// Hands over the files, which get the numbers that the works name, then the first work. \p isLast: none follows.
  void begin(const v1::Work &work, const std::vector<int> &files, bool isLast = true);
  /// The next work, once the one before has its result. What that has left in the folder is removed.
  void next(const v1::Work &work, bool isLast);

  /// On what terms a work is done.
  struct Terms {
    Deadline deadline;
    const Cancellation &cancellation;
    std::function<void(const v1::Progress &)> progress = [](const v1::Progress &) {};
    /// How long it had to stand still, which moves the deadline.
    std::function<Deadline::duration()> lost = [] { return Deadline::duration(); };
    /// What it may take from its begin on, apart from the deadline.
    Deadline::duration most = Deadline::duration::max();
  };
  /// From begin() or next() to the work's result or the child's end; it may still have to be waited for.
  void converse(const Terms &terms);
  /// Whether converse() ended with a result: it can have the next work.
  bool hasResult() const { return end_.reason == ChildEnd::Reason::Ended && end_.result.has_value(); }
  /// How the work ended; what was logged comes with the child's end. The child goes on.
  ChildEnd pause();
  /// What was logged up to now, of a child for whose end nobody waits.
  std::string takeLog();
  /// Waits for the end of the process (kills it unless it ended by itself) and tells of it.
  ChildEnd finish();

 private:
  Child(pid_t pid, const ChildProgram &program, std::string folder, Descriptor socket, Descriptor log);
  void ask(const v1::Work &work, bool isLast);
  bool isOver(const Terms &terms, Deadline deadline);
  bool isFolderFull();
  bool takeReports(const Terms &terms);
  bool takeReport(v1::Report report, const Terms &terms);
  void readLog();
  void wait(bool isPatient);

  class Reader;
  pid_t pid_;
  std::string folder_;
  Descriptor socket_, log_;
  std::unique_ptr<Reader> reader_;
  std::chrono::steady_clock::time_point lastProgress_{}, lastLook_{};
  std::optional<Deadline> begun_;
  bool isFirst_ = true;  ///< of its works
  ChildEnd end_;
};

/// What is kept of the end of what a child wrote.
inline constexpr size_t kLogBytes = 64 << 10;
void appendToLog(std::string &log, std::string_view more);

/// Removes a folder with all that a child may have put there.
void removeFolder(const std::string &path);

}  // namespace hone::worker
