// Items that do harm: only they are blamed, the others go on.
#include <filesystem>

#include "tests/worker/items_fixture.h"

namespace hone::test {
namespace {

class BlameTest : public ItemsTest {
 protected:
  static constexpr int32_t kItems = 12;
  /// Does kItems items, one of which goes wrong so. What is said of that one.
  std::string blame(int64_t task, ProbeFault fault, int32_t item) {
    const uint64_t seed = faultySeed(fault, item);
    coordinator_->grant(task, 1, probeOf(seed, kItems));
    result_ = resultOf(task);
    EXPECT_EQ(result_.result().outcome(), v1::Result::DONE) << result_.result().sentence();
    EXPECT_FALSE(result_.is_workers_fault());
    expectItems(task, seed, range(0, kItems), item);
    return errorOf(task, item);
  }
  /// Of the processes that did the lease's items, how many each did.
  std::vector<int> shares() const {
    std::map<int, int> counts;
    std::vector<int> order;
    for (const DoneItem &item : doneItems(result_.log()))
      if (counts[item.process]++ == 0) order.push_back(item.process);
    for (int &process : order) process = counts[process];
    return order;
  }
  v1::LeaseResult result_;
};

TEST_F(BlameTest, ACrash) {
  startBoth();
  EXPECT_EQ(blame(1, ProbeFault::Crash, 5), "the probe crashed in phase probe (signal 6, Aborted)");
  EXPECT_EQ(shares(), (std::vector<int>{6, 6}));
  // The first and the last are none of a kind of their own.
  EXPECT_NE(blame(2, ProbeFault::Crash, 0), "");
  EXPECT_EQ(shares(), (std::vector<int>{1, 11}));
  EXPECT_NE(blame(3, ProbeFault::Crash, kItems - 1), "");
  EXPECT_EQ(shares(), (std::vector<int>{12}));
  expectCleanEnd();
}

TEST_F(BlameTest, AnEndWithoutAWord) {
  startBoth();
  EXPECT_EQ(blame(1, ProbeFault::Quit, 5), "the work's process ended without a result in phase probe (status 7)");
  EXPECT_EQ(shares(), (std::vector<int>{6, 6}));
  expectCleanEnd();
}

TEST_F(BlameTest, AHang) {
  startBoth();
  EXPECT_EQ(blame(1, ProbeFault::Hang, 5), "the work took longer than its deadline of 4 seconds in phase probe");
  EXPECT_EQ(shares(), (std::vector<int>{6, 6}));
  expectCleanEnd();
}

TEST_F(BlameTest, Nonsense) {
  startBoth();
  EXPECT_EQ(blame(1, ProbeFault::Nonsense, 5), "the work's process sent what is no report in phase probe");
  EXPECT_EQ(shares(), (std::vector<int>{6, 6}));
  expectCleanEnd();
}

TEST_F(BlameTest, AnAnswerTooMuchIsNobodyElses) {
  startBoth();
  const uint64_t seed = faultySeed(ProbeFault::Chatter, 5);
  coordinator_->grant(1, 1, probeOf(seed, kItems));
  result_ = resultOf(1);
  EXPECT_EQ(result_.result().outcome(), v1::Result::DONE);
  const std::vector<v1::ItemResult> all = items(1);
  ASSERT_EQ(all.size(), static_cast<size_t>(kItems));
  for (const v1::ItemResult &item : all) {
    if (item.item() == 5) continue;
    EXPECT_EQ(item.probe_number(), probeNumber(seed, item.item())) << item.item();
  }
  // The answer may come to light when the next item has begun, which another process then does again.
  const std::vector<int> done = shares();
  ASSERT_EQ(done.size(), 2U);
  EXPECT_TRUE(done[0] == 6 || done[0] == 7) << done[0];
  EXPECT_EQ(done[1], 6);
  expectCleanEnd();
}

#ifndef HONE_TEST_SANITIZED
TEST_F(BlameTest, AHungerForMemory) {
  startBoth({}, {"--child-memory", "256MiB"});
  EXPECT_EQ(blame(1, ProbeFault::Allocate, 5), "out of memory");
  EXPECT_EQ(shares(), (std::vector<int>{6, 6})) << "a process that ran out of something is not used further";
  expectCleanEnd();
}
#endif

TEST_F(BlameTest, AFullFolder) {
  startBoth({}, {"--child-disk", "64MiB"});
  EXPECT_EQ(blame(1, ProbeFault::Litter, 5),
            "the work put more than 64 MiB into its folder in phase probe; the worker's --child-disk allows it more");
  EXPECT_EQ(shares(), (std::vector<int>{6, 6}));
  expectCleanEnd();
}

TEST_F(BlameTest, WhatAnItemForgetsIsNotTheNextOnes) {
  startBoth({}, {"--child-disk", "64MiB"});
  const uint64_t seed = faultySeed(ProbeFault::Forget, kEveryItem);
  coordinator_->grant(1, 1, probeOf(seed, 3));
  result_ = resultOf(1);
  expectItems(1, seed, range(0, 3));
  EXPECT_EQ(shares(), (std::vector<int>{3}));
  expectCleanEnd();
}

TEST_F(BlameTest, ARefusedItemCostsNoProcess) {
  startBoth();
  EXPECT_EQ(blame(1, ProbeFault::Refuse, 5), "this item is refused");
  EXPECT_EQ(shares(), (std::vector<int>{12}));
  expectCleanEnd();
}

TEST_F(BlameTest, AProcessThatIsGoneBeforeAnItemBeginsBlamesNobody) {
  startBoth();
  const uint64_t seed = faultySeed(ProbeFault::Leave, 5);
  coordinator_->grant(1, 1, probeOf(seed, kItems));
  result_ = resultOf(1);
  EXPECT_EQ(result_.result().outcome(), v1::Result::DONE);
  expectItems(1, seed, range(0, kItems));
  EXPECT_EQ(shares(), (std::vector<int>{6, 6}));
  expectCleanEnd();
}

TEST_F(BlameTest, TheWorkerIfNoProcessCanBeStarted) {
  startBoth();
  const uint64_t seed = faultySeed(ProbeFault::Hang, kEveryItem);
  coordinator_->grant(1, 1, probeOf(seed, kItems));
  awaitBusy(1);
  std::filesystem::remove_all(folder_ + "/data/work");
  result_ = resultOf(1);
  EXPECT_TRUE(result_.is_workers_fault());
  EXPECT_NE(result_.result().sentence().find("cannot make a folder"), std::string::npos) << result_.result().sentence();
  // What was done stays done: the first item, and another one if there was a process in reserve.
  const auto count = static_cast<int32_t>(items(1).size());
  EXPECT_GE(count, 1);
  EXPECT_LE(count, 2);
  for (const v1::ItemResult &item : items(1)) EXPECT_NE(item.probe_error(), "");
  std::filesystem::create_directories(folder_ + "/data/work");
  coordinator_->grant(1, 2, probeOf(3, kItems), 60, 120, range(0, count));
  EXPECT_EQ(resultOf(1).result().outcome(), v1::Result::DONE);
  expectItems(1, 3, range(count, kItems), -1, 2);
  expectCleanEnd();
}

}  // namespace
}  // namespace hone::test
