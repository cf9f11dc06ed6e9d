// The engine's thread: takes commands, groups them, commits, answers. What the commands decide is elsewhere.
#include "server/engine/engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "server/base/error_detail.h"
#include "server/engine/background.h"
#include "server/engine/clients.h"
#include "server/engine/kept_results.h"
#include "server/engine/retention.h"
#include "server/engine/scheduler.h"
#include "server/engine/state.h"
#include "server/engine/timekeeper.h"
#include "server/engine/transitions.h"
#include "server/engine/workers.h"

namespace hone::server {
namespace {

constexpr size_t kCommandsPerGroup = 512;
/// So many wait, and who asks for more is told to come back: what workers say is always taken.
constexpr size_t kMostCommands = 20'000;
constexpr int kLeasesPerGroup = 256;
constexpr absl::Duration kLongestWait = absl::Seconds(1);
/// After a failed commit nothing is tried for this long that nobody asked for.
constexpr absl::Duration kPause = absl::Milliseconds(500);

/// What everybody of a group is told whose commit failed with \p status.
absl::Status notDurable(const absl::Status &status) {
  const bool isFull = absl::IsResourceExhausted(status);
  const absl::StatusCode code = isFull ? status.code() : absl::StatusCode::kUnavailable;
  const char *remedy = isFull ? "free space on the disk of the server's data folder, then repeat the call"
                              : "repeat the call; if it fails again, see the server's log";
  return withDetail(
      absl::Status(code, absl::StrCat("the change could not be made durable: ", status.message(), "; ", remedy)),
      isFull ? "DISK_FULL" : "STORE_FAILED", remedy, absl::Seconds(isFull ? 10 : 1));
}

absl::Status tooBusy() {
  return withDetail(absl::ResourceExhaustedError(absl::StrCat("the coordinator has ", kMostCommands,
                                                              " calls waiting; repeat the call in a second")),
                    "BUSY", "repeat the call in a second", absl::Seconds(1));
}

class EngineThread final : public Engine {
  using IfUndone = Command::IfUndone;

 public:
  EngineThread(const Parts &parts, const Policy &policy)
      : state_(parts, policy),
        transitions_(state_),
        kept_(state_, checks_),
        retention_(state_, files_),
        scheduler_(state_, transitions_, kept_),
        clients_(state_, transitions_, kept_, retention_),
        workers_(state_, transitions_, retention_),
        timekeeper_(state_, transitions_, workers_, retention_) {
    state_.post = [this](Command command) { post(std::move(command)); };
  }

  absl::Status begin() {
    state_.readClocks();
    if (absl::Status status = transitions_.rebuild(); !status.ok()) return status;
    publish(absl::OkStatus());
    thread_ = std::thread([this] { loop(); });
    return absl::OkStatus();
  }

  ~EngineThread() override {
    checks_.stop();
    files_.stop();
    {
      const MutexLock lock(mutex_);
      isStopping_ = true;
      wake_.notifyOne();
    }
    if (thread_.joinable()) thread_.join();
  }

  // ------------------------------------------------------------------------------------------------------ clients
  void submit(std::string user, v1::SubmitRequest request, Callback<v1::Job> done) override {
    post({.apply = [this, user = std::move(user), request = std::move(request),
                    done] { return clients_.submit(user, request, done); },
          .undone = done});
  }
  void queuePosition(std::string job, Callback<int64_t> done) override {
    post({.apply = [this, job = std::move(job), done] { return clients_.queuePosition(job, done); },
          .undone = done,
          .ifUndone = IfUndone::RepeatedNow});
  }
  void cancel(std::string user, std::string job, Callback<v1::Job> done) override {
    post({.apply = [this, user = std::move(user), job = std::move(job),
                    done] { return clients_.cancel(user, job, done); },
          .undone = done});
  }
  void blobStored(std::string user, v1::Digest digest, Callback<v1::Digest> done) override {
    post({.apply = [this, user = std::move(user), digest = std::move(digest),
                    done] { return clients_.blobStored(user, digest, done); },
          .undone = done});
  }
  void blobsSeen(std::vector<BlobRow> blobs, Callback<std::vector<v1::Digest>> done) override {
    post({.apply = [this, blobs = std::move(blobs), done] { return clients_.blobsSeen(blobs, done); }, .undone = done});
  }
  void blobDamaged(v1::Digest digest) override {
    post({.apply = [this, digest = std::move(digest)] { return clients_.blobDamaged(digest); },
          .ifUndone = IfUndone::RepeatedLater});
  }
  void importRecords(v1::ImportRecordsRequest request, Callback<v1::ImportRecordsResponse> done) override {
    post({.apply = [this, request = std::move(request), done] { return clients_.importRecords(request, done); },
          .undone = done});
  }
  void watch(const std::string &job, std::shared_ptr<JobWatcher> watcher) override {
    post({.apply = [this, job, watcher = std::move(watcher)] { return clients_.watch(job, watcher); },
          .ifUndone = IfUndone::RepeatedNow});
  }
  void unwatch(const std::string &job, const JobWatcher *watcher) override {
    post({.apply =
              [this, job, watcher] {
                state_.watchers.remove(job, watcher);
                return absl::OkStatus();
              },
          .ifUndone = IfUndone::RepeatedNow});
  }

  // ------------------------------------------------------------------------------------------------------ workers
  SessionId attach(v1::Hello hello, std::string peer, std::shared_ptr<WorkerLink> link) override {
    auto arrival = std::make_shared<Workers::Arrival>();
    arrival->id = ++lastSession_;
    arrival->hello = std::move(hello);
    arrival->peer = std::move(peer);
    arrival->link = std::move(link);
    const SessionId id = arrival->id;
    post({.apply = [this, arrival] { return workers_.attach(arrival); }, .ifUndone = IfUndone::RepeatedLater});
    return id;
  }
  void receive(SessionId session, v1::WorkerMessage message) override {
    // A result stays with us until it is durable: the worker sends it only once in a connection.
    const bool isKept = message.has_result() || message.has_items() || message.has_goodbye();
    post({.apply = [this, session, message = std::move(message)] { return workers_.receive(session, message); },
          .ifUndone = isKept ? IfUndone::RepeatedLater : IfUndone::Answered});
  }
  void detach(SessionId session) override {
    post({.apply = [this, session] { return workers_.detach(session, ""); }, .ifUndone = IfUndone::RepeatedNow});
  }
  void listWorkers(v1::ListWorkersRequest request, Callback<v1::ListWorkersResponse> done) override {
    post({.apply = [this, request = std::move(request), done] { return workers_.list(request, done); },
          .undone = done,
          .ifUndone = IfUndone::RepeatedNow});
  }
  void drainWorker(v1::DrainRequest request, Callback<v1::Worker> done) override {
    post({.apply = [this, request = std::move(request), done] { return workers_.drain(request, done); },
          .undone = done});
  }

  // ------------------------------------------------------------------------------------------------------- itself
  void drain(std::function<void()> idle) override {
    post({.apply =
              [this, idle = std::move(idle)] {
                state_.isDraining = true;
                state_.group->after([this, idle] { whenIdle_.push_back(idle); });
                return absl::OkStatus();
              },
          .ifUndone = IfUndone::RepeatedNow});
  }
  void tick() override {
    post({.apply = [this] {
      timekeeper_.hurry();
      return absl::OkStatus();
    }});
  }
  EngineState state() const override {
    const MutexLock lock(mutex_);
    return published_;
  }

 private:
  void post(Command command) {
    {
      const MutexLock lock(mutex_);
      if (commands_.size() < kMostCommands || !command.undone) {
        commands_.push_back(std::move(command));
        if (wakeAt_ > 0 && commands_.size() >= wakeAt_) wake_.notifyOne();
        return;
      }
    }
    command.undone(tooBusy());
  }

  void loop();
  std::deque<Command> take();
  /// Waits for \p enough commands, at \p most that long.
  void await(size_t enough, absl::Duration most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void runGroup(std::deque<Command> commands);
  absl::Status decide(std::deque<Command> &commands, size_t &applied);
  void finishGroup(absl::Duration began);
  /// Leaves in \p applied what can be applied again at once.
  void undo(const absl::Status &status, std::deque<Command> &applied);
  void publish(const absl::Status &lastCommit);
  void tellIdle();

  Background checks_, files_;
  State state_;
  Transitions transitions_;
  KeptResults kept_;
  Retention retention_;
  Scheduler scheduler_;
  Clients clients_;
  Workers workers_;
  Timekeeper timekeeper_;
  std::vector<std::function<void()>> whenIdle_;
  bool isMirrorTrue_ = true;  // false: it holds what was undone, and reading the store failed
  bool hasMore_ = false;      // to be done without waiting
  size_t crowd_ = 0;          // commands of the last group
  absl::Duration lastCommit_ = -absl::InfiniteDuration();
  absl::Duration pausedUntil_ = -absl::InfiniteDuration();
  bool isPaused_ = false;         // in this group
  std::deque<Command> repeated_;  // of groups that were undone
  std::atomic<SessionId> lastSession_{0};

  mutable Mutex mutex_;
  Condition wake_;
  std::deque<Command> commands_ ABSL_GUARDED_BY(mutex_);
  size_t wakeAt_ ABSL_GUARDED_BY(mutex_) = 0;  // the thread waits for that many commands; 0: it does not wait
  bool isStopping_ ABSL_GUARDED_BY(mutex_) = false;
  EngineState published_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

void EngineThread::loop() {
  while (true) {
    std::deque<Command> commands = take();
    {
      const MutexLock lock(mutex_);
      if (isStopping_ && commands.empty() && commands_.empty()) return;
    }
    runGroup(std::move(commands));
  }
}

void EngineThread::await(size_t enough, absl::Duration most) {
  const auto end = std::chrono::steady_clock::now() + absl::ToChronoMicroseconds(most);
  wakeAt_ = enough;
  while (!isStopping_ && commands_.size() < enough && wake_.waitUntil(mutex_, end)) continue;
  wakeAt_ = 0;
}

std::deque<Command> EngineThread::take() {
  std::deque<Command> taken;
  const MutexLock lock(mutex_);
  const absl::Duration now = state_.parts.clock->monotonic();
  isPaused_ = now < pausedUntil_;
  if (!hasMore_ || isPaused_) {
    const absl::Duration due = isPaused_ ? pausedUntil_ : timekeeper_.next();
    await(1, std::clamp(due - now, absl::Milliseconds(1), kLongestWait));
  }
  const absl::Duration sinceCommit = state_.parts.clock->monotonic() - lastCommit_;
  const absl::Duration window = state_.policy.joinWindow;
  const bool isCrowded = crowd_ > 1 || commands_.size() > 1;
  if (isCrowded && !hasMore_ && !commands_.empty() && sinceCommit >= absl::ZeroDuration() && sinceCommit < window) {
    await(kCommandsPerGroup, window - sinceCommit);
  }
  // What the pause held up goes before what has become due in it: a result that came in time counts.
  isPaused_ = state_.parts.clock->monotonic() < pausedUntil_;
  if (!isPaused_ && !isStopping_) taken.swap(repeated_);
  while (!commands_.empty() && taken.size() < kCommandsPerGroup) {
    taken.push_back(std::move(commands_.front()));
    commands_.pop_front();
  }
  crowd_ = taken.size();
  return taken;
}

void EngineThread::runGroup(std::deque<Command> commands) {
  while (true) {
    state_.readClocks();
    state_.group.emplace(state_.parts.store);
    size_t applied = 0;
    absl::Status status = decide(commands, applied);
    const absl::Duration began = state_.parts.clock->monotonic();
    if (status.ok()) status = state_.group->commit();
    if (status.ok()) {
      finishGroup(began);
      return;
    }
    std::deque<Command> undone;
    for (; applied > 0; --applied) {
      undone.push_back(std::move(commands.front()));
      commands.pop_front();
    }
    undo(status, undone);
    // Next: those that can go on at once, and those that had not been applied yet.
    commands.insert(commands.begin(), std::move_iterator(undone.begin()), std::move_iterator(undone.end()));
    if (commands.empty()) return;
  }
}

absl::Status EngineThread::decide(std::deque<Command> &commands, size_t &applied) {
  if (!isMirrorTrue_) {
    applied = commands.size();
    if (absl::Status status = transitions_.rebuild(); !status.ok()) return status;
    isMirrorTrue_ = true;
    applied = 0;
  }
  for (const Command &command : commands) {
    ++applied;
    if (absl::Status status = command.apply(); !status.ok()) return status;
  }
  hasMore_ = false;
  if (isPaused_) return absl::OkStatus();
  const absl::StatusOr<bool> moreDue = timekeeper_.pass();
  if (!moreDue.ok()) return moreDue.status();
  const absl::StatusOr<bool> moreToGrant = scheduler_.schedule(kLeasesPerGroup);
  if (!moreToGrant.ok()) return moreToGrant.status();
  hasMore_ = *moreDue || *moreToGrant;
  return absl::OkStatus();
}

void EngineThread::finishGroup(absl::Duration began) {
  Group group = std::move(*state_.group);
  state_.fleet.keepSetbacks();
  if (group.changes() > 0) {
    lastCommit_ = state_.parts.clock->monotonic();
    state_.parts.observer->committed(lastCommit_ - began, group.changes());
    state_.parts.failpoints->pass("engine.reply.before");
    publish(absl::OkStatus());
  } else {
    publish(state().lastCommit);
  }
  group.say();
  for (const std::string &job : group.touched()) {
    state_.watchers.tell(job, [](JobWatcher &watcher) { watcher.changed(); });
    if (state_.jobs.find(job) == nullptr) state_.watchers.forget(job);
  }
  tellIdle();
}

void EngineThread::undo(const absl::Status &status, std::deque<Command> &applied) {
  state_.group->rollback();
  state_.group.reset();
  state_.parts.observer->commitFailed();
  state_.readClocks();
  pausedUntil_ = state_.now + kPause;
  isPaused_ = true;
  hasMore_ = false;
  isMirrorTrue_ = transitions_.rebuild().ok();  // else with the next group
  publish(status);
  const absl::Status answer = notDurable(status);
  std::deque<Command> now;
  for (Command &command : applied) {
    if (command.ifUndone == IfUndone::RepeatedNow && isMirrorTrue_) {
      now.push_back(std::move(command));
    } else if (command.undone) {
      command.undone(answer);
    } else if (command.ifUndone != IfUndone::Answered) {
      repeated_.push_back(std::move(command));
    }
  }
  applied.swap(now);
}

void EngineThread::publish(const absl::Status &lastCommit) {
  const MutexLock lock(mutex_);
  published_.leased = state_.leases.size();
  published_.pending = state_.tasks.size() - published_.leased;
  published_.sessions = state_.fleet.size();
  published_.isDraining = state_.isDraining;
  published_.lastCommit = lastCommit;
}

void EngineThread::tellIdle() {
  if (whenIdle_.empty() || state_.leases.size() > 0) return;
  for (const std::function<void()> &idle : std::exchange(whenIdle_, {})) idle();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::start(Parts parts, Policy policy) {
  auto engine = std::make_unique<EngineThread>(parts, policy);
  if (absl::Status status = engine->begin(); !status.ok()) return status;
  return engine;
}

}  // namespace hone::server
