// How many changes a second the store carries, in groups of several sizes. Prints; gates nothing but correctness: a
// fast machine is not promised.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/failpoint.h"
#include "server/store/sqlite_store.h"
#include "tests/server/scratch.h"
#include "tests/server/store/store_contract.h"
#include "tests/support/effort.h"

namespace hone::server::testing {
namespace {

using hone::testing::effort;

class Throughput {
 public:
  Throughput() { store_ = *openSqliteStore({.folder = scratch_.path()}, failpoints_); }

  /// \p change for 0, 1, …, \p count - 1 in groups; returns changes a second.
  template <typename Change>
  double run(int64_t count, int64_t group, Change change) {
    const auto begin = std::chrono::steady_clock::now();
    double longest = 0;
    for (int64_t done = 0; done < count;) {
      const auto groupBegin = std::chrono::steady_clock::now();
      EXPECT_EQ(store_->begin(), absl::OkStatus());
      for (int64_t i = 0; i < group && done < count; ++i, ++done) change(done);
      EXPECT_EQ(store_->commit(), absl::OkStatus());
      longest = std::max(longest, seconds(groupBegin));
    }
    longestMillis_ = longest * 1e3;
    return static_cast<double>(count) / seconds(begin);
  }
  Store &store() { return *store_; }
  double longestMillis() const { return longestMillis_; }

 private:
  static double seconds(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  Scratch scratch_;
  Failpoints failpoints_;
  std::unique_ptr<Store> store_;
  double longestMillis_ = 0;
};

TEST(Throughput, changesPerSecond) {
  const int64_t count = effort(2000, 20000);
  std::printf("%8s %12s %12s %12s %16s\n", "group", "submit/s", "claim/s", "complete/s", "longest group ms");
  for (const int64_t group : {1, 16, 64, 256}) {
    Throughput bench;
    const int64_t jobs = group == 1 ? count / 10 : count;
    std::vector<int64_t> tasks;
    std::vector<int64_t> epochs;
    NewJob job = newJob("", "ada");
    for (int i = 0; i < 60; ++i) {
      job.request.mutable_spec()->mutable_compile()->mutable_options()->mutable_target_description()->add_features(
          "+avx512vnni");
    }
    const double submits = bench.run(jobs, group, [&](int64_t i) {
      job.id = absl::StrCat("j-", i);
      job.request.set_request_id(job.id);
      tasks.push_back(bench.store().putJob(job, i + 1)->tasks.at(0).id);
    });
    double longest = bench.longestMillis();
    const double claims = bench.run(jobs, group, [&](int64_t i) {
      epochs.push_back(bench.store().claim(tasks[i], absl::StrCat("worker-", i % 1000), i + 2)->epoch);
    });
    longest = std::max(longest, bench.longestMillis());
    const v1::JobResult result = resultOf(v1::Result::DONE, "", 3);
    const double completions = bench.run(jobs, group, [&](int64_t i) {
      EXPECT_TRUE(*complete(bench.store(), tasks[i], epochs[i], AttemptEnd::Done, result, "done", "", i + 3));
    });
    longest = std::max(longest, bench.longestMillis());
    std::printf("%8ld %12.0f %12.0f %12.0f %16.1f\n", static_cast<long>(group), submits, claims, completions, longest);
    EXPECT_TRUE(bench.store().unfinished()->tasks.empty());
    EXPECT_EQ(bench.store().usage("ada")->runningJobs, 0);
  }
}

}  // namespace
}  // namespace hone::server::testing
