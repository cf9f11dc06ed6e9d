#include "server/store/write_tasks.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace hone::server::sqlite {
namespace {

v1::TaskEvent taskEvent(int64_t task, const std::string &kind, int32_t items, v1::TaskEvent::What what) {
  v1::TaskEvent event;
  event.set_task(task);
  event.set_kind(kind);
  event.set_what(what);
  event.set_items(items);
  return event;
}

absl::Status damaged() {
  return absl::DataLossError("a task in the database has no job: look at it with 'hone-server fsck'");
}

}  // namespace

absl::Status TaskWriter::begin() {
  Use use(readSequence_);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return absl::DataLossError("the database has no counter of grants: look at it with 'hone-server fsck'");
  grantSequence_ = savedGrantSequence_ = use.integer(0);
  return absl::OkStatus();
}

absl::Status TaskWriter::beforeCommit() {
  if (grantSequence_ == savedGrantSequence_) return absl::OkStatus();
  return Use(saveSequence_, grantSequence_).run();
}

TaskWriter::Place TaskWriter::placeOf(const Use &use) {
  return {.job = use.integer(0),
          .worker = use.text(1),
          .kind = use.text(2),
          .items = static_cast<int32_t>(use.integer(3)),
          .isTheJob = use.boolean(4)};
}

absl::StatusOr<v1::JobState> TaskWriter::stateOfJob(int64_t job) {
  Use use(readState_, job);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return damaged();
  return stateOf(use.view(0));
}

absl::StatusOr<v1::TaskSpec> TaskWriter::specOf(int64_t job, std::string_view own) {
  v1::TaskSpec spec;
  if (!own.empty()) {
    if (absl::Status status = parse(own, spec); !status.ok()) return status;
    return spec;
  }
  Use use(readRequest_, job);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return damaged();
  v1::SubmitRequest request;
  if (absl::Status status = parse(use.view(0), request); !status.ok()) return status;
  if (absl::Status status = parse(request.spec().SerializeAsString(), spec); !status.ok()) return status;
  return spec;
}

// -------------------------------------------------------------------------------------------------------------- leases

absl::StatusOr<Grant> TaskWriter::claim(int64_t task, const std::string &worker, int64_t nowMicros) {
  Grant grant;
  Place place;
  int64_t attempts = 0;
  {
    Use use(claimTask_, worker, grantSequence_ + 1, task);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return absl::NotFoundError(absl::StrCat("task ", task, " is not pending"));
    place = placeOf(use);
    grant.epoch = use.integer(5);
    attempts = use.integer(6);
    absl::StatusOr<v1::TaskSpec> spec = specOf(place.job, use.view(7));
    if (!spec.ok()) return spec.status();
    grant.spec = *std::move(spec);
  }
  ++grantSequence_;
  const absl::StatusOr<v1::JobState> from = stateOfJob(place.job);
  if (!from.ok()) return from.status();
  Change change{*from, v1::JOB_RUNNING, absl::StrCat("worker:", worker), absl::StrCat("leased, attempt ", attempts)};
  if (!place.isTheJob) change.task = taskEvent(task, place.kind, place.items, v1::TaskEvent::LEASED);
  {
    Use use(startJob_, nowMicros, worker, place.job);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (absl::Status status = events_->put(place.job, use.integer(0), change, nowMicros); !status.ok()) return status;
  }
  absl::Status status = Use(insertAttempt_, task, grant.epoch, worker, nowMicros).run();
  if (!status.ok()) return status;
  if (place.items == 0) return grant;
  Use use(readItems_, task);
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) return grant;
    grant.endedItems.push_back(static_cast<int32_t>(use.integer(0)));
  }
}

absl::StatusOr<bool> TaskWriter::requeue(int64_t task, int64_t epoch, AttemptEnd end, const std::string &detail,
                                         int64_t nowMicros) {
  Place place;
  {
    Use use(endLease_, "pending", Bytes{}, task, epoch);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return false;
    place = placeOf(use);
  }
  if (absl::Status status = endAttempt(task, epoch, end, "", nowMicros); !status.ok()) return status;
  Change change{v1::JOB_RUNNING, v1::JOB_PENDING, "server", detail};
  if (end == AttemptEnd::Returned) change.actor = absl::StrCat("worker:", place.worker);
  if (!place.isTheJob) change.task = taskEvent(task, place.kind, place.items, v1::TaskEvent::CAME_BACK);
  Use use(requeueJob_, place.job);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return damaged();
  change.to = stateOf(use.view(1));
  if (absl::Status status = events_->put(place.job, use.integer(0), change, nowMicros); !status.ok()) return status;
  return true;
}

absl::Status TaskWriter::endAttempt(int64_t task, int64_t epoch, AttemptEnd end, const std::string &log,
                                    int64_t nowMicros) {
  return Use(endAttempt_, nowMicros, nameOf(end), log, task, epoch).run();
}

// --------------------------------------------------------------------------------------------------------------- items

absl::StatusOr<std::optional<Store::PutItems>> TaskWriter::putItems(int64_t task, int64_t epoch,
                                                                    const std::vector<v1::ItemResult> &items,
                                                                    int64_t nowMicros) {
  Place place;
  {
    Use use(isLeased_, task, epoch);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return std::nullopt;
    place = placeOf(use);
  }
  const absl::StatusOr<int32_t> before = endedItems(task);
  if (!before.ok()) return before.status();
  Store::PutItems put{.ended = *before};
  for (const v1::ItemResult &item : items) {
    const std::string message = item.SerializeAsString();
    Use use(insertItem_, task, item.item(), Bytes{message});
    absl::StatusOr<bool> isNew = use.row();
    if (!isNew.ok()) return isNew.status();
    if (*isNew) ++put.ended;
  }
  // The end of all is told by that of the task.
  const auto quarters = [&](int64_t count) { return place.items == 0 ? 0 : 4 * count / place.items; };
  put.isTold = !place.isTheJob && put.ended < place.items && quarters(put.ended) > quarters(*before);
  if (put.isTold) {
    if (absl::Status status = itemsEnded(task, place, put.ended, nowMicros); !status.ok()) return status;
  }
  return put;
}

absl::Status TaskWriter::itemsEnded(int64_t task, const Place &place, int32_t ended, int64_t nowMicros) {
  Use use(tellOfJob_, place.job);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return damaged();
  const v1::JobState state = stateOf(use.view(1));
  Change change{state, state, absl::StrCat("worker:", place.worker),
                absl::StrCat(ended, " of ", place.items, " items have results"),
                taskEvent(task, place.kind, place.items, v1::TaskEvent::ITEMS)};
  change.task->set_ended_items(ended);
  return events_->put(place.job, use.integer(0), change, nowMicros);
}

absl::StatusOr<int32_t> TaskWriter::endedItems(int64_t task) {
  Use use(countItems_, task);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  return static_cast<int32_t>(use.integer(0));
}

// ---------------------------------------------------------------------------------------------------------------- ends

absl::StatusOr<bool> TaskWriter::completeTask(int64_t task, int64_t epoch, AttemptEnd end, const v1::TaskResult &result,
                                              const std::string &log, int64_t nowMicros) {
  if (end != AttemptEnd::Done && end != AttemptEnd::Failed) {
    return absl::InvalidArgumentError(absl::StrCat("work is completed as done or failed, not as ", nameOf(end)));
  }
  Place place;
  {
    const std::string message = result.SerializeAsString();
    Use use(endLease_, end == AttemptEnd::Done ? "done" : "failed", Bytes{message}, task, epoch);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return false;
    place = placeOf(use);
  }
  if (absl::Status status = endAttempt(task, epoch, end, log, nowMicros); !status.ok()) return status;
  const std::string actor = absl::StrCat("worker:", place.worker);
  if (absl::Status status = taskEnded(task, place, actor, result, nowMicros); !status.ok()) return status;
  return true;
}

absl::StatusOr<bool> TaskWriter::endPending(int64_t task, const char *state, const std::string &actor,
                                            const v1::TaskResult &result, int64_t nowMicros) {
  Place place;
  {
    const std::string message = result.SerializeAsString();
    Use use(endPending_, state, Bytes{message}, task);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return false;
    place = placeOf(use);
  }
  if (absl::Status status = taskEnded(task, place, actor, result, nowMicros); !status.ok()) return status;
  return true;
}

absl::StatusOr<bool> TaskWriter::answerTask(int64_t task, const v1::TaskResult &result, int64_t nowMicros) {
  return endPending(task, "done", "server", result, nowMicros);
}

absl::StatusOr<bool> TaskWriter::failTask(int64_t task, const v1::TaskResult &result, int64_t nowMicros) {
  return endPending(task, "failed", "server", result, nowMicros);
}

absl::Status TaskWriter::taskEnded(int64_t task, const Place &place, const std::string &actor,
                                   const v1::TaskResult &result, int64_t nowMicros) {
  if (place.isTheJob) return absl::OkStatus();  // endJob() follows, and tells of both
  const absl::StatusOr<v1::JobState> from = stateOfJob(place.job);
  if (!from.ok()) return from.status();
  const bool isDone = result.result().outcome() == v1::Result::DONE;
  const Change change{*from, v1::JOB_RUNNING, actor, result.result().sentence(),
                      taskEvent(task, place.kind, place.items, isDone ? v1::TaskEvent::DONE : v1::TaskEvent::FAILED)};
  Use use(countEnded_, nowMicros, place.job);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return damaged();
  return events_->put(place.job, use.integer(0), change, nowMicros);
}

absl::StatusOr<DriverInput> TaskWriter::driverInput(int64_t task) {
  DriverInput input;
  int64_t job = 0;
  {
    Use use(readDriver_, task);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return damaged();
    job = use.integer(0);
    input.memo = use.text(1);
    absl::StatusOr<v1::TaskSpec> spec = specOf(job, use.view(2));
    if (!spec.ok()) return spec.status();
    input.task = *std::move(spec);
  }
  {
    Use use(readRequest_, job);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return damaged();
    v1::SubmitRequest request;
    if (absl::Status status = parse(use.view(0), request); !status.ok()) return status;
    input.job = std::move(*request.mutable_spec());
  }
  Use use(readItems_, task);
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) return input;
    if (absl::Status status = parse(use.view(1), input.items.emplace_back()); !status.ok()) return status;
  }
}

}  // namespace hone::server::sqlite
