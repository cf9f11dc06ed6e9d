// The state machine of jobs, tasks, leases and workers, said a second time and the slow way: after
// docs/design/leases-and-durability.md, docs/design/service.md and the table of what is tried again in the operator's
// guide, and not after the engine. A plain value that can be copied: what a group of changes that was undone leaves is
// said with the model as it was before.
//
// The model does not choose among workers that are equally right: it is told who got which task, and says whether that
// was allowed. All workers are builders with one slot that can do everything here.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/engine/fleet_state.h"

namespace hone::server::testing::model {

/// What happens to the coordinator. Which fields count depends on the kind.
struct Event {
  enum class Kind {
    Submit,
    Cancel,
    Attach,
    Detach,
    Goodbye,
    Heartbeat,
    Progress,
    Items,
    Result,
    Drain,
    Undrain,
    Advance,
    Restart,
  };
  enum class Outcome { Done, Failed, WorkersFault, Lacking };
  Kind kind = Kind::Advance;
  std::string worker = {};        ///< none, of a heartbeat: all that are attached, with what they hold but for leases
  std::vector<Name> leases = {};  ///< that are named
  Outcome outcome = Outcome::Done;
  std::vector<int> items = {};
  std::string job = {};   ///< Cancel; Submit of a request that there was
  Job submitted = {};     ///< Submit of a new one; its id and tasks are filled in by who has seen the answer
  int64_t millis = 0;     ///< Advance
  bool isUndone = false;  ///< the commit fails
  int session = 0;        ///< of the worker then; the model's own
  bool isAgain = false;   ///< after a group that was undone
};

class Model : public State {
 public:
  explicit Model(Rules those = {}) { rules = those; }

  /// Who got which task, as seen; null: anybody who may, in a rehearsal.
  using Seen = std::vector<std::pair<Name, std::string>>;

  /// One group of the engine's: \p event, what is due, and the grants.
  void apply(Event event, const Seen *seen);

  // What the last group says.
  std::map<std::string, std::vector<std::string>> said;  ///< by worker
  std::set<std::string> closed;                          ///< workers whose connection was ended
  std::vector<std::string> errors;                       ///< what was seen and is not allowed
  bool isChanged = false;                                ///< there was something to commit
  bool answersOk = true;

  int64_t pausedUntil = 0;  ///< after a group that was undone
  std::vector<Event> repeated;
  bool isPaused() const { return now < pausedUntil; }

 private:
  struct Way {
    const char *end;
    bool blames, pauses, avoids;
  };

  void applyOne(const Event &event);
  void submit(const Event &event);
  void heartbeat(const std::string &name, const std::vector<Name> &held);
  void attach(const Event &event);
  void result(const Event &event);
  void items(const Event &event);
  void complete(Job &job, Task &task, bool isDone);
  void succeeded(const Job &job, const Task &task);
  void answerWaiting(const std::string &work);
  void giveBack(Job &job, Task &task, const Way &way);
  void endLease(Job &job, Task &task, const std::string &end);
  void end(Job &job, JobState state);
  void wakeParked(const std::string &work);
  void due();
  bool expireOne();
  void removeOldJobs();
  void schedule(const Seen *seen);
  std::pair<Job *, Task *> nextTask();
  std::vector<std::string> allowed(const Task &task, bool &mustWait) const;
  void claim(Job &job, Task &task, const std::string &worker, int64_t epoch);
  void rebuild();
  void undo(const Model &before, const Event &event);
  void restart();
  void disconnect(const std::string &name);
  bool renew(Name lease, const std::string &worker);

  int64_t lastGrant_ = 0;
  std::map<std::string, int64_t> lastGrantOf_;  ///< by user
};

}  // namespace hone::server::testing::model
