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

Task StoreContract::submit(const std::string &id, const std::string &user, const std::string &cacheKey,
                           int32_t priority) {
  NewJob job = newJob(id, user);
  job.cacheKey = cacheKey;
  job.request.set_priority(priority);
  begin();
  absl::StatusOr<Store::PutJob> put = store().putJob(job, ++now_);
  EXPECT_EQ(put.status(), absl::OkStatus());
  commit();
  if (!put.ok() || !put->task) {
    ADD_FAILURE() << "job " << id << " has no task";
    return {};
  }
  return *put->task;
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
