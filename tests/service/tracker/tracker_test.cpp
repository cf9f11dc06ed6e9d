// What starting refuses; the wire itself is tested from outside, in Python.
#include "server/tracker/tracker.h"

#include <gtest/gtest.h>

namespace hone::server {
namespace {

bool holds(const absl::Status &status, const std::string &words) {
  return std::string(status.message()).find(words) != std::string::npos;
}

class TrackerStart : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<TvmTracker>> start(const std::string &host, int port) {
    TvmTracker::Options options;
    options.host = host;
    options.port = port;
    return TvmTracker::start(options, {.clock = &clock_,
                                       .fleet = [](const auto &, const auto &done) { done(v1::ListWorkersResponse()); },
                                       .log = [](std::string_view) {}});
  }

  SystemClock clock_;
};

TEST_F(TrackerStart, RefusesWhatIsNotLoopback) {
  for (const char *host : {"0.0.0.0", "10.0.0.1", "::", "::1", "localhost", "", "127.0.0.1.", "128.0.0.1"}) {
    const auto tracker = start(host, 0);
    ASSERT_EQ(tracker.status().code(), absl::StatusCode::kInvalidArgument) << host;
    EXPECT_TRUE(holds(tracker.status(), "no authentication")) << host;
    EXPECT_TRUE(holds(tracker.status(), "ssh -L")) << host;
  }
}

TEST_F(TrackerStart, RefusesWhatIsNoPort) {
  for (const int port : {-1, 65536}) {
    EXPECT_EQ(start("127.0.0.1", port).status().code(), absl::StatusCode::kInvalidArgument) << port;
  }
}

TEST_F(TrackerStart, SaysThatThePortIsTaken) {
  const auto first = start("127.0.0.1", 0);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = start("127.0.0.1", (*first)->port());
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(holds(second.status(), "Address already in use"));
  EXPECT_TRUE(holds(second.status(), "--tvm-tracker-port"));
}

TEST_F(TrackerStart, GivesThePortBack) {
  int port = 0;
  for (int i = 0; i < 10; ++i) {
    const auto tracker = start("127.0.0.1", port);
    ASSERT_TRUE(tracker.ok()) << tracker.status();
    port = (*tracker)->port();
  }
}

}  // namespace
}  // namespace hone::server
