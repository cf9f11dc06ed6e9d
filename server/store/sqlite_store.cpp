#include "server/store/sqlite_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/database_file.h"
#include "server/store/reader.h"
#include "server/store/write_jobs.h"
#include "server/store/write_rest.h"

namespace hone::server {
namespace {

using sqlite::Connection;
using sqlite::Reader;

/// Answers that change nothing and leave the transaction as it was; after any other, commit() refuses.
bool isHarmless(const absl::Status &status) {
  return status.ok() || absl::IsNotFound(status) || absl::IsInvalidArgument(status) || absl::IsAlreadyExists(status) ||
         absl::IsFailedPrecondition(status);
}

class SqliteStore : public Store {
 public:
  SqliteStore(Connection writer, const SqliteOptions &options, Failpoints &failpoints)
      : writer_(std::move(writer)),
        failpoints_(failpoints),
        readers_(options.folder / sqlite::kDatabaseName, options.readers, options.busyTimeout) {}

  // ------------------------------------------------------------------------------------------------- transactions
  absl::Status begin() override {
    if (isOpen_) return absl::FailedPreconditionError("a transaction is begun already");
    if (absl::Status status = sqlite::Use(begin_).run(); !status.ok()) return status;
    isOpen_ = true;
    trouble_ = absl::OkStatus();
    if (absl::Status status = tasks_.begin(); !status.ok()) {
      rollback();
      return status;
    }
    return absl::OkStatus();
  }

  absl::Status commit() override {
    if (!isOpen_) return absl::FailedPreconditionError("no transaction is begun");
    absl::Status status = trouble_;
    // SQLite ends a transaction by itself when it cannot go on, as with a full disk.
    if (status.ok() && !writer_.isInTransaction()) status = absl::AbortedError("the database ended the transaction");
    if (status.ok()) status = tasks_.beforeCommit();
    failpoints_.pass("store.commit.before");
    if (status.ok()) status = sqlite::Use(commit_).run();
    if (!status.ok()) {
      rollback();
      return status;
    }
    isOpen_ = false;
    failpoints_.pass("store.commit.after");
    return absl::OkStatus();
  }

  void rollback() override {
    if (writer_.isInTransaction()) sqlite::Use(rollback_).run().IgnoreError();
    isOpen_ = false;
  }

  // ------------------------------------------------------------------------------------------------ jobs and tasks
  absl::StatusOr<PutJob> putJob(const NewJob &job, int64_t nowMicros) override {
    return write<PutJob>([&] { return jobs_.putJob(job, nowMicros); });
  }
  absl::StatusOr<Grant> claim(int64_t task, const std::string &worker, int64_t nowMicros) override {
    return write<Grant>([&] { return tasks_.claim(task, worker, nowMicros); });
  }
  absl::StatusOr<std::optional<PutItems>> putItems(int64_t task, int64_t epoch,
                                                   const std::vector<v1::ItemResult> &items,
                                                   int64_t nowMicros) override {
    return write<std::optional<PutItems>>([&] { return tasks_.putItems(task, epoch, items, nowMicros); });
  }
  absl::StatusOr<int32_t> endedItems(int64_t task) override {
    return write<int32_t>([&] { return tasks_.endedItems(task); });
  }
  absl::StatusOr<bool> completeTask(int64_t task, int64_t epoch, AttemptEnd end, const v1::TaskResult &result,
                                    const std::string &log, int64_t nowMicros) override {
    return write<bool>([&] { return tasks_.completeTask(task, epoch, end, result, log, nowMicros); });
  }
  absl::StatusOr<bool> answerTask(int64_t task, const v1::TaskResult &result, int64_t nowMicros) override {
    return write<bool>([&] { return tasks_.answerTask(task, result, nowMicros); });
  }
  absl::StatusOr<bool> failTask(int64_t task, const v1::TaskResult &result, int64_t nowMicros) override {
    return write<bool>([&] { return tasks_.failTask(task, result, nowMicros); });
  }
  absl::StatusOr<bool> requeue(int64_t task, int64_t epoch, AttemptEnd end, const std::string &detail,
                               int64_t nowMicros) override {
    return write<bool>([&] { return tasks_.requeue(task, epoch, end, detail, nowMicros); });
  }
  absl::StatusOr<DriverInput> driverInput(int64_t task) override {
    return write<DriverInput>([&] { return tasks_.driverInput(task); });
  }
  absl::StatusOr<std::vector<Task>> advanceJob(int64_t job, const std::string &memo, const std::vector<NewTask> &tasks,
                                               int64_t cause, const std::vector<v1::Digest> &scratch,
                                               int64_t nowMicros) override {
    return write<std::vector<Task>>([&] { return jobs_.advanceJob(job, memo, tasks, cause, scratch, nowMicros); });
  }
  absl::StatusOr<bool> endJob(int64_t job, v1::JobState state, const v1::JobResult &result, const std::string &actor,
                              const std::string &detail, int64_t nowMicros) override {
    return write<bool>([&] { return jobs_.endJob(job, state, result, actor, detail, nowMicros); });
  }

  // ----------------------------------------------------------------------------------------- workers, cache, blobs
  absl::Status putWorker(const WorkerRow &worker) override {
    return change([&] { return rest_.putWorker(worker); });
  }
  absl::Status putCacheEntry(const std::string &cacheKey, const v1::TaskResult &result,
                             const std::vector<v1::Digest> &blobs, int64_t nowMicros) override {
    return change([&] { return rest_.putCacheEntry(cacheKey, result, blobs, nowMicros); });
  }
  absl::Status useCacheEntry(const std::string &cacheKey, int64_t nowMicros) override {
    return change([&] { return rest_.useCacheEntry(cacheKey, nowMicros); });
  }
  absl::Status removeWorkers(int64_t beforeMicros) override {
    return change([&] { return rest_.removeWorkers(beforeMicros); });
  }
  absl::Status removeCacheEntry(const std::string &cacheKey) override {
    return change([&] { return rest_.removeCacheEntry(cacheKey); });
  }
  absl::Status putBlob(const BlobRow &blob) override {
    return change([&] { return rest_.putBlob(blob); });
  }
  absl::Status touchBlobs(const std::vector<v1::Digest> &digests, int64_t nowMicros) override {
    return change([&] { return rest_.touchBlobs(digests, nowMicros); });
  }
  absl::Status removeBlob(const v1::Digest &digest) override {
    return change([&] { return rest_.removeBlob(digest); });
  }
  absl::StatusOr<AddedRecords> putRecords(const std::vector<v1::Record> &records, int64_t nowMicros) override {
    return write<AddedRecords>([&] { return rest_.putRecords(records, nowMicros); });
  }
  absl::StatusOr<int64_t> removeEndedJobs(int64_t beforeMicros, int64_t most) override {
    return write<int64_t>([&] { return jobs_.removeEndedJobs(beforeMicros, most); });
  }

  // ------------------------------------------------------------------------------------------------------- reading
  absl::StatusOr<Unfinished> unfinished() const override {
    return readers_.with([](Reader &reader) { return reader.unfinished(); });
  }
  absl::StatusOr<v1::Job> job(const std::string &id) const override {
    return readers_.with([&](Reader &reader) { return reader.job(id); });
  }
  absl::StatusOr<v1::Job> jobOfRequest(const std::string &user, const std::string &requestId) const override {
    return readers_.with([&](Reader &reader) { return reader.jobOfRequest(user, requestId); });
  }
  absl::StatusOr<v1::ListJobsResponse> jobs(const v1::ListJobsRequest &request, const Shorten &shorten) const override {
    return readers_.with([&](Reader &reader) { return reader.jobs(request, shorten); });
  }
  absl::StatusOr<std::vector<v1::JobEvent>> events(const std::string &job, int64_t afterSequence) const override {
    return readers_.with([&](Reader &reader) { return reader.events(job, afterSequence); });
  }
  absl::StatusOr<v1::AttemptsResponse> attempts(const v1::AttemptsRequest &request) const override {
    return readers_.with([&](Reader &reader) { return reader.attempts(request); });
  }
  absl::StatusOr<std::vector<v1::Attempt>> attemptsAt(int64_t task) const override {
    return readers_.with([&](Reader &reader) { return reader.attemptsAt(task); });
  }
  absl::StatusOr<std::optional<std::string>> userOfLease(int64_t task, int64_t epoch) const override {
    return readers_.with([&](Reader &reader) { return reader.userOfLease(task, epoch); });
  }
  absl::StatusOr<std::vector<WorkerRow>> workers() const override {
    return readers_.with([](Reader &reader) { return reader.workers(); });
  }
  absl::StatusOr<std::optional<CacheEntry>> cached(const std::string &cacheKey) const override {
    return readers_.with([&](Reader &reader) { return reader.cached(cacheKey); });
  }
  absl::StatusOr<std::optional<BlobRow>> blob(const v1::Digest &digest) const override {
    return readers_.with([&](Reader &reader) { return reader.blob(digest); });
  }
  absl::StatusOr<std::vector<v1::Digest>> unreferencedBlobs(
      int64_t usedBeforeMicros, int64_t most, std::optional<int64_t> cacheUsedBeforeMicros) const override {
    const int64_t cacheUsedBefore = cacheUsedBeforeMicros.value_or(usedBeforeMicros);
    return readers_.with(
        [&](Reader &reader) { return reader.unreferencedBlobs(usedBeforeMicros, most, cacheUsedBefore); });
  }
  absl::StatusOr<UserUsage> usage(const std::string &user) const override {
    return readers_.with([&](Reader &reader) { return reader.usage(user); });
  }
  absl::StatusOr<int64_t> countRecords(int64_t enough) const override {
    return readers_.with([&](Reader &reader) { return reader.countRecords(enough); });
  }
  absl::StatusOr<v1::QueryRecordsResponse> records(const v1::QueryRecordsRequest &request) const override {
    return readers_.with([&](Reader &reader) { return reader.records(request); });
  }

 private:
  /// OK when an intent may run: inside a transaction in which nothing has failed.
  absl::Status ready() const {
    return isOpen_ ? trouble_ : absl::FailedPreconditionError("a change needs a transaction: begin one");
  }
  template <typename Answer, typename Intent>
  absl::StatusOr<Answer> write(Intent intent) {
    if (absl::Status status = ready(); !status.ok()) return status;
    absl::StatusOr<Answer> answer = intent();
    if (!isHarmless(answer.status())) trouble_ = answer.status();
    return answer;
  }
  template <typename Intent>
  absl::Status change(Intent intent) {
    if (absl::Status status = ready(); !status.ok()) return status;
    absl::Status status = intent();
    if (!isHarmless(status)) trouble_ = status;
    return status;
  }

  Connection writer_;
  Failpoints &failpoints_;
  bool isOpen_ = false;
  absl::Status trouble_;  ///< the first failure in this transaction
  sqlite::Statement begin_{writer_, "BEGIN IMMEDIATE"};
  sqlite::Statement commit_{writer_, "COMMIT"};
  sqlite::Statement rollback_{writer_, "ROLLBACK"};
  sqlite::EventWriter events_{writer_};
  sqlite::TaskWriter tasks_{writer_, events_};
  sqlite::JobWriter jobs_{writer_, events_, tasks_};
  sqlite::RestWriter rest_{writer_};
  mutable sqlite::ReaderPool readers_;  ///< closed before the writer, which then checkpoints
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> openSqliteStore(const SqliteOptions &options, Failpoints &failpoints) {
  absl::StatusOr<Connection> writer = sqlite::openDatabase(options, sqlite::schemaSteps());
  if (!writer.ok()) return writer.status();
  return std::make_unique<SqliteStore>(*std::move(writer), options, failpoints);
}

}  // namespace hone::server
