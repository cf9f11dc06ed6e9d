// Leases with items: what is sent when, what is kept, what is done again.
#include <signal.h>

#include <filesystem>

#include "tests/worker/items_fixture.h"

namespace hone::test {
namespace {

TEST_F(ItemsTest, AreDoneInOneProcessAndSentBeforeTheResult) {
  startBoth();
  coordinator_->grant(1, 1, probeOf(3, 64));
  const v1::LeaseResult result = resultOf(1);
  expectItems(1, 3, range(0, 64));
  EXPECT_EQ(result.result().outcome(), v1::Result::DONE) << result.result().sentence();
  const std::vector<DoneItem> done = doneItems(result.log());
  ASSERT_EQ(done.size(), 64u) << result.log();
  for (int32_t item = 0; item < 64; ++item) {
    EXPECT_EQ(done[static_cast<size_t>(item)].item, item);
    EXPECT_EQ(done[static_cast<size_t>(item)].work, item + 1) << "what is kept is there for the next";
  }
  EXPECT_EQ(processes(result.log()).size(), 1u);
  expectCleanEnd();
}

TEST_F(ItemsTest, AProcessServesOneLease) {
  startBoth();
  std::set<int> numbers;
  for (int64_t task = 1; task <= 3; ++task) {
    coordinator_->grant(task, 1, probeOf(3, 2));
    for (const int process : processes(resultOf(task).log())) EXPECT_TRUE(numbers.insert(process).second);
  }
  EXPECT_EQ(numbers.size(), 3u);
  expectCleanEnd();
}

TEST_F(ItemsTest, ATaskWithoutItemsHasItsAnswerInTheResult) {
  startBoth();
  coordinator_->grant(1, 1, probeOf(3, 0));
  const v1::LeaseResult result = resultOf(1);
  EXPECT_EQ(result.probe_number(), probeNumber(3, 0));
  EXPECT_TRUE(coordinator_->items(1).empty());
  // A refused one is refused, as any work without items.
  coordinator_->grant(2, 1, probeOf(faultySeed(ProbeFault::Refuse, 0), 0));
  EXPECT_EQ(resultOf(2).result().outcome(), v1::Result::INPUT_REFUSED);
  expectCleanEnd();
}

#ifndef HONE_TEST_SANITIZED
TEST_F(ItemsTest, LimitsHoldForEachItemAndForAll) {
  startBoth();
  coordinator_->grant(1, 1, probeOf(3, 2), 60, 1000);
  const std::vector<DoneItem> done = doneItems(resultOf(1).log());
  ASSERT_EQ(done.size(), 2u);
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  for (const DoneItem &item : done) {
    EXPECT_GE(item.cpuSoft, 60 * cpus + 60);
    EXPECT_LE(item.cpuSoft, 60 * cpus + 60 + 5) << "and what was used before";
    EXPECT_EQ(item.cpuHard, 1000 * cpus + 60 + 2);
  }
  expectCleanEnd();
}
#endif

TEST_F(ItemsTest, WhileAGroupIsOnItsWayTheNextOneGrows) {
  startBoth({.acknowledgesItems = false});
  coordinator_->grant(1, 1, probeOf(faultySeed(ProbeFault::Hang, 30), 40));
  const std::vector<int32_t> first = numbersOf(group(1, 0));
  awaitBusy(1);  // with the one that hangs: those before it have ended
  EXPECT_EQ(coordinator_->items(1).size(), 1u) << "another group before the first was acknowledged";
  coordinator_->acknowledge(group(1, 0));
  std::vector<int32_t> second = numbersOf(group(1, 1));
  // On a slow machine the one that hung may have come to its end by now.
  if (!second.empty() && second.back() == 30) second.pop_back();
  EXPECT_EQ(second, range(static_cast<int32_t>(first.size()), 30));
  // At the end nothing waits any longer: the result is to come after all of them.
  const v1::LeaseResult result = resultOf(1);
  EXPECT_EQ(result.result().outcome(), v1::Result::DONE);
  EXPECT_EQ(coordinator_->items(1).size(), 3u);
  expectItems(1, faultySeed(ProbeFault::Hang, 30), range(0, 40), 30);
  expectCleanEnd();
}

TEST_F(ItemsTest, ANewConnectionIsOfferedWhatIsNotAcknowledged) {
  startBoth({.acknowledges = false, .acknowledgesItems = false});
  coordinator_->grant(1, 1, probeOf(faultySeed(ProbeFault::Hang, 10), 12));
  const std::vector<int32_t> first = numbersOf(group(1, 0));
  awaitBusy(1);
  coordinator_->acknowledge(group(1, 0));
  const std::vector<int32_t> second = numbersOf(group(1, 1));
  ASSERT_EQ(first.size() + second.size(), 10u);
  coordinator_->cut();
  EXPECT_EQ(coordinator_->hello(2).held_size(), 1);
  const std::vector<int32_t> again = numbersOf(group(1, 2));
  ASSERT_GE(again.size(), second.size());
  EXPECT_EQ(std::vector(again.begin(), again.begin() + static_cast<long>(second.size())), second);
  EXPECT_TRUE(coordinator_->result(1).has_value());
  // Nobody has heard of the rest; the result comes again behind it.
  const size_t groups = coordinator_->items(1).size();
  coordinator_->cut();
  coordinator_->hello(3);
  EXPECT_TRUE(coordinator_->result(1).has_value());
  std::vector<int32_t> rest;
  for (size_t number = groups; number < coordinator_->items(1).size(); ++number)
    for (const int32_t item : numbersOf(group(1, number))) rest.push_back(item);
  EXPECT_EQ(rest, range(static_cast<int32_t>(first.size()), 12));
  coordinator_->acknowledge(1, 1);
  expectCleanEnd();
}

TEST_F(ItemsTest, ItemsGoOnWhileTheCoordinatorIsAway) {
  startBoth();
  coordinator_->grant(1, 1, probeOf(faultySeed(ProbeFault::Hang, 10), 12));
  awaitBusy(1);
  ASSERT_TRUE(eventually([&] { return items(1).size() == 10; }));
  coordinator_->stop();
  EXPECT_TRUE(eventually([&] { return worker_->log().find("lease ends") != std::string::npos; }));
  coordinator_->start();
  EXPECT_EQ(resultOf(1).result().outcome(), v1::Result::DONE);
  const std::vector<v1::ItemResult> all = items(1);
  // The acknowledgement of the last ones may have been lost: then they came twice.
  std::set<int32_t> came;
  for (const v1::ItemResult &item : all) came.insert(item.item());
  EXPECT_EQ(came.size(), 12u);
  expectCleanEnd();
}

TEST_F(ItemsTest, WhatHasEndedBeforeIsNotDoneAgain) {
  startBoth();
  coordinator_->grant(1, 2, probeOf(3, 8), 60, 120, {0, 2, 7});
  EXPECT_EQ(resultOf(1).result().outcome(), v1::Result::DONE);
  expectItems(1, 3, {1, 3, 4, 5, 6}, -1, 2);
  // Only the result was lost.
  coordinator_->grant(2, 2, probeOf(3, 3), 60, 120, {0, 1, 2});
  const v1::LeaseResult result = resultOf(2);
  EXPECT_EQ(result.result().outcome(), v1::Result::DONE) << result.result().sentence();
  EXPECT_EQ(result.log(), "");
  EXPECT_TRUE(coordinator_->items(2, 2).empty());
  expectCleanEnd();
}

TEST_F(ItemsTest, ARevokedLeaseEndsInTheMiddle) {
  startBoth();
  coordinator_->grant(1, 1, probeOf(faultySeed(ProbeFault::Hang, 3), 8));
  awaitBusy(1);
  coordinator_->revoke(1, 1);
  coordinator_->grant(2, 1, probeOf(3, 2));
  EXPECT_EQ(resultOf(2).result().outcome(), v1::Result::DONE);
  EXPECT_FALSE(coordinator_->hasResult(1));
  EXPECT_LE(items(1).size(), 3u);
  expectCleanEnd();
}

TEST_F(ItemsTest, ItemsThatCameTooLateEndTheLease) {
  startBoth({.acknowledgesItems = false});
  coordinator_->grant(1, 1, probeOf(faultySeed(ProbeFault::Hang, 3), 8));
  awaitBusy(1);
  coordinator_->acknowledge(group(1, 0), false);
  coordinator_->setAcknowledgesItems(true);
  coordinator_->grant(2, 1, probeOf(3, 2));
  EXPECT_EQ(resultOf(2).result().outcome(), v1::Result::DONE);
  EXPECT_FALSE(coordinator_->hasResult(1));
  EXPECT_EQ(coordinator_->items(1).size(), 1u);
  expectCleanEnd();
}

TEST_F(ItemsTest, TheLeasesDeadlineEndsTheLease) {
  startBoth();
  coordinator_->grant(1, 1, probeOf(faultySeed(ProbeFault::Hang, 2), 8), 60, 3);
  const v1::LeaseResult result = resultOf(1);
  EXPECT_EQ(result.result().outcome(), v1::Result::WORK_FAILED);
  EXPECT_EQ(result.result().sentence(), "the work took longer than its deadline of 3 seconds in phase probe");
  expectItems(1, faultySeed(ProbeFault::Hang, 2), range(0, 2));
  expectCleanEnd();
}

TEST_F(ItemsTest, ASignalLetsAllItemsEnd) {
  startBoth();
  coordinator_->grant(1, 1, probeOf(faultySeed(ProbeFault::Hang, 4), 8));
  awaitBusy(1);
  worker_->signal(SIGTERM);
  EXPECT_TRUE(coordinator_->await([](const auto &one) { return one.has_goodbye(); }).has_value());
  EXPECT_EQ(resultOf(1).result().outcome(), v1::Result::DONE);
  expectItems(1, faultySeed(ProbeFault::Hang, 4), range(0, 8), 4);
  EXPECT_EQ(worker_->wait(), 0) << worker_->log();
  EXPECT_EQ(worker_->litter(), std::vector<std::string>());
}

TEST_F(ItemsTest, AKilledWorkerLosesWhatWasNotAcknowledged) {
  startBoth({.acknowledgesItems = false});
  coordinator_->grant(1, 1, probeOf(faultySeed(ProbeFault::Hang, 10), 12));
  const std::vector<int32_t> first = numbersOf(group(1, 0));
  awaitBusy(1);
  worker_->signal(SIGKILL);
  EXPECT_EQ(worker_->wait(), 1000 + SIGKILL);
  coordinator_->setAcknowledgesItems(true);
  startProber();
  EXPECT_EQ(coordinator_->hello(2).held_size(), 0);
  coordinator_->grant(1, 2, probeOf(3, 12), 60, 120, first);
  EXPECT_EQ(resultOf(1).result().outcome(), v1::Result::DONE);
  expectItems(1, 3, range(static_cast<int32_t>(first.size()), 12), -1, 2);
  expectCleanEnd();
}

TEST_F(ItemsTest, TwoLeasesAtOnceKeepTheirItemsApart) {
  startCoordinator();
  startWorker({"--roles", "builder", "--slots", "2"}, HONE_TEST_PROBE_WORKER);
  coordinator_->grant(1, 1, probeOf(3, 50));
  coordinator_->grant(2, 1, probeOf(4, 50));
  const v1::LeaseResult one = resultOf(1);
  const v1::LeaseResult two = resultOf(2);
  expectItems(1, 3, range(0, 50));
  expectItems(2, 4, range(0, 50));
  EXPECT_NE(processes(one.log()), processes(two.log()));
  expectCleanEnd();
}

}  // namespace
}  // namespace hone::test
