// What a listing costs: it reads what it shows, and shows no more at once than a message may hold.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/failpoint.h"
#include "server/store/sqlite_store.h"
#include "tests/server/disk/file_calls.h"
#include "tests/server/scratch.h"
#include "tests/server/store/store_contract.h"

namespace hone::server::testing {
namespace {

class Listing : public ::testing::Test {
 protected:
  Listing() { open(); }
  void open() {
    store_.reset();
    store_ = *openSqliteStore({.folder = scratch_.path()}, none_);
  }
  /// Puts a job and leaves it in \p state.
  void put(const std::string &id, const std::string &user, v1::JobState state, size_t fat) {
    NewJob job = newJob(id, user);
    job.request.mutable_spec()->mutable_compile()->mutable_options()->set_schedules(std::string(fat, 's'));
    const int64_t task = store_->putJob(job, 10)->tasks.at(0).id;
    if (state == v1::JOB_PENDING) return;
    if (state == v1::JOB_CANCELLED) {
      ASSERT_TRUE(*store_->endJob(task, state, {}, "user:ada", "", 11));
      return;
    }
    const int64_t epoch = store_->claim(task, "w", 11)->epoch;
    if (state == v1::JOB_RUNNING) return;
    const bool isDone = state == v1::JOB_SUCCEEDED;
    ASSERT_TRUE(*complete(*store_, task, epoch, isDone ? AttemptEnd::Done : AttemptEnd::Failed,
                          resultOf(isDone ? v1::Result::DONE : v1::Result::WORK_FAILED, std::string(fat, 'r')), "", "",
                          12));
  }
  std::vector<std::string> list(v1::ListJobsRequest request, int *pages = nullptr) {
    std::vector<std::string> ids;
    for (;;) {
      const auto page = store_->jobs(
          request, [](v1::JobSpec &spec) { spec.mutable_compile()->mutable_options()->clear_schedules(); });
      EXPECT_EQ(page.status(), absl::OkStatus());
      if (!page.ok()) return ids;
      EXPECT_LT(page->ByteSizeLong(), size_t{4} << 20) << "more than a message may have";
      for (const v1::Job &job : page->jobs()) ids.push_back(job.id());
      if (pages != nullptr) ++*pages;
      if (page->next_page_token().empty()) return ids;
      request.set_page_token(page->next_page_token());
    }
  }

  const Scratch scratch_ = Scratch::inMemory();
  Failpoints none_;
  std::unique_ptr<Store> store_;
};

TEST_F(Listing, readsOnlyWhatItShows) {
  ASSERT_EQ(store_->begin(), absl::OkStatus());
  put("j-first", "ada", v1::JOB_RUNNING, 10);
  for (int i = 0; i < 3000; ++i) put(absl::StrCat("j-", i), i % 2 == 0 ? "ada" : "bob", v1::JOB_SUCCEEDED, 1500);
  ASSERT_EQ(store_->commit(), absl::OkStatus());
  open();  // closing the first one left all of it in the database
  for (const char *user : {"", "ada"}) {
    int reads = 0;
    v1::ListJobsRequest request;
    request.set_user(user);
    request.add_states(v1::JOB_RUNNING);
    request.add_states(v1::JOB_PENDING);
    {
      const FailCalls count([&](const FileCall &call) {
        if (call.kind == FileCall::Kind::Read) ++reads;
        return 0;
      });
      EXPECT_EQ(list(request), std::vector<std::string>{"j-first"});
    }
    EXPECT_LT(reads, 100) << "of some 3,000 pages";
  }
}

TEST_F(Listing, aPageHasNoMoreThanAMessageMayHold) {
  constexpr int kJobs = 15;
  std::vector<std::string> all;
  ASSERT_EQ(store_->begin(), absl::OkStatus());
  for (int i = 0; i < kJobs; ++i) {
    put(absl::StrCat("j-", i), "ada", v1::JOB_FAILED, 3 << 20);
    all.insert(all.begin(), absl::StrCat("j-", i));
  }
  ASSERT_EQ(store_->commit(), absl::OkStatus());
  for (const bool isFiltered : {false, true}) {
    v1::ListJobsRequest request;
    request.set_page_size(1000);
    if (isFiltered) request.add_states(v1::JOB_FAILED);
    int pages = 0;
    EXPECT_EQ(list(request, &pages), all);
    EXPECT_GT(pages, 3) << "each reads a few of the jobs' 6 MiB";
  }
}

TEST_F(Listing, aPageOfRecordsHasNoMoreEither) {
  std::vector<v1::Record> records(8);
  for (size_t i = 0; i < records.size(); ++i) {
    records[i].set_task(absl::StrCat("task ", i));
    records[i].mutable_target()->set_triple("x86_64-linux-gnu");
    records[i].set_threads(1);
    records[i].set_schedule(std::string(1 << 20, 's'));
  }
  ASSERT_EQ(store_->begin(), absl::OkStatus());
  ASSERT_TRUE(store_->putRecords(records, 1).ok());
  ASSERT_EQ(store_->commit(), absl::OkStatus());
  v1::QueryRecordsRequest request;
  request.set_page_size(1000);
  std::vector<std::string> tasks;
  do {
    const auto page = store_->records(request);
    ASSERT_EQ(page.status(), absl::OkStatus());
    EXPECT_LT(page->ByteSizeLong(), size_t{4} << 20);
    for (const v1::Record &record : page->records()) tasks.push_back(record.task());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  ASSERT_EQ(tasks.size(), records.size());
  for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(tasks[i], records[i].task());
}

/// All states, users and page sizes against a list of the test's own.
TEST_F(Listing, filtersByStateAndUser) {
  constexpr v1::JobState kStates[] = {v1::JOB_PENDING, v1::JOB_RUNNING, v1::JOB_SUCCEEDED, v1::JOB_FAILED,
                                      v1::JOB_CANCELLED};
  struct Known {
    std::string id, user;
    v1::JobState state;
  };
  std::vector<Known> known;  // newest first
  ASSERT_EQ(store_->begin(), absl::OkStatus());
  for (int i = 0; i < 60; ++i) {
    const Known one{absl::StrCat("j-", i), i % 3 == 0 ? "ada" : "bob", kStates[(i * 7 + i / 5) % 5]};
    put(one.id, one.user, one.state, 10);
    known.insert(known.begin(), one);
  }
  ASSERT_EQ(store_->commit(), absl::OkStatus());
  for (int chosen = 0; chosen < 32; ++chosen) {
    for (const std::string user : {"", "ada", "bob", "eve"}) {
      v1::ListJobsRequest request;
      request.set_user(user);
      request.set_page_size(1 + chosen % 7);
      for (int state = 0; state < 5; ++state) {
        if ((chosen >> state & 1) != 0) request.add_states(kStates[state]);
      }
      std::vector<std::string> expected;
      for (const Known &one : known) {
        bool isWanted = chosen == 0;
        for (const int state : request.states()) isWanted = isWanted || state == one.state;
        if (isWanted && (user.empty() || user == one.user)) expected.push_back(one.id);
      }
      EXPECT_EQ(list(request), expected) << chosen << " " << user;
    }
  }
}

}  // namespace
}  // namespace hone::server::testing
