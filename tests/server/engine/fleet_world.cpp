#include "tests/server/engine/fleet_world.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "server/store/maintenance.h"
#include "tests/server/all_attempts.h"

namespace hone::server::testing {
namespace {

using model::Event;
using model::Events;
using model::JobState;
using model::Place;
using Kind = Event::Kind;
using Texts = std::vector<std::string>;

v1::JobState stateOf(JobState state) {
  switch (state) {
    case JobState::Pending:
      return v1::JOB_PENDING;
    case JobState::Running:
      return v1::JOB_RUNNING;
    case JobState::Succeeded:
      return v1::JOB_SUCCEEDED;
    case JobState::Failed:
      return v1::JOB_FAILED;
    case JobState::Cancelled:
      return v1::JOB_CANCELLED;
  }
  return v1::JOB_STATE_UNSPECIFIED;
}

}  // namespace

const Texts &fleetNames() {
  static const Texts names{"w1", "w2", "w3"};
  return names;
}

Policy policyOf(const model::Rules &rules) {
  return {.silence = absl::Milliseconds(rules.silence),
          .lease = absl::Milliseconds(rules.lease),
          .maxJob = absl::Milliseconds(rules.maxJob),
          .maxWork = absl::Milliseconds(rules.maxWork),
          .maxAttempts = rules.maxAttempts,
          .strikesToQuarantine = rules.strikesToQuarantine,
          .keepJobs = absl::Milliseconds(rules.keepJobs),
          .blobGrace = absl::Hours(24 * 365 * 100),
          .keepCache = absl::Hours(24 * 365 * 100),
          .joinWindow = absl::ZeroDuration()};
}

World::World() {
  for (const std::string &name : fleetNames()) {
    auto player = std::make_unique<TestWorker>(bench_, name);
    player->hello.set_api_version(2);
    for (const char *known : {"compile", "probe"}) {
      v1::KindVersion &kind = *player->hello.add_kinds();
      kind.set_kind(known);
      kind.set_version(1);
    }
    players_[name] = std::move(player);
  }
  artifact_ = bench_.blob("artifact", "");
}

bool World::perform(const Events &events) {
  for (Event event : events) {
    perform(std::move(event));
    if (::testing::Test::HasFailure()) return false;
  }
  return true;
}

void World::fsck() {
  const auto report = server::fsck(bench_.folder());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->isWhole()) << absl::StrJoin(report->findings, "\n");
}

bool World::submit(Event &event) {
  if (!event.job.empty()) {
    const auto again = bench_.trySubmit(requests_.at(event.job), model_.jobs.at(event.job).user);
    if (again.ok()) {
      EXPECT_EQ(again->id(), event.job);
    }
    return again.ok();
  }
  model::Job &job = event.submitted;
  v1::JobSpec spec;
  if (job.work.empty()) {
    spec.mutable_probe()->set_tasks(static_cast<int32_t>(job.tasks.size()));
    spec.mutable_probe()->set_rounds(1);
    spec.mutable_probe()->set_items(job.items);
  } else {
    spec = bench_.compileSpec(job.work);
    spec.mutable_compile()->set_skip_cache(job.isFresh);
  }
  v1::SubmitRequest request = bench_.request(spec);
  request.set_priority(job.priority);
  request.set_deadline_seconds(static_cast<uint32_t>(job.deadline / model::kSecond));
  if (event.isUndone) faults_.commitsUntilFailure = 0;
  const auto submitted = bench_.trySubmit(request, job.user);
  job.id = submitted.ok() ? submitted->id() : "undone";
  job.number = model::kUnseen;
  for (model::Task &task : job.tasks) task.id = model::kUnseen;
  if (!submitted.ok()) return false;
  requests_[job.id] = request;
  const auto unfinished = bench_.store().unfinished();
  for (const JobRow &row : unfinished->jobs) {
    if (row.id == job.id) job.number = row.number;
  }
  size_t at = 0;
  for (const Task &task : unfinished->tasks) {
    if (task.job == job.number && at < job.tasks.size()) job.tasks[at++].id = task.id;
  }
  return true;
}

void World::heartbeat(const Event &event, const std::vector<v1::Lease> &leases) {
  if (!event.worker.empty()) return players_.at(event.worker)->heartbeat(leases);
  for (const auto &[name, worker] : model_.workers) {
    if (!worker.isAttached) continue;
    std::vector<v1::Lease> held;
    for (const model::Name &lease : model_.heldBy(name)) {
      if (std::ranges::count(event.leases, lease) > 0) continue;
      held.emplace_back().set_task(lease.first);
      held.back().set_epoch(lease.second);
    }
    players_.at(name)->heartbeat(held);
  }
}

void World::sendItems(const Event &event, const v1::Lease &lease) {
  v1::WorkerMessage message;
  message.mutable_items()->set_task(lease.task());
  message.mutable_items()->set_epoch(lease.epoch());
  for (const int item : event.items) message.mutable_items()->add_items()->set_item(item);
  bench_.engine().receive(players_.at(event.worker)->session(), message);
}

void World::sendResult(const Event &event, const v1::Lease &lease) {
  const bool isDone = event.outcome == Event::Outcome::Done || event.outcome == Event::Outcome::Lacking;
  v1::LeaseResult result = server::testing::resultOf(lease, isDone ? v1::Result::DONE : v1::Result::DEFECT);
  result.mutable_result()->set_sentence("a test says so");
  result.set_is_workers_fault(event.outcome == Event::Outcome::WorkersFault);
  if (event.outcome == Event::Outcome::Done) *result.mutable_artifact() = artifact_;
  players_.at(event.worker)->send(result);
}

bool World::act(Event &event) {
  if (event.kind == Kind::Submit) return submit(event);
  if (event.isUndone) faults_.commitsUntilFailure = 0;
  TestWorker *player = event.worker.empty() ? nullptr : players_.at(event.worker).get();
  std::vector<v1::Lease> leases;
  for (const auto &[task, epoch] : event.leases) {
    leases.emplace_back().set_task(task);
    leases.back().set_epoch(epoch);
  }
  switch (event.kind) {
    case Kind::Submit:
      break;
    case Kind::Cancel:
      return bench_.cancel(event.job).ok();
    case Kind::Attach:
      for (const v1::Lease &lease : leases) player->hold(lease);
      player->attach();
      break;
    case Kind::Detach:
      player->detach();
      break;
    case Kind::Goodbye:
      player->goodbye();
      break;
    case Kind::Heartbeat:
      heartbeat(event, leases);
      break;
    case Kind::Progress:
      player->progress(leases.front(), "on its way");
      break;
    case Kind::Items:
      sendItems(event, leases.front());
      break;
    case Kind::Result:
      sendResult(event, leases.front());
      break;
    case Kind::Drain:
    case Kind::Undrain:
      return bench_.drainWorker(event.worker, event.kind == Kind::Undrain).ok();
    case Kind::Advance:
      bench_.advance(absl::Milliseconds(event.millis));
      break;
    case Kind::Restart:
      bench_.restart();
      break;
  }
  return true;
}

void World::perform(Event event) {
  event.isUndone = event.isUndone && model_.mayBeUndone();
  const bool isOk = act(event);
  bench_.settle();
  faults_.commitsUntilFailure = -1;
  model::Model::Seen seen;
  std::map<std::string, Texts> heard;
  for (const auto &[name, player] : players_) {
    auto [leases, words] = player->take();
    for (const v1::Lease &lease : leases) seen.emplace_back(model::Name{lease.task(), lease.epoch()}, name);
    heard[name] = std::move(words);
  }
  const bool isAnswered = event.kind == Kind::Submit || event.kind == Kind::Cancel || event.kind == Kind::Drain ||
                          event.kind == Kind::Undrain;
  model_.apply(event, &seen);
  EXPECT_EQ(absl::StrJoin(model_.errors, "\n"), "");
  if (isAnswered) {
    EXPECT_EQ(isOk, model_.answersOk);
  }
  compare(heard);
}

void World::compare(const std::map<std::string, Texts> &heard) {
  for (const std::string &name : fleetNames()) {
    Texts told = heard.at(name), said = model_.said[name];
    for (std::string &text : told) {
      if (absl::StartsWith(text, "farewell")) text = "farewell";
    }
    std::ranges::sort(told);
    std::ranges::sort(said);
    EXPECT_EQ(absl::StrJoin(told, ", "), absl::StrJoin(said, ", ")) << name;
    if (model_.closed.contains(name)) {
      EXPECT_TRUE(players_[name]->isClosed());
    }
  }
  for (const auto &[id, job] : model_.jobs) {
    if (!over_.contains(id)) compareJob(job);
    if (job.isOver()) over_.insert(id);
  }
  for (auto at = over_.begin(); at != over_.end();) {
    const bool isKept = model_.jobs.contains(*at);
    if (!isKept) {
      EXPECT_TRUE(absl::IsNotFound(bench_.store().job(*at).status())) << *at << " is too old";
    }
    at = isKept ? std::next(at) : over_.erase(at);
  }
  compareTasks();
  compareWorkers();
}

void World::compareJob(const model::Job &job) {
  const auto isAsSaid = [&] { return bench_.job(job.id).state() == stateOf(job.state); };
  if (job.isFromCache) {
    EXPECT_TRUE(eventually(isAsSaid)) << "the kept result is looked at";
  }
  const v1::Job stored = bench_.job(job.id);
  EXPECT_EQ(v1::JobState_Name(stored.state()), v1::JobState_Name(stateOf(job.state))) << job.id;
  EXPECT_EQ(stored.result().from_cache(), job.isFromCache) << job.id;
  Texts expected, ends;
  for (const model::Attempt &attempt : job.attempts) {
    expected.push_back(
        absl::StrCat(attempt.lease.first, ".", attempt.lease.second, " ", attempt.worker, " ", attempt.end));
  }
  const auto attempts = allAttempts(bench_.store(), job.id);
  for (const v1::Attempt &attempt : *attempts) {
    ends.push_back(absl::StrCat(attempt.task(), ".", attempt.epoch(), " ", attempt.worker(), " ", attempt.end()));
  }
  std::ranges::sort(expected);
  std::ranges::sort(ends);
  EXPECT_EQ(absl::StrJoin(ends, ", "), absl::StrJoin(expected, ", ")) << job.id;
  EXPECT_EQ(stored.attempts(), static_cast<int32_t>(job.attempts.size())) << job.id;
  if (job.isOver()) return;
  // Answered before compareWorkers() is.
  bench_.engine().queuePosition(job.id, [id = job.id, expected = model_.position(job)](const auto &position) {
    EXPECT_EQ(position.value_or(-1), expected) << id;
  });
}

void World::compareTasks() {
  Texts expected, stored;
  for (const auto &[id, job] : model_.jobs) {
    for (const model::Task &task : job.tasks) {
      if (task.place == Place::Ended) continue;
      const bool isLeased = task.place == Place::Leased;
      expected.push_back(absl::StrCat(id, " ", task.id, " ", task.attempts, isLeased ? " leased by " : "",
                                      isLeased ? task.worker : "", isLeased ? " as " : "", isLeased ? task.epoch : 0));
    }
  }
  const auto unfinished = bench_.store().unfinished();
  std::map<int64_t, std::string> ids;
  for (const JobRow &row : unfinished->jobs) ids[row.number] = row.id;
  for (const Task &task : unfinished->tasks) {
    stored.push_back(absl::StrCat(ids[task.job], " ", task.id, " ", task.attempts, task.isLeased ? " leased by " : "",
                                  task.isLeased ? task.worker : "", task.isLeased ? " as " : "",
                                  task.isLeased ? task.epoch : 0));
  }
  std::ranges::sort(expected);
  std::ranges::sort(stored);
  EXPECT_EQ(absl::StrJoin(stored, "\n"), absl::StrJoin(expected, "\n"));
  const EngineState state = bench_.engine().state();
  EXPECT_EQ(state.pending + state.leased, static_cast<int64_t>(expected.size()));
}

void World::compareWorkers() {
  Texts expected, told, stored, kept;
  const v1::ListWorkersResponse listed = bench_.list();
  for (const v1::Worker &worker : listed.workers()) {
    told.push_back(absl::StrCat(worker.name(), " ", v1::WorkerState_Name(worker.state()), " ",
                                worker.held_back_seconds(), " ", worker.holdings_size()));
  }
  int free = 0, attached = 0;
  for (const auto &[name, worker] : model_.workers) {
    attached += worker.isAttached ? 1 : 0;
    free += model_.mayWork(worker) && model_.heldBy(name).empty() ? 1 : 0;
    if (!worker.isKnown) continue;
    const bool isHeldBack = worker.heldUntil && worker.isAttached && !worker.isQuarantined;
    const v1::WorkerState state = !worker.isAttached                      ? v1::WORKER_GONE
                                  : worker.isQuarantined                  ? v1::WORKER_QUARANTINED
                                  : isHeldBack                            ? v1::WORKER_HELD_BACK
                                  : worker.isDraining || worker.isLeaving ? v1::WORKER_DRAINING
                                                                          : v1::WORKER_READY;
    const double left = isHeldBack ? static_cast<double>(*worker.heldUntil - model_.now) / model::kSecond : 0;
    expected.push_back(
        absl::StrCat(name, " ", v1::WorkerState_Name(state), " ", left, " ", model_.heldBy(name).size()));
    kept.push_back(absl::StrCat(name, " ", worker.strikes, worker.isQuarantined ? " quarantined" : "",
                                worker.isDraining ? " draining" : ""));
  }
  EXPECT_EQ(absl::StrJoin(told, "\n"), absl::StrJoin(expected, "\n"));
  const auto rows = bench_.store().workers();
  for (const WorkerRow &row : *rows) {
    stored.push_back(absl::StrCat(row.name, " ", row.strikes, row.isQuarantined ? " quarantined" : "",
                                  row.isDraining ? " draining" : ""));
  }
  EXPECT_EQ(absl::StrJoin(stored, "\n"), absl::StrJoin(kept, "\n"));
  for (const v1::KeyQueue &queue : listed.queues()) {
    EXPECT_EQ(queue.pending(), model_.queued());
    EXPECT_EQ(queue.free(), free);
    EXPECT_EQ(queue.total(), attached);
  }
}

}  // namespace hone::server::testing
