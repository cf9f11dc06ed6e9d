// The contract about listings, blobs, the cache, workers and records.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

v1::Record recordOf(const std::string &task, const std::string &cpu, int threads, const std::string &schedule,
                    std::vector<double> samples) {
  v1::Record record;
  record.set_task(task);
  record.mutable_target()->set_cpu(cpu);
  record.mutable_target()->add_features("+avx2");
  record.set_threads(threads);
  record.set_schedule(schedule);
  for (const double sample : samples) record.add_sample_seconds(sample);
  record.set_origin("test");
  return record;
}

std::vector<std::string> names(const std::vector<v1::Digest> &digests) {
  std::vector<std::string> names;
  for (const v1::Digest &digest : digests) names.push_back(digest.sha256().substr(60));
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_P(StoreContract, listsPageNewestFirst) {
  for (int i = 0; i < 7; ++i) submit(absl::StrCat("j-", i), i % 2 == 0 ? "ada" : "bob");
  v1::ListJobsRequest request;
  request.set_page_size(3);
  std::string ids;
  int pages = 0;
  for (;;) {
    absl::StatusOr<v1::ListJobsResponse> page = store().jobs(request);
    ASSERT_EQ(page.status(), absl::OkStatus());
    for (const v1::Job &job : page->jobs()) absl::StrAppend(&ids, job.id(), " ");
    ++pages;
    if (pages == 1) submit("j-late");  // does not shift what follows
    if (page->next_page_token().empty()) break;
    request.set_page_token(page->next_page_token());
  }
  EXPECT_EQ(ids, "j-6 j-5 j-4 j-3 j-2 j-1 j-0 ");
  EXPECT_EQ(pages, 3);
  // A page that ends with the last row has no successor.
  request.clear_page_token();
  request.set_page_size(8);
  EXPECT_EQ(store().jobs(request)->next_page_token(), "");
}

TEST_P(StoreContract, listsFilter) {
  const Task a = submit("j-a", "ada");
  submit("j-b", "ada");
  submit("j-c", "bob");
  claim(a.id);
  v1::ListJobsRequest request;
  request.set_user("ada");
  EXPECT_EQ(store().jobs(request)->jobs_size(), 2);
  request.add_states(v1::JOB_RUNNING);
  request.add_states(v1::JOB_FAILED);
  ASSERT_EQ(store().jobs(request)->jobs_size(), 1);
  EXPECT_EQ(store().jobs(request)->jobs(0).id(), "j-a");
  request.set_user("eve");
  EXPECT_EQ(store().jobs(request)->jobs_size(), 0);
  request.clear_user();
  request.clear_states();
  request.add_states(v1::JOB_PENDING);
  EXPECT_EQ(store().jobs(request)->jobs_size(), 2);
  request.add_states(static_cast<v1::JobState>(99));
  EXPECT_TRUE(absl::IsInvalidArgument(store().jobs(request).status()));
}

TEST_P(StoreContract, forgedPageTokensAreRefused) {
  for (int i = 0; i < 3; ++i) submit(absl::StrCat("j-", i));
  v1::ListJobsRequest request;
  request.set_page_size(1);
  const std::string token = store().jobs(request)->next_page_token();
  ASSERT_NE(token, "");
  for (const std::string &forged :
       std::vector<std::string>{"x", "1", "-", "2-0000000000000000", token + "0", "9" + token, std::string(100000, '9'),
                                std::string("\0", 1)}) {
    request.set_page_token(forged);
    EXPECT_TRUE(absl::IsInvalidArgument(store().jobs(request).status())) << forged.substr(0, 40);
  }
  request.set_page_token(token);
  EXPECT_TRUE(store().jobs(request).ok());
  request.set_user("ada");  // another question
  EXPECT_TRUE(absl::IsInvalidArgument(store().jobs(request).status()));
  request.set_page_size(-1);
  EXPECT_TRUE(absl::IsInvalidArgument(store().jobs(request).status()));
}

TEST_P(StoreContract, listsLeaveOutLongTexts) {
  NewJob job = newJob("j-a", "ada");
  job.request.mutable_spec()->mutable_compile()->mutable_options()->set_schedules(std::string(10000, 's'));
  begin();
  const int64_t task = store().putJob(job, 1)->tasks.at(0).id;
  v1::JobResult result = resultOf(v1::Result::DONE, "");
  result.mutable_result()->set_printed(std::string(10000, 'p'));
  result.mutable_result()->add_dumps()->set_text(std::string(10000, 'd'));
  v1::BenchSamples &samples = *result.mutable_result()->add_bench_samples();
  for (int i = 0; i < 2000; ++i) {
    samples.add_seconds(i);
    result.mutable_result()->add_sample_seconds(i);
  }
  const int64_t epoch = store().claim(task, "w", 2)->epoch;
  ASSERT_TRUE(*complete(store(), task, epoch, AttemptEnd::Done, result, "", "", 3));
  commit();
  const auto shorten = [](v1::JobSpec &spec) { spec.mutable_compile()->mutable_options()->clear_schedules(); };
  EXPECT_LT(store().jobs({}, shorten)->jobs(0).ByteSizeLong(), 1000U);
  EXPECT_GT(store().job("j-a")->ByteSizeLong(), 60000U);
}

TEST_P(StoreContract, blobsCountForTheirFirstUser) {
  const v1::Digest digest = digestOf(7, 1000);
  begin();
  ASSERT_TRUE(store().putBlob({digest, "ada", 10, 20}).ok());
  ASSERT_TRUE(store().putBlob({digest, "bob", 11, 30}).ok());
  ASSERT_TRUE(store().putBlob({digest, "ada", 11, 25}).ok()) << "an older use does not shorten its life";
  commit();
  reopen();
  const std::optional<BlobRow> row = *store().blob(digest);
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->user, "ada");
  EXPECT_EQ(row->createdMicros, 10);
  EXPECT_EQ(row->usedMicros, 30);
  EXPECT_FALSE(store().blob(digestOf(7, 999))->has_value()) << "the size is part of the name";
  EXPECT_EQ(store().usage("ada")->blobBytes, 1000);
  EXPECT_EQ(store().usage("bob")->blobBytes, 0);
  begin();
  ASSERT_TRUE(store().touchBlobs({digest, digestOf(8)}, 40).ok());
  commit();
  EXPECT_EQ(store().blob(digest).value()->usedMicros, 40);
  begin();
  ASSERT_TRUE(store().removeBlob(digest).ok());
  ASSERT_TRUE(store().removeBlob(digest).ok());
  commit();
  EXPECT_FALSE(store().blob(digest)->has_value());
  EXPECT_EQ(store().usage("ada")->blobBytes, 0);
}

TEST_P(StoreContract, removingABlobRemovesCacheEntriesThatNameIt) {
  const Task a = submit("j-a", "ada", "ka");
  const Task b = submit("j-b", "ada", "kb");
  begin();
  for (const int number : {5, 6}) ASSERT_TRUE(store().putBlob({digestOf(number), "ada", 1, 1}).ok());
  for (const auto &[task, key, artifact] : {std::tuple{a, "ka", 5}, std::tuple{b, "kb", 6}}) {
    const int64_t epoch = store().claim(task.id, "w", 2)->epoch;
    ASSERT_TRUE(
        *complete(store(), task.id, epoch, AttemptEnd::Done, resultOf(v1::Result::DONE, "", artifact), "", key, 3));
  }
  ASSERT_TRUE(store().removeBlob(digestOf(5)).ok());
  commit();
  EXPECT_FALSE(store().cached("ka")->has_value());
  EXPECT_TRUE(store().cached("kb")->has_value());
  begin();
  ASSERT_TRUE(store().removeCacheEntry("kb").ok());
  ASSERT_TRUE(store().removeCacheEntry("unknown").ok());
  commit();
  EXPECT_FALSE(store().cached("kb")->has_value());
  EXPECT_TRUE(store().blob(digestOf(6))->has_value());
}

TEST_P(StoreContract, aCacheEntryIsReplaced) {
  for (const int artifact : {5, 6}) {
    const Task task = submit(absl::StrCat("j-", artifact), "ada", "k");
    const int64_t epoch = claim(task.id);
    begin();
    ASSERT_TRUE(*complete(store(), task.id, epoch, AttemptEnd::Done, resultOf(v1::Result::DONE, "", artifact), "", "k",
                          ++now_));
    commit();
  }
  EXPECT_EQ(store().cached("k").value()->result.artifact().sha256(), digestOf(6).sha256());
  begin();
  ASSERT_TRUE(store().removeBlob(digestOf(5)).ok());
  commit();
  EXPECT_TRUE(store().cached("k")->has_value()) << "it no longer names blob 5";
}

TEST_P(StoreContract, garbageIsWhatNobodyNeeds) {
  // 1: input of an unfinished job; 2: input of an ended job; 3: result of a kept job; 4: of the cache, used lately;
  // 5: of the cache, not used lately; 6: used lately itself; 7: nobody's.
  begin();
  for (int number = 1; number <= 7; ++number) {
    ASSERT_TRUE(store().putBlob({digestOf(number), "ada", 10, number == 6 ? 500 : 10}).ok());
  }
  NewJob ended = newJob("j-e", "ada");
  *ended.request.mutable_spec()->mutable_compile()->mutable_model() = digestOf(2);
  ended.inputs = {digestOf(2)};
  const int64_t task = store().putJob(ended, 20)->tasks.at(0).id;
  ASSERT_TRUE(*complete(store(), task, store().claim(task, "w", 21)->epoch, AttemptEnd::Done,
                        resultOf(v1::Result::DONE, "", 3), "", "", 22));
  for (const auto &[artifact, when] : {std::pair{4, 500}, std::pair{5, 50}}) {
    NewJob cached = newJob(absl::StrCat("j-", artifact), "ada");
    cached.request.mutable_spec()->clear_compile();
    cached.inputs.clear();
    const int64_t id = store().putJob(cached, 20)->tasks.at(0).id;
    const int64_t epoch = store().claim(id, "w", 21)->epoch;
    ASSERT_TRUE(*complete(store(), id, epoch, AttemptEnd::Done, resultOf(v1::Result::DONE, "", artifact), "",
                          absl::StrCat("k", artifact), when));
  }
  commit();
  // Their own jobs hold 4 and 5 until retention removes them.
  EXPECT_EQ(names(*store().unreferencedBlobs(100, 10)), (std::vector<std::string>{"0001", "0002", "0007"}));
  submit("j-u");  // needs 1
  EXPECT_EQ(names(*store().unreferencedBlobs(100, 10)), (std::vector<std::string>{"0002", "0007"}));
  begin();
  EXPECT_EQ(*store().removeEndedJobs(51, 10), 2);   // j-e, j-5
  EXPECT_EQ(*store().removeEndedJobs(501, 10), 1);  // j-4
  commit();
  EXPECT_EQ(names(*store().unreferencedBlobs(100, 10)), (std::vector<std::string>{"0002", "0003", "0005", "0007"}));
  EXPECT_EQ(names(*store().unreferencedBlobs(100, 10, 20)), (std::vector<std::string>{"0002", "0003", "0007"}))
      << "the cache keeps for longer";
  EXPECT_EQ(store().unreferencedBlobs(100, 2)->size(), 2U);
  EXPECT_TRUE(store().unreferencedBlobs(10, 10)->empty()) << "before, not at";
}

TEST_P(StoreContract, anAnswerFromTheCacheRenewsItsEntry) {
  const Task first = submit("j-a", "ada", "k");
  const int64_t epoch = claim(first.id);
  const Task second = submit("j-b", "ada", "k");
  begin();
  ASSERT_TRUE(store().putBlob({digestOf(5), "ada", 10, 10}).ok());
  ASSERT_TRUE(*complete(store(), first.id, epoch, AttemptEnd::Done, resultOf(v1::Result::DONE, "", 5), "", "k", 50));
  v1::TaskResult kept;
  *kept.mutable_artifact() = digestOf(5);
  ASSERT_TRUE(*store().answerTask(second.id, kept, 5000));
  ASSERT_EQ(store().useCacheEntry("k", 5000), absl::OkStatus());
  v1::JobResult answer = resultOf(v1::Result::DONE, "", 5);
  answer.set_from_cache(true);
  ASSERT_TRUE(*store().endJob(second.job, v1::JOB_SUCCEEDED, answer, "server", "from the cache", 5000));
  EXPECT_EQ(*store().removeEndedJobs(std::numeric_limits<int64_t>::max(), 10), 2);
  commit();
  EXPECT_TRUE(store().unreferencedBlobs(4000, 10)->empty());
  EXPECT_EQ(store().unreferencedBlobs(6000, 10)->size(), 1U);
}

TEST_P(StoreContract, workersAreReplacedByName) {
  WorkerRow worker;
  worker.name = "w1";
  worker.key = "rpi4";
  worker.version = "1";
  worker.roles = {v1::ROLE_BUILDER, v1::ROLE_DEVICE};
  worker.target.set_triple("aarch64-linux-gnu");
  worker.completed = 3;
  worker.seenMicros = 9;
  begin();
  ASSERT_TRUE(store().putWorker(worker).ok());
  worker.roles = {v1::ROLE_DEVICE};
  worker.isDraining = true;
  worker.isQuarantined = true;
  worker.strikes = 2;
  worker.failures = 4;
  worker.reason = "flaky";
  ASSERT_TRUE(store().putWorker(worker).ok());
  WorkerRow other;
  other.name = "a0";
  ASSERT_TRUE(store().putWorker(other).ok());
  commit();
  reopen();
  const std::vector<WorkerRow> rows = *store().workers();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].name, "a0");
  EXPECT_TRUE(rows[0].roles.empty());
  const WorkerRow &row = rows[1];
  EXPECT_EQ(row.key, "rpi4");
  EXPECT_EQ(row.roles, std::vector<v1::Role>{v1::ROLE_DEVICE});
  EXPECT_EQ(row.target.triple(), "aarch64-linux-gnu");
  EXPECT_TRUE(row.isDraining && row.isQuarantined);
  EXPECT_EQ(row.strikes, 2);
  EXPECT_EQ(row.failures, 4);
  EXPECT_EQ(row.completed, 3);
  EXPECT_EQ(row.seenMicros, 9);
  EXPECT_EQ(row.reason, "flaky");
}

TEST_P(StoreContract, recordsAreKeptOnceForOneTargetAndThreadCount) {
  const std::vector<v1::Record> records = {
      recordOf("t1", "znver4", 4, "s1", {1e-3, std::numeric_limits<double>::denorm_min()}),
      recordOf("t1", "znver4", 8, "s1", {1e-3}),
      recordOf("t1", "skylake", 4, "s1", {1e-3}),
      recordOf("t2", "znver4", 4, "s1", {1e-3}),
      recordOf("t1", "znver4", 4, "s2", {}),
  };
  begin();
  absl::StatusOr<Store::AddedRecords> counts = store().putRecords(records, 99);
  ASSERT_EQ(counts.status(), absl::OkStatus());
  EXPECT_EQ(counts->added, 5);
  counts = store().putRecords({records[0], records[4], recordOf("t1", "znver4", 4, "s1", {2e-3})}, 100);
  EXPECT_EQ(counts->added, 1);
  EXPECT_EQ(counts->known, 2);
  commit();
  reopen();
  EXPECT_EQ(*store().countRecords(0), 6);
  EXPECT_GE(*store().countRecords(100), 6);
  v1::QueryRecordsRequest request;
  EXPECT_EQ(store().records(request)->records_size(), 6);
  request.set_task("t1");
  EXPECT_EQ(store().records(request)->records_size(), 5);
  *request.mutable_target() = records[0].target();
  EXPECT_EQ(store().records(request)->records_size(), 4);
  request.set_threads(4);
  const v1::QueryRecordsResponse found = *store().records(request);
  ASSERT_EQ(found.records_size(), 3);
  v1::Record expected = records[0];
  expected.set_id(found.records(0).id());
  expected.set_micros(99);
  EXPECT_EQ(found.records(0).SerializeAsString(), expected.SerializeAsString());
  request.clear_task();
  EXPECT_EQ(store().records(request)->records_size(), 4);
  request.mutable_target()->set_cores(64);  // another target in one field
  EXPECT_EQ(store().records(request)->records_size(), 0);
}

TEST_P(StoreContract, recordsPageInTheOrderOfTheirIds) {
  std::vector<v1::Record> records;
  for (int i = 0; i < 25; ++i) records.push_back(recordOf("t", "cpu", 1, absl::StrCat("s", i), {0.5}));
  begin();
  ASSERT_TRUE(store().putRecords(records, 1).ok());
  commit();
  v1::QueryRecordsRequest request;
  request.set_task("t");
  request.set_page_size(10);
  std::vector<int64_t> ids;
  for (;;) {
    const v1::QueryRecordsResponse page = *store().records(request);
    for (const v1::Record &record : page.records()) ids.push_back(record.id());
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  EXPECT_EQ(ids.size(), 25U);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  request.set_page_token("nonsense");
  EXPECT_TRUE(absl::IsInvalidArgument(store().records(request).status()));
}

}  // namespace hone::server::testing
