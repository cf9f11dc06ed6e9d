// Jobs of many tasks, and tasks of many items.
#include "absl/strings/str_cat.h"
#include "tests/server/all_attempts.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

NewTask probe(uint64_t seed, int32_t items = 0) {
  NewTask task;
  task.kind = "probe";
  task.items = items;
  task.spec.emplace().mutable_probe()->set_seed(seed);
  return task;
}

v1::ItemResult item(int32_t number, int64_t value) {
  v1::ItemResult result;
  result.set_item(number);
  result.set_probe_number(value);
  return result;
}

v1::TaskResult done(int64_t number) {
  v1::TaskResult result;
  result.mutable_result()->set_outcome(v1::Result::DONE);
  result.set_probe_number(number);
  return result;
}

/// A job of two tasks, of which the second has three items.
Store::PutJob putTwo(Store &store, const std::string &id) {
  NewJob job = newJob(id, "ada");
  job.kind = "probe";
  job.tasks = {probe(1), probe(2, 3)};
  job.memo = "begun";
  absl::StatusOr<Store::PutJob> put = store.putJob(job, 10);
  EXPECT_TRUE(put.ok()) << put.status();
  return put.ok() ? *std::move(put) : Store::PutJob();
}

}  // namespace

TEST_P(StoreContract, aJobGoesOnAsItsDriverSays) {
  begin();
  const Store::PutJob put = putTwo(store(), "j-a");
  ASSERT_EQ(put.tasks.size(), 2U);
  EXPECT_EQ(put.job.tasks(), 2);
  const absl::StatusOr<Grant> grant = store().claim(put.tasks[0].id, "w1", 11);
  ASSERT_TRUE(grant.ok());
  EXPECT_EQ(grant->spec.probe().seed(), 1U) << "each task has its own specification";
  ASSERT_TRUE(*store().completeTask(put.tasks[0].id, grant->epoch, AttemptEnd::Done, done(5), "log", 12));
  const absl::StatusOr<DriverInput> input = store().driverInput(put.tasks[0].id);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->memo, "begun");
  EXPECT_EQ(input->task.probe().seed(), 1U);
  const auto more = store().advanceJob(put.row->number, "second", {probe(3)}, put.tasks[0].id, {}, 13);
  ASSERT_TRUE(more.ok()) << more.status();
  commit();
  reopen();
  const v1::Job read = job("j-a");
  EXPECT_EQ(read.state(), v1::JOB_RUNNING) << "something of it is done";
  EXPECT_EQ(read.tasks(), 3);
  EXPECT_EQ(read.ended_tasks(), 1);
  const Unfinished unfinished = *store().unfinished();
  ASSERT_EQ(unfinished.tasks.size(), 2U);
  EXPECT_EQ(unfinished.tasks[1].id, more->front().id);
  EXPECT_EQ(unfinished.jobs.at(0).tasks, 3);
  begin();
  EXPECT_EQ(store().driverInput(unfinished.tasks[1].id)->memo, "second");
  EXPECT_TRUE(
      *store().endJob(put.row->number, v1::JOB_SUCCEEDED, resultOf(v1::Result::DONE, ""), "server", "done", 14));
  EXPECT_FALSE(*store().endJob(put.row->number, v1::JOB_FAILED, resultOf(v1::Result::DONE, ""), "server", "", 15));
  commit();
  EXPECT_TRUE(store().unfinished()->tasks.empty()) << "with its other tasks";
  EXPECT_EQ(job("j-a").ended_tasks(), 3);
  const std::vector<v1::JobEvent> events = *store().events("j-a", 0);
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[1].task().what(), v1::TaskEvent::LEASED);
  EXPECT_EQ(events[2].task().what(), v1::TaskEvent::DONE);
  EXPECT_FALSE(events[3].has_task());
}

TEST_P(StoreContract, attemptsPageByNumberAndByTheLengthOfTheirLogs) {
  const std::string log(1 << 20, 'l');
  for (const std::string id : {"j-a", "j-b"}) {
    NewJob job = newJob(id, "ada");
    job.kind = "probe";
    job.tasks = {probe(1), probe(2), probe(3), probe(4)};
    begin();
    const Store::PutJob put = *store().putJob(job, 10);
    for (const Task &task : put.tasks) {
      const int64_t lost = store().claim(task.id, "w1", 11)->epoch;
      ASSERT_TRUE(*store().requeue(task.id, lost, AttemptEnd::Lost, "lost", 12));
      const int64_t epoch = store().claim(task.id, "w2", 13)->epoch;
      ASSERT_TRUE(*store().completeTask(task.id, epoch, AttemptEnd::Done, done(5), log, 14));
    }
    commit();
  }
  v1::AttemptsRequest request;
  request.set_id("j-a");
  EXPECT_EQ(store().attempts(request)->attempts_size(), 7) << "the fourth log would make more than 3 MiB";
  const std::vector<v1::Attempt> all = *allAttempts(store(), "j-a");
  ASSERT_EQ(all.size(), 8U);
  EXPECT_EQ(all[7].log(), log);
  // A page may end between two attempts at one task.
  request.set_page_size(3);
  const v1::AttemptsResponse first = *store().attempts(request);
  ASSERT_EQ(first.attempts_size(), 3);
  EXPECT_EQ(first.attempts(2).worker(), "w1");
  request.set_page_token(first.next_page_token());
  const v1::AttemptsResponse second = *store().attempts(request);
  ASSERT_EQ(second.attempts_size(), 3);
  EXPECT_EQ(second.attempts(0).task(), first.attempts(2).task());
  EXPECT_EQ(second.attempts(0).worker(), "w2");
  request.set_id("j-b");
  EXPECT_TRUE(absl::IsInvalidArgument(store().attempts(request).status())) << "a token of another question";
  request.set_page_token("1.1");
  EXPECT_TRUE(absl::IsInvalidArgument(store().attempts(request).status()));
}

TEST_P(StoreContract, eventsTellOfEachQuarterOfTheItems) {
  begin();
  NewJob two = newJob("j-a", "ada");
  two.kind = "probe";
  two.tasks = {probe(1), probe(2, 100)};
  const int64_t task = store().putJob(two, 10)->tasks[1].id;
  const int64_t epoch = store().claim(task, "w1", 11)->epoch;
  for (int32_t number = 0; number < 100; ++number) {
    const bool isTold = (*store().putItems(task, epoch, {item(number, 0)}, 12 + number))->isTold;
    EXPECT_EQ(isTold, number == 24 || number == 49 || number == 74) << number;
    // Again, it tells nothing.
    EXPECT_FALSE((*store().putItems(task, epoch, {item(number, 0)}, 12 + number))->isTold);
  }
  commit();
  reopen();
  std::vector<int32_t> told;
  const std::vector<v1::JobEvent> events = *store().events("j-a", 0);
  for (const v1::JobEvent &event : events) {
    if (event.task().what() != v1::TaskEvent::ITEMS) continue;
    told.push_back(event.task().ended_items());
    EXPECT_EQ(event.task().task(), task);
    EXPECT_EQ(event.task().items(), 100);
    EXPECT_EQ(event.actor(), "worker:w1");
    EXPECT_EQ(event.to(), v1::JOB_RUNNING);
  }
  EXPECT_EQ(told, (std::vector<int32_t>{25, 50, 75}));
}

TEST_P(StoreContract, itemsKeepTheirFirstResultAndBelongToTheLease) {
  begin();
  const Store::PutJob put = putTwo(store(), "j-a");
  const int64_t task = put.tasks[1].id;
  EXPECT_FALSE(store().putItems(task, 0, {item(0, 1)}, 12)->has_value()) << "not leased";
  const int64_t first = store().claim(task, "w1", 11)->epoch;
  EXPECT_EQ((*store().putItems(task, first, {item(2, 22), item(0, 20)}, 12))->ended, 2);
  EXPECT_EQ((*store().putItems(task, first, {item(2, 99)}, 12))->ended, 2);
  EXPECT_EQ(*store().endedItems(task), 2);
  ASSERT_TRUE(*store().requeue(task, first, AttemptEnd::Lost, "lost", 12));
  EXPECT_FALSE(store().putItems(task, first, {item(1, 21)}, 12)->has_value()) << "the lease is over";
  commit();
  reopen();
  begin();
  const absl::StatusOr<Grant> again = store().claim(task, "w2", 13);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->endedItems, (std::vector<int32_t>{0, 2}));
  EXPECT_FALSE(store().putItems(task, first, {item(1, 21)}, 12)->has_value()) << "nor is it this one";
  EXPECT_EQ((*store().putItems(task, again->epoch, {item(1, 21)}, 14))->ended, 3);
  ASSERT_TRUE(*store().completeTask(task, again->epoch, AttemptEnd::Done, done(0), "", 14));
  const absl::StatusOr<DriverInput> input = store().driverInput(task);
  ASSERT_EQ(input->items.size(), 3U);
  EXPECT_EQ(input->items[0].probe_number(), 20);
  EXPECT_EQ(input->items[1].probe_number(), 21);
  EXPECT_EQ(input->items[2].probe_number(), 22);
  commit();
}

TEST_P(StoreContract, aJobIsPendingAgainOnlyIfNothingOfItIsDone) {
  begin();
  const Store::PutJob put = putTwo(store(), "j-a");
  const int64_t first = store().claim(put.tasks[0].id, "w1", 11)->epoch;
  const int64_t second = store().claim(put.tasks[1].id, "w2", 11)->epoch;
  ASSERT_TRUE(*store().requeue(put.tasks[0].id, first, AttemptEnd::Lost, "", 12));
  commit();
  EXPECT_EQ(job("j-a").state(), v1::JOB_RUNNING) << "the other one is leased";
  begin();
  ASSERT_TRUE(*store().requeue(put.tasks[1].id, second, AttemptEnd::Lost, "", 13));
  commit();
  EXPECT_EQ(job("j-a").state(), v1::JOB_PENDING);
  begin();
  v1::TaskResult failed;
  failed.mutable_result()->set_outcome(v1::Result::WORK_FAILED);
  EXPECT_TRUE(*store().failTask(put.tasks[0].id, failed, 14));
  EXPECT_FALSE(*store().answerTask(put.tasks[0].id, done(1), 14)) << "it has ended";
  EXPECT_TRUE(*store().answerTask(put.tasks[1].id, done(1), 15));
  commit();
  EXPECT_EQ(job("j-a").ended_tasks(), 2);
}

TEST_P(StoreContract, scratchBlobsEndWithTheirJob) {
  begin();
  const Store::PutJob put = putTwo(store(), "j-a");
  for (const int number : {7, 8}) ASSERT_TRUE(store().putBlob({digestOf(number), "ada", 100, 100}).ok());
  ASSERT_TRUE(store().touchBlobs({digestOf(8)}, 200).ok());  // somebody else has asked for it
  ASSERT_TRUE(store().advanceJob(put.row->number, "", {}, put.tasks[0].id, {digestOf(7), digestOf(8)}, 13).ok());
  commit();
  EXPECT_TRUE(store().unreferencedBlobs(1000, 10)->empty()) << "while the job goes on";
  begin();
  ASSERT_TRUE(*store().endJob(put.row->number, v1::JOB_CANCELLED, resultOf(v1::Result::WORK_FAILED, ""), "s", "", 14));
  commit();
  const std::vector<v1::Digest> waitsForNoGrace = *store().unreferencedBlobs(50, 10);
  ASSERT_EQ(waitsForNoGrace.size(), 1U);
  EXPECT_EQ(waitsForNoGrace[0].sha256(), digestOf(7).sha256());
  EXPECT_EQ(store().unreferencedBlobs(1000, 10)->size(), 2U);
}

TEST_P(StoreContract, aLeaseIsKnownByItsUser) {
  const Task task = submit("j-a", "ada");
  EXPECT_FALSE(store().userOfLease(task.id, 0)->has_value());
  const int64_t epoch = claim(task.id);
  EXPECT_EQ(store().userOfLease(task.id, epoch)->value(), "ada");
  EXPECT_FALSE(store().userOfLease(task.id, epoch + 1)->has_value());
}

}  // namespace hone::server::testing
