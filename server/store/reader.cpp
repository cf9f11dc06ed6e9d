#include "server/store/reader.h"

#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hone::server::sqlite {
namespace {

// A page ends at so many bytes, though it has fewer rows than were asked for: what a client takes in one message, and
// what is read for it, since listings leave most of a job out.
constexpr size_t kMostShown = size_t{3} << 20;
constexpr size_t kMostRead = size_t{16} << 20;
constexpr int kAttemptLog = 5;                      // a column, as attemptFromRow() reads them
constexpr int kRecordBytes[] = {1, 2, 4, 5, 6, 7};  // the columns of any length

absl::Status noJob(const std::string &id) { return absl::NotFoundError(absl::StrCat("there is no job '", id, "'")); }

/// What listings leave out.
void shortenJob(v1::Job &job, const Shorten &shorten) {
  if (shorten) shorten(*job.mutable_spec());
  if (!job.has_result()) return;
  v1::Result &result = *job.mutable_result()->mutable_result();
  result.clear_printed();
  result.clear_dumps();
  result.clear_timings();
  result.clear_notes();
  result.clear_sample_seconds();
  result.clear_bench_samples();
}

JobRow jobRowFromRow(const Use &use) {
  JobRow job;
  job.number = use.integer(0);
  job.id = use.text(1);
  job.user = use.text(2);
  job.kind = use.text(3);
  job.priority = static_cast<int32_t>(use.integer(4));
  job.isRunning = use.boolean(5);
  job.submittedMicros = use.integer(6);
  job.deadlineMicros = use.integer(7);
  job.tasks = use.integer(8);
  return job;
}

Task taskFromRow(const Use &use) {
  Task task;
  task.id = use.integer(0);
  task.job = use.integer(1);
  task.kind = use.text(2);
  task.key = use.text(3);
  task.cacheKey = use.text(4);
  task.items = static_cast<int32_t>(use.integer(5));
  task.isLeased = use.boolean(6);
  task.epoch = use.integer(7);
  task.worker = use.text(8);
  task.attempts = static_cast<int32_t>(use.integer(9));
  task.createdMicros = use.integer(10);
  task.grantSequence = use.integer(11);
  return task;
}

v1::Attempt attemptFromRow(const Use &use) {
  v1::Attempt attempt;
  attempt.set_epoch(use.integer(0));
  attempt.set_worker(use.text(1));
  attempt.set_granted_micros(use.integer(2));
  attempt.set_ended_micros(use.integer(3));
  attempt.set_end(use.text(4));
  attempt.set_log(use.text(5));
  attempt.set_task(use.integer(6));
  return attempt;
}

absl::StatusOr<WorkerRow> workerFromRow(const Use &use) {
  WorkerRow worker;
  worker.name = use.text(0);
  worker.key = use.text(1);
  worker.version = use.text(2);
  worker.reason = use.text(3);
  if (use.boolean(4)) worker.roles.push_back(v1::ROLE_BUILDER);
  if (use.boolean(5)) worker.roles.push_back(v1::ROLE_DEVICE);
  if (absl::Status status = parse(use.view(6), worker.target); !status.ok()) return status;
  worker.isDraining = use.boolean(7);
  worker.isQuarantined = use.boolean(8);
  worker.completed = use.integer(9);
  worker.failures = use.integer(10);
  worker.strikes = static_cast<int32_t>(use.integer(11));
  worker.seenMicros = use.integer(12);
  return worker;
}

/// All rows of \p use, each made into one element by \p make.
template <typename Element, typename Make>
absl::StatusOr<std::vector<Element>> collect(Use &use, Make make) {
  std::vector<Element> elements;
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) return elements;
    absl::StatusOr<Element> element = make(use);
    if (!element.ok()) return element.status();
    elements.push_back(*std::move(element));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Reader>> Reader::open(const std::filesystem::path &file, absl::Duration busyTimeout) {
  absl::StatusOr<Connection> connection = Connection::open(file, Connection::Mode::Read, busyTimeout);
  if (!connection.ok()) return connection.status();
  return std::unique_ptr<Reader>(new Reader(*std::move(connection)));
}

absl::StatusOr<Unfinished> Reader::unfinished() {
  Unfinished unfinished;
  {
    Use use(lastSequence_);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    if (*found) unfinished.lastGrantSequence = use.integer(0);
  }
  {
    Use use(unfinishedJobs_);
    absl::StatusOr<std::vector<JobRow>> jobs = collect<JobRow>(use, jobRowFromRow);
    if (!jobs.ok()) return jobs.status();
    unfinished.jobs = *std::move(jobs);
  }
  Use use(unfinished_);
  absl::StatusOr<std::vector<Task>> tasks = collect<Task>(use, taskFromRow);
  if (!tasks.ok()) return tasks.status();
  unfinished.tasks = *std::move(tasks);
  Use grants(lastGrants_);
  absl::StatusOr<std::vector<Unfinished::LastGrant>> last = collect<Unfinished::LastGrant>(grants, [](const Use &row) {
    return absl::StatusOr<Unfinished::LastGrant>({row.text(0), row.text(1), row.integer(2)});
  });
  if (!last.ok()) return last.status();
  unfinished.lastGrants = *std::move(last);
  return unfinished;
}

absl::StatusOr<v1::Job> Reader::job(const std::string &id) {
  Use use(job_, id);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return noJob(id);
  return jobFromRow(use);
}

absl::StatusOr<v1::Job> Reader::jobOfRequest(const std::string &user, const std::string &requestId) {
  Use use(jobOfRequest_, user, requestId);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return absl::NotFoundError(absl::StrCat("there is no job of the request '", requestId, "'"));
  return jobFromRow(use);
}

absl::StatusOr<v1::ListJobsResponse> Reader::jobs(const v1::ListJobsRequest &request, const Shorten &shorten) {
  absl::StatusOr<int64_t> size = pageSize(request.page_size());
  if (!size.ok()) return size.status();
  std::string states;
  int stateBits = 0;
  for (const int state : request.states()) {
    const char *name = stateName(static_cast<v1::JobState>(state));
    if (*name == '\0') return absl::InvalidArgumentError(absl::StrCat("there is no state of jobs with number ", state));
    absl::StrAppend(&states, states.empty() ? "," : "", name, ",");
    stateBits |= 1 << state;
  }
  const std::string question = absl::StrCat("jobs;", states, ";", request.user());
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!request.page_token().empty()) {
    absl::StatusOr<int64_t> last = lastOfToken(request.page_token(), question);
    if (!last.ok()) return last.status();
    before = *last;
  }
  // One row more than the page tells whether there is another page.
  const int64_t most = *size + 1;
  std::optional<Use> use;
  if (!states.empty() && !request.user().empty()) {
    use.emplace(jobsOfUserInStates_, before, most, request.user(), stateBits);
  } else if (!states.empty()) {
    use.emplace(jobsInStates_, before, most, "", stateBits);
  } else if (!request.user().empty()) {
    use.emplace(jobsOfUser_, before, most, request.user());
  } else {
    use.emplace(jobs_, before, most);
  }
  return readJobs(*use, *size, question, shorten);
}

absl::StatusOr<v1::ListJobsResponse> Reader::readJobs(Use &use, int64_t size, std::string_view question,
                                                      const Shorten &shorten) {
  v1::ListJobsResponse response;
  int64_t last = 0;
  size_t read = 0, shown = 0;
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) return response;
    const bool isFull = response.jobs_size() == size || read >= kMostRead;
    absl::StatusOr<v1::Job> job = isFull ? v1::Job() : jobFromRow(use);
    if (!job.ok()) return job.status();
    shortenJob(*job, shorten);
    shown += job->ByteSizeLong();
    if (isFull || (shown > kMostShown && response.jobs_size() > 0)) {
      response.set_next_page_token(pageToken(last, question));
      return response;
    }
    read += use.view(kJobResult).size() + use.view(kJobMessage).size();
    last = use.integer(0);
    *response.add_jobs() = *std::move(job);
  }
}

absl::Status Reader::mustExist(const std::string &job) {
  Use use(hasJob_, job);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  return *found ? absl::OkStatus() : noJob(job);
}

absl::StatusOr<std::vector<v1::JobEvent>> Reader::events(const std::string &job, int64_t afterSequence) {
  if (absl::Status status = mustExist(job); !status.ok()) return status;
  Use use(events_, job, afterSequence);
  return collect<v1::JobEvent>(use, [](const Use &row) {
    v1::JobEvent event;
    event.set_sequence(row.integer(0));
    event.set_micros(row.integer(1));
    event.set_from(stateOf(row.view(2)));
    event.set_to(stateOf(row.view(3)));
    event.set_actor(row.text(4));
    event.set_detail(row.text(5));
    if (row.view(6).empty()) return absl::StatusOr<v1::JobEvent>(event);
    if (absl::Status status = parse(row.view(6), *event.mutable_task()); !status.ok()) {
      return absl::StatusOr<v1::JobEvent>(status);
    }
    return absl::StatusOr<v1::JobEvent>(event);
  });
}

absl::StatusOr<v1::AttemptsResponse> Reader::attempts(const v1::AttemptsRequest &request) {
  absl::StatusOr<int64_t> size = pageSize(request.page_size());
  if (!size.ok()) return size.status();
  if (absl::Status status = mustExist(request.id()); !status.ok()) return status;
  const auto question = [&](int64_t task) { return absl::StrCat("attempts;", request.id(), ";", task); };
  // TASK.TOKEN, where the token says the epoch.
  int64_t task = 0, epoch = 0;
  if (!request.page_token().empty()) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(request.page_token(), absl::MaxSplits('.', 1));
    if (!absl::SimpleAtoi(parts.first, &task)) task = 0;
    absl::StatusOr<int64_t> last = lastOfToken(std::string(parts.second), question(task));
    if (!last.ok()) return last.status();
    epoch = *last;
  }
  Use use(attempts_, request.id(), task, epoch, *size + 1);
  v1::AttemptsResponse response;
  size_t shown = 0;
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) return response;
    shown += use.view(kAttemptLog).size();
    if (response.attempts_size() == *size || (shown > kMostShown && response.attempts_size() > 0)) {
      const v1::Attempt &last = *response.attempts().rbegin();
      response.set_next_page_token(absl::StrCat(last.task(), ".", pageToken(last.epoch(), question(last.task()))));
      return response;
    }
    *response.add_attempts() = attemptFromRow(use);
  }
}

absl::StatusOr<std::vector<v1::Attempt>> Reader::attemptsAt(int64_t task) {
  Use use(attemptsAt_, task);
  return collect<v1::Attempt>(use, attemptFromRow);
}

absl::StatusOr<std::optional<std::string>> Reader::userOfLease(int64_t task, int64_t epoch) {
  Use use(userOfLease_, task, epoch);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  return *found ? std::optional(use.text(0)) : std::nullopt;
}

absl::StatusOr<std::vector<WorkerRow>> Reader::workers() {
  Use use(workers_);
  return collect<WorkerRow>(use, workerFromRow);
}

absl::StatusOr<std::optional<CacheEntry>> Reader::cached(const std::string &cacheKey) {
  Use use(cached_, cacheKey);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return std::optional<CacheEntry>();
  CacheEntry entry;
  if (absl::Status status = parse(use.view(0), entry.result); !status.ok()) return status;
  return std::optional<CacheEntry>(std::move(entry));
}

absl::StatusOr<std::optional<BlobRow>> Reader::blob(const v1::Digest &digest) {
  Use use(blob_, digest.sha256(), digest.size_bytes());
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return std::optional<BlobRow>();
  return std::optional<BlobRow>({digest, use.text(0), use.integer(1), use.integer(2)});
}

absl::StatusOr<std::vector<v1::Digest>> Reader::unreferencedBlobs(int64_t usedBefore, int64_t most,
                                                                  int64_t cacheUsedBefore) {
  Use use(unreferenced_, usedBefore, cacheUsedBefore, most);
  return collect<v1::Digest>(use, [](const Use &row) {
    v1::Digest digest;
    digest.set_sha256(row.text(0));
    digest.set_size_bytes(row.integer(1));
    return digest;
  });
}

absl::StatusOr<UserUsage> Reader::usage(const std::string &user) {
  Use use(usage_, user);
  absl::StatusOr<bool> found = use.row();
  if (!found.ok()) return found.status();
  if (!*found) return UserUsage{};
  return UserUsage{use.integer(0), use.integer(1), use.integer(2)};
}

absl::StatusOr<int64_t> Reader::countRecords(int64_t enough) {
  const auto answerOf = [](Statement &question) -> absl::StatusOr<int64_t> {
    Use use(question);
    absl::StatusOr<bool> found = use.row();
    if (!found.ok()) return found.status();
    return use.integer(0);
  };
  // Numbers are given one after the other, also to those that turn out to be known: there are no more than the last
  // number says. To count them takes a second for some millions.
  const absl::StatusOr<int64_t> last = answerOf(lastRecord_);
  return !last.ok() || *last <= enough ? last : answerOf(countRecords_);
}

absl::StatusOr<v1::QueryRecordsResponse> Reader::records(const v1::QueryRecordsRequest &request) {
  absl::StatusOr<int64_t> size = pageSize(request.page_size());
  if (!size.ok()) return size.status();
  const std::string target = request.has_target() ? targetText(request.target()) : "";
  const std::string question = absl::StrCat("records;", request.threads(), ";", target, ";", request.task());
  int64_t after = 0;
  if (!request.page_token().empty()) {
    absl::StatusOr<int64_t> last = lastOfToken(request.page_token(), question);
    if (!last.ok()) return last.status();
    after = *last;
  }
  std::optional<Use> use;
  const int threads = request.threads();
  if (request.task().empty()) {
    if (!request.has_target()) {
      use.emplace(allRecords_, after, threads, *size + 1);
    } else {
      use.emplace(recordsOfTarget_, after, threads, *size + 1, target);
    }
  } else if (!request.has_target()) {
    use.emplace(recordsOfTask_, after, threads, *size + 1, request.task());
  } else {
    use.emplace(recordsOfBoth_, after, threads, *size + 1, request.task(), target);
  }
  return readRecords(*use, *size, question);
}

absl::StatusOr<v1::QueryRecordsResponse> Reader::readRecords(Use &use, int64_t size, std::string_view question) {
  v1::QueryRecordsResponse response;
  size_t shown = 0;
  for (;;) {
    absl::StatusOr<bool> more = use.row();
    if (!more.ok()) return more.status();
    if (!*more) return response;
    size_t bytes = 0;
    for (const int column : kRecordBytes) bytes += use.view(column).size();
    shown += bytes;
    if (response.records_size() == size || (shown > kMostShown && response.records_size() > 0)) {
      response.set_next_page_token(pageToken(response.records(response.records_size() - 1).id(), question));
      return response;
    }
    v1::Record &record = *response.add_records();
    record.set_id(use.integer(0));
    record.set_task(use.text(1));
    if (absl::Status status = parse(use.view(2), *record.mutable_target()); !status.ok()) return status;
    record.set_threads(static_cast<int32_t>(use.integer(3)));
    record.set_schedule(use.text(4));
    samplesFromBytes(use.view(5), record);
    record.set_error(use.text(6));
    record.set_origin(use.text(7));
    record.set_micros(use.integer(8));
  }
}

absl::StatusOr<std::unique_ptr<Reader>> ReaderPool::take() {
  {
    const MutexLock lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Reader> reader = std::move(idle_.back());
      idle_.pop_back();
      return reader;
    }
  }
  return Reader::open(file_, busyTimeout_);
}

void ReaderPool::put(std::unique_ptr<Reader> reader) {
  const MutexLock lock(mutex_);
  if (idle_.size() < kept_) idle_.push_back(std::move(reader));
}

}  // namespace hone::server::sqlite
