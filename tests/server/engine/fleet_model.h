// The state machine of jobs, tasks, leases and workers, said a second time and the slow way: after
// docs/design/leases-and-durability.md, docs/design/service.md and the table of what is tried again in the operator's
// guide, and not after the engine. A plain value that can be copied: what a group of changes that was undone leaves is
// said with the model as it was before.
//
// The model does not choose among workers that are equally right: it is told who got which task, and says whether that
// was allowed. All workers are builders with one slot that can do everything here. Times are milliseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace hone::server::testing::model {

constexpr int64_t kSecond = 1000;
constexpr int64_t kUnseen = 1'000'000'000;  ///< number of a job that was not to be

struct Rules {
  int64_t lease = 20 * kSecond, silence = 15 * kSecond;
  int64_t maxWork = 30 * kSecond;
  int64_t maxJob = 24 * 3600 * kSecond;
  int64_t keepJobs = 30 * 24 * 3600 * kSecond;
  int maxAttempts = 3;
  int strikesToQuarantine = 2;
};

/// A lease by its name, task and epoch.
using Name = std::pair<int64_t, int64_t>;

struct Lease {
  std::string worker;
  int64_t silentUntil = 0, workUntil = 0;
  bool isInherited = false;
};

enum class Place { Queued, Paused, Parked, Checking, Leased, Ended };

struct Task {
  int64_t id = 0;
  Place place = Place::Queued;
  int64_t epoch = 0;
  std::string worker;  ///< of the last grant
  int attempts = 0;
  int64_t grant = 0;  ///< its number among all grants
  int64_t pausedUntil = 0, avoidUntil = -1;
  Lease lease;
  std::set<int> items;  ///< those with a result
};

struct Attempt {
  Name lease;
  std::string worker, end;
};

enum class JobState { Pending, Running, Succeeded, Failed, Cancelled };

struct Job {
  int64_t number = 0;
  std::string id, user;
  std::string work;      ///< equal for equal compilations; empty: a probe job
  bool isFresh = false;  ///< does not take an equal job's result
  int items = 0;         ///< of each task
  std::vector<Task> tasks;
  int priority = 0;
  int64_t deadline = 0;
  JobState state = JobState::Pending;
  bool isFromCache = false;
  int64_t ended = 0;
  std::vector<Attempt> attempts;

  bool isOver() const { return state >= JobState::Succeeded; }
  bool takesEqualResult() const { return !work.empty() && !isFresh; }
};

struct Worker {
  bool isKnown = false;  ///< the store has a row of it
  bool isAttached = false, isLeaving = false;
  int session = 0;
  int64_t heard = 0;
  bool isDraining = false, isQuarantined = false;
  int strikes = 0;
  int setbacks = 0;  ///< given back in a row
  std::optional<int64_t> heldUntil;
};

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

class Model {
 public:
  explicit Model(Rules rules = {}) : rules(rules) {}

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

  Rules rules;
  int64_t now = 0;
  std::map<std::string, Worker> workers;
  std::map<std::string, Job> jobs;  ///< by id; ended ones until they are too old
  std::set<std::string> kept;       ///< works with a result in the cache
  int64_t pausedUntil = 0;          ///< after a group that was undone
  std::vector<Event> repeated;

  const Task *find(Name lease, const std::string &worker) const;  ///< if the worker holds it
  std::vector<Name> heldBy(const std::string &worker) const;
  bool mayWork(const Worker &worker) const;
  bool isFlying(const std::string &work) const;
  int64_t position(const Job &job) const;  ///< how many queued tasks are older than its first queued one
  int64_t queued() const;
  bool isPaused() const { return now < pausedUntil; }
  /// No look at a kept result may begin in the next group: what comes of it would come after that was undone.
  bool mayBeUndone() const;

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
  std::pair<Job *, Task *> at(Name lease, const std::string &worker);
  bool renew(Name lease, const std::string &worker);
  bool hasFreeSlot(const std::string &name) const;
  int runningOf(const std::string &user) const;

  int64_t lastGrant_ = 0;
  std::map<std::string, int64_t> lastGrantOf_;  ///< by user
};

}  // namespace hone::server::testing::model
