// kill -9 in the middle of commits: what was acknowledged is there, once; what was not is there wholly or not at all.
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/failpoint.h"
#include "server/store/maintenance.h"
#include "server/store/sqlite_store.h"
#include "tests/server/all_attempts.h"
#include "tests/server/scratch.h"
#include "tests/server/store/child.h"
#include "tests/server/store/store_contract.h"
#include "tests/support/effort.h"
#include "tests/support/random.h"

namespace hone::server::testing {
namespace {

using hone::testing::effort;
using hone::testing::Random;

/// Random groups of submissions, grants, returns and completions, each acknowledged after its commit, for ever.
void work(const std::filesystem::path &folder, uint64_t seed, const Child::Tell &tell) {
  Failpoints none;
  absl::StatusOr<std::unique_ptr<Store>> store = openSqliteStore({.folder = folder}, none);
  if (!store.ok()) {
    tell(absl::StrCat("refused ", store.status().message()));
    return;
  }
  Random random(seed);
  for (int64_t group = 0;; ++group) {
    std::vector<std::string> acks;
    const Unfinished unfinished = *(*store)->unfinished();
    const std::vector<Task> &tasks = unfinished.tasks;
    std::map<int64_t, std::string> ids;
    for (const JobRow &job : unfinished.jobs) ids[job.number] = job.id;
    if (!(*store)->begin().ok()) return;
    const int64_t submissions = tasks.size() > 50 ? 0 : random.between(1, 8);
    for (int64_t i = 0; i < submissions; ++i) {
      const std::string id = absl::StrCat("j-", seed, "-", group, "-", i);
      if (!(*store)->putJob(newJob(id, "ada"), 1).ok()) return;
      acks.push_back(absl::StrCat("submitted ", id));
    }
    for (const Task &task : tasks) {
      if (!random.chance(40)) continue;
      if (!task.isLeased) {
        const absl::StatusOr<Grant> grant = (*store)->claim(task.id, "w", 2);
        if (!grant.ok()) return;
        acks.push_back(absl::StrCat("granted ", ids[task.job], " ", grant->epoch));
      } else if (random.chance(20)) {
        if (!*(*store)->requeue(task.id, task.epoch, AttemptEnd::Lost, "lost", 3)) return;
      } else {
        if (!*complete(**store, task.id, task.epoch, AttemptEnd::Done, resultOf(v1::Result::DONE, ""), "", "", 4)) {
          return;
        }
        acks.push_back(absl::StrCat("done ", ids[task.job], " ", task.epoch));
      }
    }
    if (!(*store)->commit().ok()) return;
    for (const std::string &ack : acks) tell(ack);
  }
}

/// What was acknowledged, over all lives of the coordinator.
struct Acknowledged {
  std::map<std::string, int64_t> epochs;  ///< of every job, the last that was granted
  std::map<std::string, int64_t> done;    ///< with which epoch

  void take(const std::string &line) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    ASSERT_GE(words.size(), 2U) << line;
    int64_t epoch = 0;
    if (words.size() > 2) {
      ASSERT_TRUE(absl::SimpleAtoi(words[2], &epoch)) << line;
    }
    if (words[0] == "submitted") {
      epochs[words[1]] = 0;
    } else if (words[0] == "granted") {
      EXPECT_GT(epoch, epochs[words[1]]) << "an epoch was granted twice: " << line;
      epochs[words[1]] = epoch;
    } else {
      ASSERT_EQ(words[0], "done") << line;
      EXPECT_TRUE(done.emplace(words[1], epoch).second) << "ended twice: " << line;
    }
  }

  void expectIn(const Store &store) const {
    for (const auto &[id, epoch] : epochs) {
      const absl::StatusOr<v1::Job> job = store.job(id);
      ASSERT_EQ(job.status(), absl::OkStatus()) << "an acknowledged job is lost";
      EXPECT_GE(job->attempts(), epoch) << id;
      if (done.contains(id)) {
        EXPECT_EQ(job->state(), v1::JOB_SUCCEEDED) << id;
        EXPECT_EQ(allAttempts(store, id)->back().epoch(), done.at(id));
      }
    }
  }
};

TEST(Crash, everyAcknowledgedChangeIsThereAfterKills) {
  const uint64_t seed = hone::testing::testSeed();
  Random random(seed);
  Scratch scratch;
  Acknowledged acknowledged;
  for (int64_t life = 0; life < effort(12, 200); ++life) {
    Child child([&](const Child::Tell &tell) { work(scratch.path(), seed + static_cast<uint64_t>(life), tell); });
    std::string line;
    for (int64_t lines = random.between(0, 60); lines > 0 && child.line(line); --lines) acknowledged.take(line);
    usleep(static_cast<useconds_t>(random.between(0, 20000)));
    child.kill();
    ASSERT_TRUE(child.wasKilled()) << "it ended by itself: " << line;
    while (child.line(line)) acknowledged.take(line);
    const absl::StatusOr<FsckReport> report = fsck(scratch.path());
    ASSERT_EQ(report.status(), absl::OkStatus());
    EXPECT_TRUE(report->isWhole()) << report->findings[0];
    Failpoints none;
    absl::StatusOr<std::unique_ptr<Store>> store = openSqliteStore({.folder = scratch.path()}, none);
    ASSERT_EQ(store.status(), absl::OkStatus());
    acknowledged.expectIn(**store);
    if (HasFailure()) return;
  }
  EXPECT_GT(acknowledged.done.size(), 10U);
}

/// Groups of two jobs; the \p number-th commit ends at the failpoint. How many jobs are there afterwards?
int jobsAfter(const std::string &failpoint) {
  Scratch scratch;
  Child child([&](const Child::Tell &tell) {
    Failpoints failpoints(failpoint);
    std::unique_ptr<Store> store = *openSqliteStore({.folder = scratch.path()}, failpoints);
    for (int i = 0; i < 20; i += 2) {
      if (!store->begin().ok()) return;
      for (const int job : {i, i + 1}) {
        if (!store->putJob(newJob(absl::StrCat("j-", job), "ada"), 1).ok()) return;
      }
      if (!store->commit().ok()) return;
    }
  });
  EXPECT_TRUE(child.wasKilled());
  Failpoints none;
  return (*openSqliteStore({.folder = scratch.path()}, none))->jobs({})->jobs_size();
}

TEST(Crash, aCommitIsAllOrNothingAtItsFailpoints) {
  EXPECT_EQ(jobsAfter("store.commit.before"), 0);
  EXPECT_EQ(jobsAfter("store.commit.before:4"), 6);
  EXPECT_EQ(jobsAfter("store.commit.after"), 2);
  EXPECT_EQ(jobsAfter("store.commit.after:4"), 8);
}

/// The first start, killed anywhere: the next one works.
TEST(Crash, aKilledFirstStartLeavesNoTrace) {
  Random random(hone::testing::testSeed());
  for (int64_t round = 0; round < effort(20, 200); ++round) {
    Scratch scratch;
    {
      Child child([&](const Child::Tell &tell) {
        Failpoints none;
        absl::StatusOr<std::unique_ptr<Store>> store = openSqliteStore({.folder = scratch.path()}, none);
      });
      usleep(static_cast<useconds_t>(random.between(0, 40000)));
    }
    Failpoints none;
    EXPECT_EQ(openSqliteStore({.folder = scratch.path()}, none).status(), absl::OkStatus());
  }
}

}  // namespace
}  // namespace hone::server::testing
