// Who keeps up the least rate and who does not, in simulated time.
#include "server/rpc/least_rate.h"

#include <gtest/gtest.h>

#include <functional>

namespace hone::server {
namespace {

constexpr int64_t kRate = 16 << 10, kMessage = 1 << 20;
constexpr absl::Duration kGrace = absl::Seconds(30), kTick = absl::Milliseconds(500);

/// Messages of \p bytes come, each so long after the one before as \p pause says of the time. When it was too slow;
/// infinite: not within \p most.
absl::Duration cutAt(int64_t bytes, const std::function<absl::Duration(absl::Duration)> &pause, absl::Duration most) {
  LeastRate rate(kRate, kGrace);
  absl::Duration next = pause(absl::ZeroDuration());
  rate.beginWait(absl::ZeroDuration(), kMessage);
  for (absl::Duration now = kTick; now < most; now += kTick) {
    for (; next <= now; next += pause(next)) {
      rate.endWait(next, bytes);
      rate.beginWait(next, kMessage);
    }
    if (rate.isTooSlow(now)) return now;
  }
  return absl::InfiniteDuration();
}

absl::Duration steady(int64_t bytes, double bytesPerSecond, absl::Duration most = absl::Hours(1)) {
  const absl::Duration pause = absl::Seconds(static_cast<double>(bytes) / bytesPerSecond);
  return cutAt(bytes, [pause](absl::Duration) { return pause; }, most);
}

TEST(LeastRate, isKeptUpByWhoSendsLongMessagesSlowly) {
  for (double kibibytes = 16.5; kibibytes < 40; kibibytes += 0.5) {
    EXPECT_EQ(steady(kMessage, kibibytes * 1024), absl::InfiniteDuration()) << kibibytes << " KiB/s";
    EXPECT_EQ(steady(4096, kibibytes * 1024), absl::InfiniteDuration()) << kibibytes << " KiB/s";
  }
}

TEST(LeastRate, isNotKeptUpByWhoIsSlower) {
  for (const double kibibytes : {0.1, 1.0, 8.0, 15.0}) {
    for (const int64_t bytes : {int64_t{1}, int64_t{4096}, int64_t{kMessage}}) {
      EXPECT_LT(steady(bytes, kibibytes * 1024), absl::Minutes(5)) << kibibytes << " KiB/s in " << bytes;
    }
  }
}

TEST(LeastRate, isNotEarnedByHavingBeenFast) {
  // 100 MiB/s for a minute, then a byte a second.
  constexpr absl::Duration kFast = absl::Minutes(1);
  const auto pause = [](absl::Duration now) { return now < kFast ? absl::Milliseconds(10) : absl::Seconds(1); };
  LeastRate rate(kRate, kGrace);
  rate.beginWait(absl::ZeroDuration(), kMessage);
  absl::Duration cut = absl::InfiniteDuration();
  for (absl::Duration now; now < absl::Hours(1) && cut == absl::InfiniteDuration(); now += pause(now)) {
    rate.endWait(now, now < kFast ? kMessage : 1);
    rate.beginWait(now, kMessage);
    if (rate.isTooSlow(now)) cut = now;
    EXPECT_TRUE(now > kFast || cut == absl::InfiniteDuration());
  }
  EXPECT_LE(cut - kFast, absl::Seconds(61)) << "two windows";
}

TEST(LeastRate, isNotOfWhatTheCoordinatorTakes) {
  LeastRate rate(kRate, kGrace);
  absl::Duration now;
  for (int message = 0; message < 100; ++message) {
    rate.beginWait(now, kMessage);
    now += absl::Seconds(1);
    EXPECT_FALSE(rate.isTooSlow(now));
    rate.endWait(now, kMessage);
    now += absl::Minutes(5);  // on our disk
  }
}

}  // namespace
}  // namespace hone::server
