// The contract about jobs, leases and events.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/all_attempts.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

/// "->pending user:ada submitted", …; and that the sequence is 1, 2, 3, …
std::vector<std::string> story(Store &store, const std::string &id) {
  std::vector<std::string> lines;
  absl::StatusOr<std::vector<v1::JobEvent>> events = store.events(id, 0);
  EXPECT_EQ(events.status(), absl::OkStatus());
  if (!events.ok()) return lines;
  for (const v1::JobEvent &event : *events) {
    lines.push_back(
        absl::StrCat(v1::JobState_Name(event.from()), ">", v1::JobState_Name(event.to()), " ", event.actor()));
    EXPECT_EQ(event.sequence(), static_cast<int64_t>(lines.size()));
    EXPECT_GT(event.micros(), 0);
  }
  return lines;
}

}  // namespace

TEST_P(StoreContract, changesNeedATransaction) {
  EXPECT_TRUE(absl::IsFailedPrecondition(store().putJob(newJob("j-a", "ada"), 1).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(store().claim(1, "w", 1).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(store().removeCacheEntry("k")));
  EXPECT_TRUE(absl::IsFailedPrecondition(store().commit()));
  begin();
  EXPECT_TRUE(absl::IsFailedPrecondition(store().begin()));
  commit();
}

TEST_P(StoreContract, rollbackUndoesEverything) {
  const Task task = submit("j-a");
  begin();
  ASSERT_TRUE(store().putJob(newJob("j-b", "ada"), 5).ok());
  ASSERT_TRUE(store().claim(task.id, "w1", 6).ok());
  ASSERT_TRUE(store().putBlob({digestOf(9), "ada", 1, 1}).ok());
  store().rollback();
  EXPECT_TRUE(absl::IsNotFound(store().job("j-b").status()));
  EXPECT_EQ(job("j-a").state(), v1::JOB_PENDING);
  EXPECT_EQ(store().unfinished()->tasks.size(), 1U);
  EXPECT_EQ(store().unfinished()->lastGrantSequence, 0);
  EXPECT_EQ(store().usage("ada")->blobBytes, 0);
  EXPECT_EQ(store().usage("ada")->queuedJobs, 1);
  // And the store goes on.
  EXPECT_EQ(claim(task.id), 1);
  EXPECT_EQ(store().unfinished()->tasks[0].grantSequence, 1);
}

TEST_P(StoreContract, readersSeeOnlyWhatIsCommitted) {
  begin();
  ASSERT_TRUE(store().putJob(newJob("j-a", "ada"), 5).ok());
  EXPECT_TRUE(absl::IsNotFound(store().job("j-a").status()));
  EXPECT_TRUE(store().unfinished()->tasks.empty());
  commit();
  EXPECT_EQ(job("j-a").id(), "j-a");
}

TEST_P(StoreContract, aRequestMakesOneJob) {
  const Task task = submit("j-a");
  EXPECT_EQ(store().unfinished()->jobs.at(0).id, "j-a");
  NewJob again = newJob("j-b", "ada");
  again.request.set_request_id("request-j-a");
  begin();
  absl::StatusOr<Store::PutJob> put = store().putJob(again, 9);
  ASSERT_EQ(put.status(), absl::OkStatus());
  EXPECT_FALSE(put->row.has_value());
  EXPECT_EQ(put->job.id(), "j-a");
  // The same in the same transaction, and another user's request of that name is another job.
  NewJob other = newJob("j-c", "bob");
  other.request.set_request_id("request-j-a");
  ASSERT_TRUE(store().putJob(other, 10)->row.has_value());
  other.id = "j-d";
  EXPECT_EQ(store().putJob(other, 11)->job.id(), "j-c");
  commit();
  EXPECT_TRUE(absl::IsNotFound(store().job("j-b").status()));
  EXPECT_EQ(store().jobOfRequest("ada", "request-j-a")->id(), "j-a");
  EXPECT_EQ(store().jobOfRequest("bob", "request-j-a")->id(), "j-c");
  EXPECT_TRUE(absl::IsNotFound(store().jobOfRequest("eve", "request-j-a").status()));
}

TEST_P(StoreContract, idsAreUnique) {
  submit("j-a");
  NewJob twin = newJob("j-a", "bob");
  begin();
  EXPECT_TRUE(absl::IsAlreadyExists(store().putJob(twin, 9).status()));
  twin.request.clear_request_id();
  EXPECT_TRUE(absl::IsInvalidArgument(store().putJob(twin, 9).status()));
  commit();
  EXPECT_EQ(job("j-a").user(), "ada");
  EXPECT_EQ(store().usage("bob")->queuedJobs, 0);
}

TEST_P(StoreContract, aJobKeepsWhatWasAsked) {
  NewJob asked = newJob("j-a", "ada \xe2\x98\x83 'quoted\"");
  asked.tasks[0].key = "rpi4";
  asked.tasks[0].cacheKey = "cache";
  asked.request.set_priority(-7);
  asked.request.mutable_spec()->mutable_compile()->mutable_options()->set_schedules(std::string("a\0b", 3));
  begin();
  absl::StatusOr<Store::PutJob> put = store().putJob(asked, 42);
  commit();
  reopen();
  const v1::Job read = job("j-a");
  EXPECT_EQ(read.SerializeAsString(), put->job.SerializeAsString());
  EXPECT_EQ(read.user(), asked.user);
  EXPECT_EQ(read.label(), "label of j-a");
  EXPECT_EQ(read.priority(), -7);
  EXPECT_EQ(read.submitted_micros(), 42);
  EXPECT_EQ(read.started_micros(), 0);
  EXPECT_EQ(read.last_sequence(), 1);
  EXPECT_EQ(read.spec().SerializeAsString(), asked.request.spec().SerializeAsString());
  const Unfinished unfinished = *store().unfinished();
  ASSERT_EQ(unfinished.tasks.size(), 1U);
  const Task &task = unfinished.tasks[0];
  EXPECT_EQ(task.id, put->tasks.at(0).id);
  ASSERT_EQ(unfinished.jobs.size(), 1U);
  const JobRow &row = unfinished.jobs[0];
  EXPECT_EQ(task.job, row.number);
  EXPECT_EQ(row.id, "j-a");
  EXPECT_EQ(row.user, asked.user);
  EXPECT_EQ(row.kind, "compile");
  EXPECT_EQ(task.key, "rpi4");
  EXPECT_EQ(task.cacheKey, "cache");
  EXPECT_EQ(task.kind, "compile");
  EXPECT_EQ(task.createdMicros, 42);
  EXPECT_EQ(row.priority, -7);
  EXPECT_EQ(row.submittedMicros, 42);
  EXPECT_EQ(row.deadlineMicros, 77);
  EXPECT_EQ(row.tasks, 1);
  EXPECT_FALSE(row.isRunning);
  EXPECT_FALSE(task.isLeased);
}

TEST_P(StoreContract, aLeaseIsGrantedOnce) {
  const Task task = submit("j-a");
  begin();
  absl::StatusOr<Grant> grant = store().claim(task.id, "w1", 50);
  ASSERT_EQ(grant.status(), absl::OkStatus());
  EXPECT_EQ(grant->epoch, 1);
  EXPECT_EQ(grant->spec.compile().model().sha256(), digestOf(1).sha256());
  EXPECT_TRUE(absl::IsNotFound(store().claim(task.id, "w2", 51).status()));
  EXPECT_TRUE(absl::IsNotFound(store().claim(task.id + 1000, "w2", 51).status()));
  commit();
  const v1::Job read = job("j-a");
  EXPECT_EQ(read.state(), v1::JOB_RUNNING);
  EXPECT_EQ(read.worker(), "w1");
  EXPECT_EQ(read.attempts(), 1);
  EXPECT_EQ(read.started_micros(), 50);
  reopen();
  const Unfinished unfinished = *store().unfinished();
  ASSERT_EQ(unfinished.tasks.size(), 1U);
  EXPECT_TRUE(unfinished.tasks[0].isLeased);
  EXPECT_EQ(unfinished.tasks[0].epoch, 1);
  EXPECT_EQ(unfinished.tasks[0].worker, "w1");
  EXPECT_EQ(unfinished.lastGrantSequence, 1);
}

TEST_P(StoreContract, aStaleEpochChangesNothing) {
  const Task task = submit("j-a");
  begin();
  EXPECT_FALSE(*complete(store(), task.id, 0, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "", 1));
  commit();
  const int64_t first = claim(task.id, "w1");
  begin();
  EXPECT_FALSE(*complete(store(), task.id, first + 1, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "", 1));
  EXPECT_TRUE(*store().requeue(task.id, first, AttemptEnd::Expired, "no heartbeat for 20 s", 60));
  EXPECT_FALSE(*store().requeue(task.id, first, AttemptEnd::Expired, "again", 61));
  EXPECT_FALSE(*complete(store(), task.id, first, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "k", 62));
  commit();
  EXPECT_EQ(job("j-a").state(), v1::JOB_PENDING);
  const int64_t second = claim(task.id, "w2");
  EXPECT_GT(second, first);
  begin();
  EXPECT_FALSE(*complete(store(), task.id, first, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "k", 63));
  EXPECT_TRUE(*complete(store(), task.id, second, AttemptEnd::Done, resultOf(v1::Result::DONE, "", 5), "log", "k", 64));
  EXPECT_FALSE(*complete(store(), task.id, second, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "k", 65));
  commit();
  EXPECT_EQ(story(store(), "j-a"),
            (std::vector<std::string>{"JOB_STATE_UNSPECIFIED>JOB_PENDING user:ada", "JOB_PENDING>JOB_RUNNING worker:w1",
                                      "JOB_RUNNING>JOB_PENDING server", "JOB_PENDING>JOB_RUNNING worker:w2",
                                      "JOB_RUNNING>JOB_SUCCEEDED worker:w2"}));
  const std::vector<v1::Attempt> attempts = *allAttempts(store(), "j-a");
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(attempts[0].end(), "expired");
  EXPECT_EQ(attempts[0].ended_micros(), 60);
  EXPECT_EQ(attempts[1].end(), "done");
  EXPECT_EQ(attempts[1].log(), "log");
  EXPECT_EQ(attempts[1].worker(), "w2");
  EXPECT_EQ(store().cached("k").value()->result.artifact().sha256(), digestOf(5).sha256());
  EXPECT_TRUE(store().unfinished()->tasks.empty());
}

TEST_P(StoreContract, aFailureIsAResultAndIsNotCached) {
  const Task task = submit("j-a");
  const int64_t epoch = claim(task.id);
  begin();
  EXPECT_TRUE(absl::IsInvalidArgument(
      complete(store(), task.id, epoch, AttemptEnd::Lost, resultOf(v1::Result::DONE, ""), "", "", 1).status()));
  EXPECT_TRUE(*complete(store(), task.id, epoch, AttemptEnd::Failed,
                        resultOf(v1::Result::INPUT_REFUSED, "the model is damaged"), "text", "k", 70));
  commit();
  reopen();
  const v1::Job read = job("j-a");
  EXPECT_EQ(read.state(), v1::JOB_FAILED);
  EXPECT_EQ(read.ended_micros(), 70);
  EXPECT_EQ(read.result().result().sentence(), "the model is damaged");
  EXPECT_EQ(store().events("j-a", 2)->at(0).detail(), "the model is damaged");
  EXPECT_FALSE(store().cached("k")->has_value());
  EXPECT_TRUE(absl::IsNotFound(store().events("j-none", 0).status()));
  EXPECT_TRUE(absl::IsNotFound(allAttempts(store(), "j-none").status()));
}

TEST_P(StoreContract, finishEndsWhatIsPendingOrLeased) {
  const Task pending = submit("j-a");
  const Task leased = submit("j-b");
  const int64_t epoch = claim(leased.id);
  const v1::JobResult cancelled = resultOf(v1::Result::UNAVAILABLE, "cancelled by bob");
  begin();
  EXPECT_TRUE(absl::IsInvalidArgument(store().endJob(pending.job, v1::JOB_RUNNING, cancelled, "s", "d", 1).status()));
  EXPECT_TRUE(*store().endJob(pending.job, v1::JOB_CANCELLED, cancelled, "user:bob", "cancelled", 80));
  EXPECT_FALSE(*store().endJob(pending.job, v1::JOB_FAILED, cancelled, "user:bob", "cancelled", 81));
  EXPECT_TRUE(*store().endJob(leased.job, v1::JOB_FAILED, cancelled, "server", "too late", 82));
  EXPECT_FALSE(*store().endJob(leased.job + 1000, v1::JOB_FAILED, cancelled, "server", "too late", 82));
  EXPECT_FALSE(*complete(store(), leased.id, epoch, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "", 83));
  EXPECT_FALSE(*complete(store(), leased.id, epoch + 1, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "", 83));
  EXPECT_TRUE(absl::IsNotFound(store().claim(pending.id, "w", 84).status()));
  commit();
  EXPECT_EQ(job("j-a").state(), v1::JOB_CANCELLED);
  EXPECT_EQ(job("j-a").result().result().sentence(), "cancelled by bob");
  EXPECT_EQ(job("j-b").state(), v1::JOB_FAILED);
  EXPECT_EQ(allAttempts(store(), "j-b")->at(0).end(), "expired");
  EXPECT_EQ(story(store(), "j-a").back(), "JOB_PENDING>JOB_CANCELLED user:bob");
  EXPECT_EQ(story(store(), "j-b").back(), "JOB_RUNNING>JOB_FAILED server");
  EXPECT_TRUE(store().unfinished()->tasks.empty());
}

TEST_P(StoreContract, grantsAreCountedOverRestartsAndRemovals) {
  const Task first = submit("j-a");
  const int64_t epoch = claim(first.id);
  begin();
  ASSERT_TRUE(*complete(store(), first.id, epoch, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "", 90));
  EXPECT_EQ(*store().removeEndedJobs(91, 10), 1);
  commit();
  reopen();
  EXPECT_EQ(store().unfinished()->lastGrantSequence, 1);
  const Task second = submit("j-b");
  EXPECT_GT(second.id, first.id) << "a worker may still name the removed task";
  claim(second.id);
  EXPECT_EQ(store().unfinished()->tasks.at(0).grantSequence, 2);
}

TEST_P(StoreContract, theLastGrantOfEachUserOutlivesItsTask) {
  const Task first = submit("j-a", "ada");
  const Task second = submit("j-b", "bob");
  submit("j-c", "cyd");
  const int64_t epoch = claim(first.id);
  claim(second.id);
  begin();
  ASSERT_TRUE(*complete(store(), first.id, epoch, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "", 90));
  commit();
  const std::vector<Unfinished::LastGrant> grants = store().unfinished()->lastGrants;
  ASSERT_EQ(grants.size(), 2U) << "cyd was granted nothing";
  EXPECT_EQ(grants[0].user, "ada");
  EXPECT_EQ(grants[0].grantSequence, 1);
  EXPECT_EQ(grants[1].user, "bob");
  EXPECT_EQ(grants[1].grantSequence, 2);
}

TEST_P(StoreContract, retentionRemovesOnlyEndedJobsTheOldestFirst) {
  std::vector<Task> tasks;
  for (const char *id : {"j-a", "j-b", "j-c", "j-d"}) tasks.push_back(submit(id));
  begin();
  for (size_t i = 0; i < 3; ++i) {
    const auto ended = static_cast<int64_t>(300 - 100 * i);
    ASSERT_TRUE(
        *store().endJob(tasks[i].job, v1::JOB_CANCELLED, resultOf(v1::Result::UNAVAILABLE, ""), "s", "d", ended));
  }
  EXPECT_EQ(*store().removeEndedJobs(100, 10), 0) << "before, not at";
  EXPECT_EQ(*store().removeEndedJobs(1000, 1), 1);
  commit();
  EXPECT_TRUE(absl::IsNotFound(store().job("j-c").status()));
  EXPECT_TRUE(absl::IsNotFound(store().events("j-c", 0).status()));
  EXPECT_TRUE(store().job("j-b").ok());
  begin();
  EXPECT_EQ(*store().removeEndedJobs(1'000'000'000, 10), 2);
  commit();
  EXPECT_EQ(store().jobs({})->jobs_size(), 1);
  // The request of a removed job makes a new one.
  submit("j-a");
  EXPECT_EQ(job("j-a").state(), v1::JOB_PENDING);
}

TEST_P(StoreContract, eventsGoOnAfterASequence) {
  const Task task = submit("j-a");
  for (int i = 0; i < 3; ++i) {
    const int64_t epoch = claim(task.id);
    begin();
    ASSERT_TRUE(*store().requeue(task.id, epoch, AttemptEnd::Lost, absl::StrCat("lost ", i), ++now_));
    commit();
  }
  EXPECT_EQ(story(store(), "j-a").size(), 7U);
  const std::vector<v1::JobEvent> rest = *store().events("j-a", 5);
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[0].sequence(), 6);
  EXPECT_EQ(rest[1].detail(), "lost 2");
  EXPECT_TRUE(store().events("j-a", 7)->empty());
  EXPECT_EQ(job("j-a").last_sequence(), 7);
  EXPECT_EQ(job("j-a").attempts(), 3);
}

TEST_P(StoreContract, usageFollowsTheJobs) {
  const auto usage = [&](const std::string &user) {
    const UserUsage used = *store().usage(user);
    return absl::StrCat(used.queuedJobs, " ", used.runningJobs, " ", used.blobBytes);
  };
  EXPECT_EQ(usage("ada"), "0 0 0");
  const Task first = submit("j-a");
  const Task second = submit("j-b");
  submit("j-c", "bob");
  EXPECT_EQ(usage("ada"), "2 0 0");
  const int64_t epoch = claim(first.id);
  EXPECT_EQ(usage("ada"), "1 1 0");
  begin();
  ASSERT_TRUE(*store().requeue(first.id, epoch, AttemptEnd::Lost, "", 1));
  commit();
  EXPECT_EQ(usage("ada"), "2 0 0");
  const int64_t again = claim(first.id);
  begin();
  ASSERT_TRUE(*complete(store(), first.id, again, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "", 2));
  ASSERT_TRUE(*store().endJob(second.job, v1::JOB_CANCELLED, resultOf(v1::Result::DONE, ""), "s", "d", 3));
  commit();
  reopen();
  EXPECT_EQ(usage("ada"), "0 0 0");
  EXPECT_EQ(usage("bob"), "1 0 0");
}

}  // namespace hone::server::testing
