// A Store that passes everything on to another, and fails when it is told to: a commit, or a change in the middle of a
// transaction. Thread-safe like the store behind it; does not own that.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "server/store/store.h"

namespace hone::server::testing {

class FailingStore : public Store {
 public:
  struct Faults {
    std::atomic<int> commitsUntilFailure{-1};  ///< 0: the next one; negative: none
    std::atomic<int> changesUntilFailure{-1};
    std::atomic<bool> isFull{false};        ///< every commit fails
    std::atomic<bool> isUnreadable{false};  ///< rebuilding fails
    std::atomic<int> failures{0};
    std::function<void()> afterScan;  ///< called when garbage was listed, before the list is returned
  };
  FailingStore(Store *store, Faults &faults) : store_(store), faults_(faults) {}

  absl::Status begin() override { return store_->begin(); }
  absl::Status commit() override {
    if (!faults_.isFull && faults_.commitsUntilFailure-- != 0) return store_->commit();
    return fail();
  }
  void rollback() override { store_->rollback(); }

  absl::StatusOr<PutJob> putJob(const NewJob &job, int64_t now) override {
    if (changeFails()) return fail();
    return store_->putJob(job, now);
  }
  absl::StatusOr<Grant> claim(int64_t task, const std::string &worker, int64_t now) override {
    if (changeFails()) return fail();
    return store_->claim(task, worker, now);
  }
  absl::StatusOr<std::optional<PutItems>> putItems(int64_t task, int64_t epoch,
                                                   const std::vector<v1::ItemResult> &items, int64_t now) override {
    if (changeFails()) return fail();
    return store_->putItems(task, epoch, items, now);
  }
  absl::StatusOr<int32_t> endedItems(int64_t task) override { return store_->endedItems(task); }
  absl::StatusOr<bool> completeTask(int64_t task, int64_t epoch, AttemptEnd end, const v1::TaskResult &result,
                                    const std::string &log, int64_t now) override {
    if (changeFails()) return fail();
    return store_->completeTask(task, epoch, end, result, log, now);
  }
  absl::StatusOr<bool> answerTask(int64_t task, const v1::TaskResult &result, int64_t now) override {
    if (changeFails()) return fail();
    return store_->answerTask(task, result, now);
  }
  absl::StatusOr<bool> failTask(int64_t task, const v1::TaskResult &result, int64_t now) override {
    if (changeFails()) return fail();
    return store_->failTask(task, result, now);
  }
  absl::StatusOr<bool> requeue(int64_t task, int64_t epoch, AttemptEnd end, const std::string &detail,
                               int64_t now) override {
    if (changeFails()) return fail();
    return store_->requeue(task, epoch, end, detail, now);
  }
  absl::StatusOr<DriverInput> driverInput(int64_t task) override {
    if (changeFails()) return fail();
    return store_->driverInput(task);
  }
  absl::StatusOr<std::vector<Task>> advanceJob(int64_t job, const std::string &memo, const std::vector<NewTask> &tasks,
                                               int64_t cause, const std::vector<v1::Digest> &scratch,
                                               int64_t now) override {
    if (changeFails()) return fail();
    return store_->advanceJob(job, memo, tasks, cause, scratch, now);
  }
  absl::StatusOr<bool> endJob(int64_t job, v1::JobState state, const v1::JobResult &result, const std::string &actor,
                              const std::string &detail, int64_t now) override {
    if (changeFails()) return fail();
    return store_->endJob(job, state, result, actor, detail, now);
  }
  absl::Status putCacheEntry(const std::string &key, const v1::TaskResult &result, const std::vector<v1::Digest> &blobs,
                             int64_t now) override {
    if (changeFails()) return fail();
    return store_->putCacheEntry(key, result, blobs, now);
  }
  absl::Status useCacheEntry(const std::string &key, int64_t now) override { return store_->useCacheEntry(key, now); }
  absl::Status putWorker(const WorkerRow &worker) override {
    if (changeFails()) return fail();
    return store_->putWorker(worker);
  }
  absl::Status removeWorkers(int64_t before) override {
    if (changeFails()) return fail();
    return store_->removeWorkers(before);
  }
  absl::Status removeCacheEntry(const std::string &key) override { return store_->removeCacheEntry(key); }
  absl::Status putBlob(const BlobRow &blob) override { return store_->putBlob(blob); }
  absl::Status touchBlobs(const std::vector<v1::Digest> &digests, int64_t now) override {
    return store_->touchBlobs(digests, now);
  }
  absl::Status removeBlob(const v1::Digest &digest) override { return store_->removeBlob(digest); }
  absl::StatusOr<AddedRecords> putRecords(const std::vector<v1::Record> &records, int64_t now) override {
    return store_->putRecords(records, now);
  }
  absl::StatusOr<int64_t> removeEndedJobs(int64_t before, int64_t most) override {
    return store_->removeEndedJobs(before, most);
  }

  absl::StatusOr<Unfinished> unfinished() const override {
    if (faults_.isUnreadable) return absl::UnavailableError("a test reads nothing");
    return store_->unfinished();
  }
  absl::StatusOr<v1::Job> job(const std::string &id) const override { return store_->job(id); }
  absl::StatusOr<v1::Job> jobOfRequest(const std::string &user, const std::string &id) const override {
    return store_->jobOfRequest(user, id);
  }
  absl::StatusOr<v1::ListJobsResponse> jobs(const v1::ListJobsRequest &request, const Shorten &shorten) const override {
    return store_->jobs(request, shorten);
  }
  absl::StatusOr<std::vector<v1::JobEvent>> events(const std::string &job, int64_t after) const override {
    return store_->events(job, after);
  }
  absl::StatusOr<v1::AttemptsResponse> attempts(const v1::AttemptsRequest &request) const override {
    return store_->attempts(request);
  }
  absl::StatusOr<std::vector<v1::Attempt>> attemptsAt(int64_t task) const override { return store_->attemptsAt(task); }
  absl::StatusOr<std::optional<std::string>> userOfLease(int64_t task, int64_t epoch) const override {
    return store_->userOfLease(task, epoch);
  }
  absl::StatusOr<std::vector<WorkerRow>> workers() const override { return store_->workers(); }
  absl::StatusOr<std::optional<CacheEntry>> cached(const std::string &key) const override {
    return store_->cached(key);
  }
  absl::StatusOr<std::optional<BlobRow>> blob(const v1::Digest &digest) const override { return store_->blob(digest); }
  absl::StatusOr<std::vector<v1::Digest>> unreferencedBlobs(int64_t usedBefore, int64_t most,
                                                            std::optional<int64_t> cacheUsedBefore) const override {
    auto found = store_->unreferencedBlobs(usedBefore, most, cacheUsedBefore);
    if (faults_.afterScan) faults_.afterScan();
    return found;
  }
  absl::StatusOr<UserUsage> usage(const std::string &user) const override { return store_->usage(user); }
  absl::StatusOr<int64_t> countRecords(int64_t enough) const override { return store_->countRecords(enough); }
  absl::StatusOr<v1::QueryRecordsResponse> records(const v1::QueryRecordsRequest &request) const override {
    return store_->records(request);
  }

 private:
  bool changeFails() { return faults_.changesUntilFailure-- == 0; }
  absl::Status fail() {
    ++faults_.failures;
    return absl::ResourceExhaustedError("the disk of this test is full");
  }

  Store *store_;
  Faults &faults_;
};

}  // namespace hone::server::testing
