#include "server/store/write_jobs.h"

#include "absl/strings/str_cat.h"

namespace hone::server::sqlite {

absl::Status JobWriter::begin() {
  Use use(readSequence_);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return absl::DataLossError("the database has no counter of grants: look at it with 'hone-server fsck'");
  grantSequence_ = savedGrantSequence_ = use.integer(0);
  return absl::OkStatus();
}

absl::Status JobWriter::beforeCommit() {
  if (grantSequence_ == savedGrantSequence_) return absl::OkStatus();
  return Use(saveSequence_, grantSequence_).run();
}

absl::StatusOr<Store::PutJob> JobWriter::putJob(const NewJob &job, int64_t nowMicros) {
  if (job.request.request_id().empty()) return absl::InvalidArgumentError("the request has no request id");
  Store::PutJob put;
  int64_t number = 0;
  {
    Use use(findRequest_, job.user, job.request.request_id());
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (*found) number = use.integer(0);
  }
  if (number == 0) {
    {
      Use use(findId_, job.id);
      absl::StatusOr<bool> found = use.row();
      if (!found.ok()) return found.status();
      if (*found) return absl::AlreadyExistsError(absl::StrCat("there is a job '", job.id, "' already"));
    }
    absl::StatusOr<Task> task = insert(job, nowMicros);
    if (!task.ok()) return task.status();
    put.task = *std::move(task);
    Use use(findRequest_, job.user, job.request.request_id());
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    number = use.integer(0);
  }
  absl::StatusOr<v1::Job> read = this->read(number);
  if (!read.ok()) return read.status();
  put.job = *std::move(read);
  return put;
}

absl::StatusOr<v1::Job> JobWriter::read(int64_t number) {
  Use use(readJob_, number);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return absl::DataLossError("a job in the database has no request: look at it with 'hone-server fsck'");
  return jobFromRow(use);
}

absl::StatusOr<Task> JobWriter::insert(const NewJob &job, int64_t nowMicros) {
  const v1::SubmitRequest &request = job.request;
  absl::Status status =
      Use(insertJob_, job.id, job.user, request.request_id(), request.priority(), request.label(), nowMicros).run();
  if (!status.ok()) return status;
  const int64_t number = connection_->lastRowId();
  const std::string message = request.SerializeAsString();
  if (status = Use(insertRequest_, number, Bytes{message}).run(); !status.ok()) return status;
  if (status = Use(insertTask_, number, job.key, job.cacheKey, job.deadlineMicros).run(); !status.ok()) return status;
  Task task;
  task.id = connection_->lastRowId();
  task.job = job.id;
  task.user = job.user;
  task.key = job.key;
  task.cacheKey = job.cacheKey;
  task.priority = request.priority();
  task.submittedMicros = nowMicros;
  task.deadlineMicros = job.deadlineMicros;
  const Change change{v1::JOB_STATE_UNSPECIFIED, v1::JOB_PENDING, absl::StrCat("user:", job.user), "submitted"};
  if (status = putEvent(number, 1, change, nowMicros); !status.ok()) return status;
  if (status = putReferences(number, inputsOf(request.spec()), "input"); !status.ok()) return status;
  return task;
}

absl::Status JobWriter::putEvent(int64_t job, int64_t sequence, const Change &change, int64_t nowMicros) {
  return Use(insertEvent_, job, sequence, nowMicros, stateName(change.from), stateName(change.to), change.actor,
             change.detail)
      .run();
}

absl::Status JobWriter::putReferences(int64_t job, const std::vector<v1::Digest> &digests, const char *role) {
  for (const v1::Digest &digest : digests) {
    if (absl::Status status = Use(insertReference_, job, digest.sha256(), role).run(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<Grant> JobWriter::claim(int64_t task, const std::string &worker, int64_t nowMicros) {
  Grant grant;
  int64_t job = 0;
  int64_t attempts = 0;
  {
    Use use(claimTask_, worker, grantSequence_ + 1, task);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return absl::NotFoundError(absl::StrCat("task ", task, " is not pending"));
    grant.epoch = use.integer(0);
    job = use.integer(1);
    attempts = use.integer(2);
  }
  ++grantSequence_;
  int64_t sequence = 0;
  {
    Use use(startJob_, nowMicros, attempts, worker, job);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    sequence = use.integer(0);
  }
  if (absl::Status status = Use(insertAttempt_, task, grant.epoch, worker, nowMicros).run(); !status.ok())
    return status;
  const Change change{v1::JOB_PENDING, v1::JOB_RUNNING, absl::StrCat("worker:", worker),
                      absl::StrCat("leased, attempt ", attempts)};
  if (absl::Status status = putEvent(job, sequence, change, nowMicros); !status.ok()) return status;
  Use use(readRequest_, job);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  v1::SubmitRequest request;
  if (absl::Status status = parse(use.view(0), request); !status.ok()) return status;
  grant.spec = std::move(*request.mutable_spec());
  return grant;
}

absl::Status JobWriter::endAttempt(int64_t task, int64_t epoch, AttemptEnd end, const std::string &log,
                                   int64_t nowMicros) {
  return Use(endAttempt_, nowMicros, endName(end), log, task, epoch).run();
}

absl::Status JobWriter::endJob(int64_t job, const Change &change, const v1::JobResult &result, int64_t nowMicros) {
  int64_t sequence = 0;
  {
    const std::string message = result.SerializeAsString();
    Use use(endJob_, stateName(change.to), nowMicros, Bytes{message}, job);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    sequence = use.integer(0);
  }
  if (absl::Status status = putEvent(job, sequence, change, nowMicros); !status.ok()) return status;
  return putReferences(job, blobsOf(result), "result");
}

absl::StatusOr<bool> JobWriter::complete(int64_t task, int64_t epoch, AttemptEnd end, const v1::JobResult &result,
                                         const std::string &log, const std::string &cacheKey, int64_t nowMicros) {
  if (end != AttemptEnd::Done && end != AttemptEnd::Failed) {
    return absl::InvalidArgumentError(absl::StrCat("work is completed as done or failed, not as ", endName(end)));
  }
  const bool isDone = result.result().outcome() == v1::Result::DONE;
  int64_t job = 0;
  Change change{v1::JOB_RUNNING, isDone ? v1::JOB_SUCCEEDED : v1::JOB_FAILED, "",
                isDone ? "done" : result.result().sentence()};
  {
    Use use(completeTask_, isDone ? "done" : "failed", task, epoch);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return false;
    job = use.integer(0);
    change.actor = absl::StrCat("worker:", use.text(1));
  }
  if (absl::Status status = endAttempt(task, epoch, end, log, nowMicros); !status.ok()) return status;
  if (absl::Status status = endJob(job, change, result, nowMicros); !status.ok()) return status;
  if (isDone && !cacheKey.empty()) {
    if (absl::Status status = putCacheEntry(cacheKey, result, nowMicros); !status.ok()) return status;
  }
  return true;
}

absl::Status JobWriter::putCacheEntry(const std::string &cacheKey, const v1::JobResult &result, int64_t nowMicros) {
  absl::Status status = Use(dropCache_, cacheKey).run();
  const std::string message = result.SerializeAsString();
  if (status.ok()) status = Use(insertCache_, cacheKey, Bytes{message}, nowMicros).run();
  for (const v1::Digest &digest : blobsOf(result)) {
    if (status.ok()) status = Use(insertCacheBlob_, cacheKey, digest.sha256()).run();
  }
  return status;
}

absl::StatusOr<bool> JobWriter::requeue(int64_t task, int64_t epoch, AttemptEnd end, const std::string &detail,
                                        int64_t nowMicros) {
  int64_t job = 0;
  Change change{v1::JOB_RUNNING, v1::JOB_PENDING, "server", detail};
  {
    Use use(completeTask_, "pending", task, epoch);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return false;
    job = use.integer(0);
    if (end == AttemptEnd::Returned) change.actor = absl::StrCat("worker:", use.text(1));
  }
  if (absl::Status status = endAttempt(task, epoch, end, "", nowMicros); !status.ok()) return status;
  int64_t sequence = 0;
  {
    Use use(requeueJob_, job);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    sequence = use.integer(0);
  }
  if (absl::Status status = putEvent(job, sequence, change, nowMicros); !status.ok()) return status;
  return true;
}

absl::StatusOr<bool> JobWriter::finish(int64_t task, v1::JobState state, const v1::JobResult &result,
                                       const std::string &actor, const std::string &detail, int64_t nowMicros) {
  if (!isFinal(state)) return absl::InvalidArgumentError("a task ends in a final state");
  std::string from;
  std::string cacheKey;
  int64_t epoch = 0;
  int64_t job = 0;
  {
    Use use(readTask_, task);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (!*found) return false;
    from = use.text(0);
    epoch = use.integer(1);
    job = use.integer(2);
    cacheKey = use.text(3);
  }
  const bool isLeased = from == "leased";
  if (!isLeased && from != "pending") return false;
  const char *to = state == v1::JOB_SUCCEEDED ? "done" : stateName(state);
  if (absl::Status status = Use(finishTask_, to, task, epoch, from).run(); !status.ok()) return status;
  if (connection_->changes() != 1) return false;
  if (isLeased) {
    const AttemptEnd end = state == v1::JOB_FAILED ? AttemptEnd::Expired : AttemptEnd::Cancelled;
    if (absl::Status status = endAttempt(task, epoch, end, "", nowMicros); !status.ok()) return status;
  }
  const Change change{isLeased ? v1::JOB_RUNNING : v1::JOB_PENDING, state, actor, detail};
  if (absl::Status status = endJob(job, change, result, nowMicros); !status.ok()) return status;
  if (state == v1::JOB_SUCCEEDED && !cacheKey.empty()) {
    if (absl::Status status = Use(useCache_, nowMicros, cacheKey).run(); !status.ok()) return status;
  }
  return true;
}

absl::StatusOr<int64_t> JobWriter::removeEndedJobs(int64_t beforeMicros, int64_t most) {
  if (absl::Status status = Use(removeJobs_, beforeMicros, most).run(); !status.ok()) return status;
  return connection_->changes();
}

}  // namespace hone::server::sqlite
