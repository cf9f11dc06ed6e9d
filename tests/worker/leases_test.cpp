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

}  // namespace
}  // namespace hone::worker
