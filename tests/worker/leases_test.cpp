// The book of leases, by hand-made times.
#include "worker/agent/leases.h"

#include <gtest/gtest.h>

namespace hone::worker {
namespace {

constexpr absl::Duration at(int seconds) { return absl::Seconds(seconds); }

TEST(LeaseBook, RunningLeasesExpireWithoutTheCoordinatorAndResultsDoNot) {
  LeaseBook book;
  EXPECT_TRUE(book.grant({1, 1}, at(20), at(100)));
  EXPECT_TRUE(book.grant({2, 1}, at(30), at(100)));
  EXPECT_TRUE(book.finish({2, 1}, {}));
  EXPECT_EQ(book.expired(at(119)).size(), 0u);
  EXPECT_EQ(book.nextExpiry(), at(120));
  ASSERT_EQ(book.expired(at(120)).size(), 1u);
  EXPECT_EQ(book.expired(at(120))[0], (LeaseId{1, 1}));
  EXPECT_TRUE(book.forget({1, 1}));
  EXPECT_EQ(book.nextExpiry(), std::nullopt);
  EXPECT_EQ(book.expired(at(9999)).size(), 0u);
  EXPECT_EQ(book.results().size(), 1u);
  EXPECT_FALSE(book.isHopeless(at(129)));
  EXPECT_TRUE(book.isHopeless(at(130)));
}

TEST(LeaseBook, AnAnswerCountsFromWhenTheQuestionWasSent) {
  LeaseBook book;
  book.grant({1, 1}, at(20), at(100));
  book.confirm(at(110));
  EXPECT_EQ(book.nextExpiry(), at(130));
  // An answer to an older question takes nothing back.
  book.confirm(at(105));
  EXPECT_EQ(book.nextExpiry(), at(130));
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
