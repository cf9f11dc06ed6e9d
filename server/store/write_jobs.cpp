#include "server/store/write_jobs.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace hone::server::sqlite {

// --------------------------------------------------------------------------------------------------------------- begin

absl::StatusOr<Store::PutJob> JobWriter::putJob(const NewJob &job, int64_t nowMicros) {
  if (job.request.request_id().empty()) return absl::InvalidArgumentError("the request has no request id");
  if (job.tasks.empty()) return absl::InvalidArgumentError("the job has no task");
  Store::PutJob put;
  int64_t number = 0;
  {
    Use use(findRequest_, job.user, job.request.request_id());
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (*found) number = use.integer(0);
  }
  if (number == 0) {
    if (absl::Status status = insert(job, nowMicros, put); !status.ok()) return status;
    number = put.row->number;
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

absl::Status JobWriter::insert(const NewJob &job, int64_t nowMicros, Store::PutJob &put) {
  {
    Use use(findId_, job.id);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (*found) return absl::AlreadyExistsError(absl::StrCat("there is a job '", job.id, "' already"));
  }
  const v1::SubmitRequest &request = job.request;
  absl::Status status = Use(insertJob_, job.id, job.user, request.request_id(), request.priority(), request.label(),
                            nowMicros, job.kind, job.deadlineMicros, Bytes{job.memo}, job.tasks.size())
                            .run();
  if (!status.ok()) return status;
  const int64_t number = connection_->lastRowId();
  const std::string message = request.SerializeAsString();
  if (status = Use(insertRequest_, number, Bytes{message}).run(); !status.ok()) return status;
  absl::StatusOr<std::vector<Task>> tasks = insertTasks(number, job.tasks, 0, nowMicros);
  if (!tasks.ok()) return tasks.status();
  put.tasks = *std::move(tasks);
  put.row = JobRow{.number = number,
                   .id = job.id,
                   .user = job.user,
                   .kind = job.kind,
                   .priority = request.priority(),
                   .submittedMicros = nowMicros,
                   .deadlineMicros = job.deadlineMicros,
                   .tasks = static_cast<int64_t>(job.tasks.size())};
  const Change change{v1::JOB_STATE_UNSPECIFIED, v1::JOB_PENDING, absl::StrCat("user:", job.user), "submitted"};
  if (status = events_->put(number, 1, change, nowMicros); !status.ok()) return status;
  return putReferences(number, job.inputs, "input");
}

absl::StatusOr<std::vector<Task>> JobWriter::insertTasks(int64_t job, const std::vector<NewTask> &tasks, int64_t cause,
                                                         int64_t nowMicros) {
  std::vector<Task> put;
  for (const NewTask &task : tasks) {
    const std::string spec = task.spec ? task.spec->SerializeAsString() : std::string();
    if (task.spec && spec.empty()) return absl::InvalidArgumentError("a task's specification is empty");
    absl::Status status =
        Use(insertTask_, job, task.key, task.cacheKey, task.kind, Bytes{spec}, task.items, cause, nowMicros).run();
    if (!status.ok()) return status;
    Task &row = put.emplace_back();
    row.id = connection_->lastRowId();
    row.job = job;
    row.kind = task.kind;
    row.key = task.key;
    row.cacheKey = task.cacheKey;
    row.items = task.items;
    row.createdMicros = nowMicros;
  }
  return put;
}

absl::Status JobWriter::putReferences(int64_t job, const std::vector<v1::Digest> &digests, const char *role) {
  for (const v1::Digest &digest : digests) {
    if (absl::Status status = Use(insertReference_, job, digest.sha256(), role).run(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// --------------------------------------------------------------------------------------------------------- going on,
// end

absl::StatusOr<std::vector<Task>> JobWriter::advanceJob(int64_t job, const std::string &memo,
                                                        const std::vector<NewTask> &tasks, int64_t cause,
                                                        const std::vector<v1::Digest> &scratch, int64_t nowMicros) {
  if (absl::Status status = Use(advance_, Bytes{memo}, tasks.size(), job).run(); !status.ok()) return status;
  if (absl::Status status = putReferences(job, scratch, "scratch"); !status.ok()) return status;
  return insertTasks(job, tasks, cause, nowMicros);
}

absl::Status JobWriter::endTasks(int64_t job, v1::JobState state, int64_t nowMicros) {
  std::vector<std::pair<int64_t, int64_t>> leased;
  {
    Use use(unfinished_, job);
    for (;;) {
      absl::StatusOr<bool> more = use.row();
      if (!more.ok()) return more.status();
      if (!*more) break;
      leased.emplace_back(use.integer(0), use.integer(1));
    }
  }
  const AttemptEnd end = state == v1::JOB_FAILED ? AttemptEnd::Expired : AttemptEnd::Cancelled;
  for (const auto &[task, epoch] : leased) {
    if (absl::Status status = tasks_->endAttempt(task, epoch, end, "", nowMicros); !status.ok()) return status;
  }
  return Use(endTasks_, state == v1::JOB_FAILED ? "failed" : "cancelled", job).run();
}

absl::Status JobWriter::releaseScratch(int64_t job) {
  absl::Status status = Use(ageScratch_, job).run();
  if (status.ok()) status = Use(releaseScratch_, job).run();
  return status;
}

absl::StatusOr<bool> JobWriter::endJob(int64_t job, v1::JobState state, const v1::JobResult &result,
                                       const std::string &actor, const std::string &detail, int64_t nowMicros) {
  if (!isFinal(state)) return absl::InvalidArgumentError("a job ends in a final state");
  Change change{v1::JOB_STATE_UNSPECIFIED, state, actor, detail};
  {
    Use use(readState_, job);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok() || !*found) return found;
    change.from = stateOf(use.view(0));
  }
  if (isFinal(change.from)) return false;
  if (absl::Status status = endTasks(job, state, nowMicros); !status.ok()) return status;
  {
    const std::string message = result.SerializeAsString();
    Use use(endJob_, stateName(state), nowMicros, Bytes{message}, job);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (absl::Status status = events_->put(job, use.integer(0), change, nowMicros); !status.ok()) return status;
  }
  if (absl::Status status = putReferences(job, blobsOf(result), "result"); !status.ok()) return status;
  if (absl::Status status = releaseScratch(job); !status.ok()) return status;
  return true;
}

absl::StatusOr<int64_t> JobWriter::removeEndedJobs(int64_t beforeMicros, int64_t most) {
  if (absl::Status status = Use(removeJobs_, beforeMicros, most).run(); !status.ok()) return status;
  return connection_->changes();
}

}  // namespace hone::server::sqlite
