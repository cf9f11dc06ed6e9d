#include "server/engine/clients.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/error_detail.h"
#include "server/engine/new_tasks.h"
#include "server/kinds/specification.h"

namespace hone::server {
namespace {

constexpr int kMaxRecords = 1000;
constexpr int kGraceParts = 64;  // a use is written down to one of so many parts of the grace period

}  // namespace

// -------------------------------------------------------------------------------------------------------------- submit

absl::Status Clients::submit(const std::string &user, const v1::SubmitRequest &request, const Callback<v1::Job> &done) {
  const JobKind *kind = state_.parts.kinds->find(request.spec());
  if (kind == nullptr) {
    state_.answer<v1::Job>(done, absl::InvalidArgumentError("the job asks for no work that this coordinator knows"));
    return absl::OkStatus();
  }
  auto submission = std::make_shared<Submission>(
      Submission{user, request, kind, beginningOf(*state_.parts.kinds, *kind, request.spec()), done});
  if (const size_t tasks = submission->beginning.tasks.size(); tasks > kMostTasks) {
    state_.answer<v1::Job>(
        done, absl::InvalidArgumentError(absl::StrCat("the job begins with ", tasks, " tasks, and may have ",
                                                      kMostTasks, " at once; ask for less")));
    return absl::OkStatus();
  }
  if (absl::Status status = admit(*submission); !status.ok()) return refuse(*submission, status);
  const std::string key = submission->specificationKey();
  if (key.empty() || wantsFresh(key)) return put(*submission, std::nullopt);

  absl::StatusOr<std::optional<KeptResult>> kept = kept_.find(key);
  if (!kept.ok()) return kept.status();
  if (!kept->has_value()) {
    state_.group->after([observer = state_.parts.observer] { observer->cacheMiss(); });
    return put(*submission, std::nullopt);
  }
  const auto then = [this, submission, found = **kept](const absl::Status &whole) {
    // Meanwhile something may have changed.
    if (absl::Status status = admit(*submission); !status.ok()) return refuse(*submission, status);
    const std::vector<v1::Digest> blobs = hone::server::blobsOf(found.result);
    const bool isThere = whole.ok() && std::all_of(blobs.begin(), blobs.end(),
                                                   [&](const v1::Digest &digest) { return admitBlob(digest).ok(); });
    if (!isThere) state_.group->after([observer = state_.parts.observer] { observer->cacheMiss(); });
    return put(*submission, isThere ? std::optional(found) : std::nullopt);
  };
  kept_.check(*std::move(*kept), then, done);
  return absl::OkStatus();
}

std::string Clients::Submission::specificationKey() const {
  return kind->task == nullptr ? std::string() : beginning.tasks.front().cacheKey;
}

std::vector<v1::Digest> Clients::blobsOf(const Submission &submission) const {
  std::map<std::string, v1::Digest> blobs;
  for (const NewTask &task : submission.beginning.tasks) {
    const v1::TaskSpec spec = task.spec ? *task.spec : taskOf(submission.request.spec());
    for (v1::Digest &digest : state_.parts.kinds->findTask(task.kind)->blobs(spec)) blobs[digest.sha256()] = digest;
  }
  std::vector<v1::Digest> digests;
  for (auto &[name, digest] : blobs) digests.push_back(std::move(digest));
  return digests;
}

absl::Status Clients::admit(const Submission &submission) const {
  for (const NewTask &task : submission.beginning.tasks) {
    if (task.key.empty()) continue;
    if (absl::Status status = admitKey(task.key); !status.ok()) return status;
  }
  for (const NewTask &task : submission.beginning.tasks) {
    if (absl::Status status = admitKind(task); !status.ok()) return status;
  }
  for (const v1::Digest &digest : blobsOf(submission)) {
    if (absl::Status status = admitBlob(digest); !status.ok()) return status;
  }
  return state_.quotas.admit(submission.user);
}

absl::Status Clients::admitKind(const NewTask &task) const {
  const Fleet &fleet = state_.fleet;
  // Nobody there: somebody may come. Others there: what they lack is an update.
  if (!fleet.isServed(task.key) || fleet.canDo(task.key, task.kind)) return absl::OkStatus();
  const std::string who =
      task.key.empty() ? "no attached builder" : absl::StrCat("no attached device with the key '", task.key, "'");
  return withDetail(absl::FailedPreconditionError(
                        absl::StrCat(who, " knows work of the kind '", task.kind, "'; update hone on the workers")),
                    "UNKNOWN_KIND", "update hone on the workers");
}

absl::Status Clients::admitKey(const std::string &key) const {
  const int64_t since = state_.nowMicros - absl::ToInt64Microseconds(state_.policy.keepKeys);
  if (state_.fleet.knowsKey(key, since)) return absl::OkStatus();
  const std::vector<std::string> known = state_.fleet.knownKeys(since);
  const std::string names = absl::StrJoin(
      known, ", ", [](std::string *out, const std::string &name) { absl::StrAppend(out, "'", name, "'"); });
  const std::string remedy =
      known.empty() ? "start a device with 'hone-worker --server ADDRESS --roles device --key KEY'" : "use one of them";
  return withDetail(absl::NotFoundError(absl::StrCat("no device has the key '", key, "'; ",
                                                     known.empty() ? "no device has been attached yet"
                                                                   : absl::StrCat("the known keys are ", names))),
                    "UNKNOWN_KEY", remedy);
}

absl::Status Clients::admitBlob(const v1::Digest &digest) const {
  if (retention_.isDoomed(digest)) {
    return withDetail(absl::UnavailableError(absl::StrCat("blob ", digest.sha256(),
                                                          " is being removed, since nobody has used it for long; "
                                                          "upload it again in a second")),
                      "BLOB_BEING_REMOVED", "upload the blob again in a second", absl::Seconds(1));
  }
  if (state_.parts.blobs->has(digest)) return absl::OkStatus();
  return withDetail(absl::FailedPreconditionError(absl::StrCat("blob ", digest.sha256(), " of ", digest.size_bytes(),
                                                               " bytes is not on the server; upload it first")),
                    "MISSING_BLOB", "upload the blob first");
}

absl::Status Clients::refuse(const Submission &submission, const absl::Status &refusal) {
  // A repeated call gets the job of the first one, whatever has become of key, blobs and quota since.
  state_.group->after([store = state_.parts.store, user = submission.user, id = submission.request.request_id(),
                       refusal, done = submission.done] {
    const absl::StatusOr<v1::Job> first = store->jobOfRequest(user, id);
    done(first.ok() ? first : absl::StatusOr<v1::Job>(refusal));
  });
  return absl::OkStatus();
}

absl::StatusOr<std::string> Clients::freshId() {
  while (true) {
    const std::string id = ids_.next(state_.nowMicros);
    if (state_.jobs.find(id) != nullptr) continue;
    const absl::StatusOr<v1::Job> other = state_.parts.store->job(id);
    if (absl::IsNotFound(other.status())) return id;
    if (!other.ok()) return other.status();
  }
}

absl::Status Clients::putBlobs(const std::string &user, const std::vector<v1::Digest> &blobs) {
  for (const v1::Digest &digest : blobs) {
    retention_.use(digest);
    const BlobRow row{digest, user, state_.nowMicros, state_.nowMicros};
    if (absl::Status status = state_.parts.store->putBlob(row); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Clients::put(const Submission &submission, const std::optional<KeptResult> &known) {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const v1::SubmitRequest &request = submission.request;
  const absl::StatusOr<std::string> id = freshId();
  if (!id.ok()) return id.status();
  const absl::Duration asked = absl::Seconds(request.deadline_seconds());
  const absl::Duration duration =
      request.deadline_seconds() == 0 ? state_.policy.maxJob : std::min(asked, state_.policy.maxJob);
  const NewJob job{.id = *id,
                   .user = submission.user,
                   .kind = submission.kind->name,
                   .request = request,
                   .inputs = blobsOf(submission),
                   .tasks = submission.beginning.tasks,
                   .memo = submission.beginning.memo,
                   .deadlineMicros = state_.nowMicros + absl::ToInt64Microseconds(duration)};
  if (absl::Status status = putBlobs(submission.user, job.inputs); !status.ok()) return status;
  absl::StatusOr<Store::PutJob> put = state_.parts.store->putJob(job, state_.nowMicros);
  if (!put.ok()) return put.status();
  if (!put->row) {
    state_.answer<v1::Job>(submission.done, std::move(put->job));
    return absl::OkStatus();
  }
  state_.group->after([observer = state_.parts.observer, kind = job.kind] { observer->submitted(kind); });
  transitions_.submitted(*put->row, put->tasks, state_.now + duration);
  for (const Task &task : put->tasks) state_.tasks.find(task.id)->cacheAsked = state_.fleet.buildsGeneration();
  if (known) return answer(submission, *put, *known);
  const Task &first = put->tasks.front();
  put->job.set_queue_position(static_cast<int32_t>(state_.queue.before(first.key, first.id)));
  state_.answer<v1::Job>(submission.done, std::move(put->job));
  return absl::OkStatus();
}

absl::Status Clients::answer(const Submission &submission, const Store::PutJob &put, const KeptResult &known) {
  const std::vector<v1::Digest> blobs = hone::server::blobsOf(known.result);
  for (const v1::Digest &digest : blobs) retention_.use(digest);
  if (absl::Status status = state_.parts.store->touchBlobs(blobs, state_.nowMicros); !status.ok()) return status;
  LiveTask &live = *state_.tasks.find(put.tasks.front().id);
  if (absl::Status status = transitions_.answer(live, known.result, known.cacheKey); !status.ok()) return status;
  state_.group->after([store = state_.parts.store, id = put.row->id, done = submission.done] { done(store->job(id)); });
  return absl::OkStatus();
}

// ---------------------------------------------------------------------------------------------------------- the others

absl::Status Clients::queuePosition(const std::string &job, const Callback<int64_t> &done) {
  int64_t before = 0;
  if (const LiveJob *live = state_.jobs.find(job)) {
    for (const int64_t id : live->tasks) {
      const LiveTask &task = *state_.tasks.find(id);
      if (task.place != LiveTask::Place::Queued) continue;
      before = state_.queue.before(task.task.key, id);
      break;
    }
  }
  state_.answer<int64_t>(done, before);
  return absl::OkStatus();
}

absl::Status Clients::cancel(const std::string &user, const std::string &job, const Callback<v1::Job> &done) {
  if (LiveJob *live = state_.jobs.find(job)) {
    v1::JobResult result;
    result.mutable_result()->set_outcome(v1::Result::WORK_FAILED);
    result.mutable_result()->set_sentence(absl::StrCat("cancelled by ", user));
    absl::Status status = transitions_.end(*live, v1::JOB_CANCELLED, result, absl::StrCat("user:", user),
                                           absl::StrCat("cancelled by ", user));
    if (!status.ok()) return status;
  }
  state_.group->after([store = state_.parts.store, job, done] { done(store->job(job)); });
  return absl::OkStatus();
}

absl::Status Clients::blobStored(const std::string &user, const v1::Digest &digest, const Callback<v1::Digest> &done) {
  if (absl::Status status = admitBlob(digest); !status.ok()) {
    state_.answer<v1::Digest>(done, withDetail(absl::UnavailableError(status.message()), "BLOB_BEING_REMOVED",
                                               "upload the blob again in a second", absl::Seconds(1)));
    return absl::OkStatus();
  }
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  retention_.use(digest);
  const BlobRow row{digest, user, state_.nowMicros, state_.nowMicros};
  if (absl::Status status = state_.parts.store->putBlob(row); !status.ok()) return status;
  state_.answer<v1::Digest>(done, digest);
  return absl::OkStatus();
}

absl::Status Clients::blobsSeen(const std::vector<BlobRow> &blobs, const Callback<std::vector<v1::Digest>> &done) {
  const int64_t recent = state_.nowMicros - absl::ToInt64Microseconds(state_.policy.blobGrace / kGraceParts);
  std::vector<v1::Digest> doomed, renewed;
  for (const BlobRow &blob : blobs) {
    retention_.use(blob.digest);
    if (retention_.isDoomed(blob.digest)) doomed.push_back(blob.digest);
    if (blob.usedMicros < recent) renewed.push_back(blob.digest);
  }
  if (!renewed.empty()) {
    if (absl::Status status = state_.group->change(); !status.ok()) return status;
    if (absl::Status status = state_.parts.store->touchBlobs(renewed, state_.nowMicros); !status.ok()) return status;
  }
  state_.answer<std::vector<v1::Digest>>(done, std::move(doomed));
  return absl::OkStatus();
}

absl::Status Clients::blobDamaged(const v1::Digest &digest) {
  // The damaged file was moved away: one that is there has been uploaded since.
  if (state_.parts.blobs->has(digest)) return absl::OkStatus();
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  return state_.parts.store->removeBlob(digest);
}

absl::Status Clients::importRecords(const v1::ImportRecordsRequest &request,
                                    const Callback<v1::ImportRecordsResponse> &done) {
  if (request.records_size() > kMaxRecords) {
    state_.answer<v1::ImportRecordsResponse>(
        done, absl::InvalidArgumentError(absl::StrCat("the request has ", request.records_size(),
                                                      " records, and may have ", kMaxRecords, "; send them in parts")));
    return absl::OkStatus();
  }
  const int64_t most = state_.policy.maxRecords - request.records_size();
  const absl::StatusOr<int64_t> known = state_.parts.store->countRecords(most);
  if (!known.ok()) return known.status();
  if (*known > most) {
    state_.answer<v1::ImportRecordsResponse>(
        done, withDetail(absl::ResourceExhaustedError(absl::StrCat(
                             "the coordinator has ", *known, " records, and may have ", state_.policy.maxRecords,
                             "; its operator can raise max-records (HONE_SERVER_MAX_RECORDS)")),
                         "QUOTA", "ask the operator to raise max-records"));
    return absl::OkStatus();
  }
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const std::vector<v1::Record> records(request.records().begin(), request.records().end());
  const absl::StatusOr<Store::AddedRecords> added = state_.parts.store->putRecords(records, state_.nowMicros);
  if (!added.ok()) return added.status();
  v1::ImportRecordsResponse response;
  response.set_added(added->added);
  response.set_known(added->known);
  state_.answer<v1::ImportRecordsResponse>(done, std::move(response));
  return absl::OkStatus();
}

absl::Status Clients::watch(const std::string &job, const std::shared_ptr<JobWatcher> &watcher) {
  // What happened between the caller's last look and now is told at once.
  state_.watchers.add(job, watcher);
  state_.group->after([this, job, watcher] {
    watcher->changed();
    if (state_.jobs.find(job) == nullptr) state_.watchers.forget(job);
  });
  return absl::OkStatus();
}

}  // namespace hone::server
