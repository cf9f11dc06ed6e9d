#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {

v1::Digest digestOf(int number, int64_t size) {
  v1::Digest digest;
  digest.set_sha256(absl::StrFormat("%064x", number));
  digest.set_size_bytes(size);
  return digest;
}

NewJob newJob(const std::string &id, const std::string &user) {
  NewJob job;
  job.id = id;
  job.user = user;
  job.request.set_request_id(absl::StrCat("request-", id));
  job.request.set_label(absl::StrCat("label of ", id));
  *job.request.mutable_spec()->mutable_compile()->mutable_model() = digestOf(1);
  job.kind = "compile";
  job.inputs = {digestOf(1)};
  job.tasks.emplace_back().kind = "compile";
  job.deadlineMicros = 77;
  return job;
}

v1::JobResult resultOf(v1::Result::Outcome outcome, const std::string &sentence, int artifact) {
  v1::JobResult result;
  result.mutable_result()->set_outcome(outcome);
  result.mutable_result()->set_sentence(sentence);
  if (artifact != 0) *result.mutable_artifact() = digestOf(artifact);
  return result;
}

absl::StatusOr<bool> complete(Store &store, int64_t task, int64_t epoch, AttemptEnd end, const v1::JobResult &result,
                              const std::string &log, const std::string &cacheKey, int64_t nowMicros) {
  v1::TaskResult taskResult;
  *taskResult.mutable_result() = result.result();
  if (result.has_artifact()) *taskResult.mutable_artifact() = result.artifact();
  const absl::StatusOr<bool> completed = store.completeTask(task, epoch, end, taskResult, log, nowMicros);
  if (!completed.ok() || !*completed) return completed;
  const bool isDone = result.result().outcome() == v1::Result::DONE;
  const std::vector<v1::Digest> blobs = {result.artifact()};
  if (isDone && !cacheKey.empty()) {
    if (absl::Status status = store.putCacheEntry(cacheKey, taskResult, blobs, nowMicros); !status.ok()) return status;
  }
  // Each job of these tests has one task: their numbers are the same.
  return store.endJob(task, isDone ? v1::JOB_SUCCEEDED : v1::JOB_FAILED, result, "worker:w2",
                      isDone ? "done" : result.result().sentence(), nowMicros);
}

Task StoreContract::submit(const std::string &id, const std::string &user, const std::string &cacheKey,
                           int32_t priority) {
  NewJob job = newJob(id, user);
  job.tasks[0].cacheKey = cacheKey;
  job.request.set_priority(priority);
  begin();
  absl::StatusOr<Store::PutJob> put = store().putJob(job, ++now_);
  EXPECT_EQ(put.status(), absl::OkStatus());
  commit();
  if (!put.ok() || !put->row) {
    ADD_FAILURE() << "job " << id << " has no task";
    return {};
  }
  return put->tasks.at(0);
}

int64_t StoreContract::claim(int64_t task, const std::string &worker) {
  begin();
  absl::StatusOr<Grant> grant = store().claim(task, worker, ++now_);
  EXPECT_EQ(grant.status(), absl::OkStatus());
  commit();
  return grant.ok() ? grant->epoch : 0;
}

v1::Job StoreContract::job(const std::string &id) {
  absl::StatusOr<v1::Job> job = store().job(id);
  EXPECT_EQ(job.status(), absl::OkStatus());
  return job.ok() ? *job : v1::Job();
}

}  // namespace hone::server::testing
