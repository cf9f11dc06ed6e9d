// Where the coordinator may listen.
#include "server/rpc/address.h"

#include <gtest/gtest.h>

#include <string>

namespace hone::server {
namespace {

TEST(Address, RefusesWhatIsNotLoopback) {
  for (const char *text : {"0.0.0.0:9190", "192.168.1.7:9190", "[::]:9190", "[fe80::1]:9190", "example.org:9190",
                           "128.0.0.1:9190", ":9190", "*:9190", "127.0.0.1.example.org:1", "[::ffff:10.0.0.1]:80",
                           "localhost.example.org:9190", "2130706433:9190", "0x7f.1:9190"}) {
    const auto address = listenAddress(text);
    ASSERT_EQ(address.status().code(), absl::StatusCode::kPermissionDenied) << text;
    const std::string sentence(address.status().message());
    EXPECT_NE(sentence.find("ssh -L"), std::string::npos) << sentence;
    EXPECT_NE(sentence.find("unix socket"), std::string::npos) << sentence;
  }
}

TEST(Address, RefusesWhatIsNone) {
  for (const char *text : {"", "9190", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
                           "unix:", "unix:relative/path"})
    EXPECT_EQ(listenAddress(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_EQ(listenAddress("unix:/" + std::string(200, 'x')).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Address, TakesLoopbackAndSockets) {
  for (const auto &[text, meaning] : {std::pair{"127.0.0.1:9190", "127.0.0.1:9190"},
                                      {"localhost:1", "127.0.0.1:1"},
                                      {"127.3.2.1:0", "127.3.2.1:0"},
                                      {"[::1]:80", "[::1]:80"},
                                      {"unix:/run/hone/hone.sock", "unix:/run/hone/hone.sock"}}) {
    const auto address = listenAddress(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address->text(), meaning);
  }
}

}  // namespace
}  // namespace hone::server
