// The book of leases, by hand-made times.
#include "worker/agent/leases.h"

#include <gtest/gtest.h>

namespace hone::worker {
namespace {

constexpr absl::Duration at(int seconds) { return absl::Seconds(seconds); }

TEST(LeaseBook, ResultsThatNobodyCanWantAnyMoreAreHopeless) {
  LeaseBook book;
  EXPECT_TRUE(book.grant({1, 1}, at(20), at(100)));
  EXPECT_TRUE(book.grant({2, 1}, at(30), at(100)));
  EXPECT_TRUE(book.finish({2, 1}, {}));
  EXPECT_FALSE(book.isHopeless(at(9999))) << "one is still at work";
  EXPECT_TRUE(book.finish({1, 1}, {}));
  book.confirm(at(105));
  EXPECT_FALSE(book.isHopeless(at(134)));
  book.confirm(at(103));  // what was heard before takes nothing back
  EXPECT_FALSE(book.isHopeless(at(134)));
  EXPECT_TRUE(book.isHopeless(at(135)));
  EXPECT_EQ(book.results().size(), 2u);
}

TEST(LeaseBook, RepeatedGrantsAreOneAndNewerOnesSupersede) {
  LeaseBook book;
  EXPECT_TRUE(book.grant({1, 3}, at(20), at(0)));
  EXPECT_FALSE(book.grant({1, 3}, at(20), at(5)));
  EXPECT_TRUE(book.grant({2, 9}, at(20), at(0)));
  EXPECT_EQ(book.supersededBy({1, 4}), (std::vector<LeaseId>{{1, 3}}));
  EXPECT_TRUE(book.supersededBy({1, 3}).empty());
  EXPECT_TRUE(book.supersededBy({3, 1}).empty());
}

TEST(LeaseBook, NobodyWantsTheResultOfADroppedLease) {
  LeaseBook book;
  book.grant({1, 1}, at(20), at(0));
  EXPECT_TRUE(book.forget({1, 1}));
  EXPECT_FALSE(book.forget({1, 1}));
  EXPECT_FALSE(book.finish({1, 1}, {}));
  EXPECT_TRUE(book.isEmpty());
  EXPECT_TRUE(book.held().empty());
}

TEST(LeaseBook, HeartbeatsSayHowLongTheWorkStoodStill) {
  LeaseBook book;
  book.grant({1, 1}, at(20), at(0));
  book.standStill({1, 1}, absl::Milliseconds(2500));
  book.standStill({2, 1}, at(9));  // dropped meanwhile
  ASSERT_EQ(book.held().size(), 1u);
  EXPECT_EQ(book.held()[0].stood_still_seconds(), 2.5);
}

v1::ItemResult item(int32_t number) {
  v1::ItemResult item;
  item.set_item(number);
  return item;
}

std::vector<int32_t> take(LeaseBook &book, LeaseId lease) {
  std::vector<int32_t> numbers;
  const auto group = book.takeItems(lease);
  if (!group.has_value()) return numbers;
  EXPECT_EQ(group->task(), lease.task);
  EXPECT_EQ(group->epoch(), lease.epoch);
  for (const v1::ItemResult &one : group->items()) numbers.push_back(one.item());
  return numbers;
}

v1::Ack ackOf(LeaseId lease, const std::vector<int32_t> &items) {
  v1::Ack ack;
  ack.set_task(lease.task);
  ack.set_epoch(lease.epoch);
  ack.mutable_items()->Add(items.begin(), items.end());
  return ack;
}

using Items = std::vector<int32_t>;

TEST(LeaseBook, OneGroupOfItemsIsOnItsWayAtATime) {
  LeaseBook book;
  const LeaseId lease = {1, 1};
  EXPECT_FALSE(book.add(lease, item(0))) << "it has no such lease";
  book.grant(lease, at(20), at(0));
  EXPECT_EQ(take(book, lease), Items());
  EXPECT_TRUE(book.add(lease, item(0)));
  EXPECT_EQ(take(book, lease), Items({0}));
  book.add(lease, item(1));
  book.add(lease, item(2));
  EXPECT_EQ(take(book, lease), Items());
  book.forgetItems(ackOf({1, 2}, {0}));  // of another lease
  EXPECT_EQ(take(book, lease), Items());
  book.forgetItems(ackOf(lease, {0}));
  EXPECT_EQ(take(book, lease), Items({1, 2}));
  // Once the result is there, nothing waits.
  book.add(lease, item(3));
  EXPECT_EQ(take(book, lease), Items());
  book.finish(lease, {});
  EXPECT_EQ(take(book, lease), Items({3}));
  EXPECT_EQ(take(book, lease), Items());
}

TEST(LeaseBook, ItemsWithoutAnAckAreOfferedAgainInOrder) {
  LeaseBook book;
  const LeaseId lease = {1, 1};
  book.grant(lease, at(20), at(0));
  for (const int32_t number : {0, 1, 2}) book.add(lease, item(number));
  EXPECT_EQ(take(book, lease), Items({0, 1, 2}));
  book.forgetItems(ackOf(lease, {1}));
  book.add(lease, item(3));
  book.unsendItems();
  EXPECT_EQ(take(book, lease), Items({0, 2, 3}));
  book.forgetItems(ackOf(lease, {0, 2, 3}));
  book.unsendItems();
  EXPECT_EQ(take(book, lease), Items());
  // They go with the lease.
  book.add(lease, item(4));
  EXPECT_TRUE(book.forget(lease));
  book.grant(lease, at(20), at(0));
  EXPECT_EQ(take(book, lease), Items());
}

TEST(LeaseBook, AGroupOfItemsFitsInAMessage) {
  constexpr int32_t kMany = 100;
  LeaseBook book;
  const LeaseId lease = {1, 1};
  book.grant(lease, at(20), at(0));
  for (int32_t number = 0; number < kMany; ++number) {
    v1::ItemResult large = item(number);
    large.set_probe_error(std::string(200 << 10, 'x'));
    book.add(lease, large);
  }
  book.finish(lease, {});
  int32_t next = 0;
  while (const auto group = book.takeItems(lease)) {
    EXPECT_LT(group->ByteSizeLong(), size_t{2} << 20);
    for (const v1::ItemResult &one : group->items()) EXPECT_EQ(one.item(), next++);
  }
  EXPECT_EQ(next, kMany);
}

}  // namespace
}  // namespace hone::worker
