// Addresses as people write them.
#include "common/address.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "common/descriptor.h"

namespace hone {
namespace {

std::string complaint(const std::string &text) {
  const auto address = parseAddress(text);
  return address.ok() ? "none" : std::string(address.status().message());
}

TEST(Address, SaysWhatIsWrong) {
  for (const auto &[text, why] : {std::pair{"", "there is no host"},
                                  {":9190", "there is no host"},
                                  {"host:", "there is no port after the colon"},
                                  {"host:0", "the port is no number from 1 to 65535"},
                                  {"host:65536", "the port is no number from 1 to 65535"},
                                  {"host:+1", "the port is no number"},
                                  {"host:4294967297", "the port is no number"},
                                  {"::1", "there is no host"},
                                  {"fe80::1", "several colons"},
                                  {"[::1", "what stands in brackets is no IPv6 address"},
                                  {"[]:1", "what stands in brackets is no IPv6 address"},
                                  {"[::1]x:1", "what stands in brackets is no IPv6 address"},
                                  {"[....]:1", "what stands in brackets is no IPv6 address"},
                                  {"a b:1", "characters that no host has"},
                                  {"http://host", "the port is no number"},
                                  {"unix:", "does not begin with /"},
                                  {"unix:relative", "does not begin with /"}})
    EXPECT_NE(complaint(text).find(why), std::string::npos) << text << ": " << complaint(text);
  EXPECT_NE(complaint("unix:/" + std::string(107, 'x')).find("has 108 bytes and a socket's has at most 107"),
            std::string::npos);
}

TEST(Address, WhoListensNamesThePortAndWhoCallsNeedNot) {
  EXPECT_EQ(parseAddress("farm")->text(), "farm:9190");
  EXPECT_EQ(parseAddress("[::1]")->text(), "[::1]:9190");
  EXPECT_EQ(parseListenAddress("farm").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(parseListenAddress("127.0.0.1:0")->port, 0);
}

TEST(Address, IsWrittenAsItWasRead) {
  for (const char *text : {"farm:1", "127.0.0.1:9190", "[::1]:80", "unix:/run/hone/hone.sock"})
    EXPECT_EQ(parseAddress(text)->text(), text);
  EXPECT_EQ(parseAddress("[::1]:80")->host, "::1");
  EXPECT_EQ(parseAddress("unix:/" + std::string(106, 'x'))->path.size(), 107);
}

TEST(Address, LocalIsWhatCannotLeaveTheMachine) {
  for (const char *text : {"localhost:1", "127.0.0.1:1", "127.255.0.3:1", "[::1]:1", "unix:/a"})
    EXPECT_TRUE(parseAddress(text)->isLocal()) << text;
  for (const char *text :
       {"farm:1", "128.0.0.1:1", "127.farm.example:1", "127.0.0.1.farm:1", "localhost.farm:1", "[::2]:1"})
    EXPECT_FALSE(parseAddress(text)->isLocal()) << text;
}

TEST(Address, ASocketAnswersWhileSomebodyListens) {
  std::string folder = "/tmp/hone-address-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/s";
  EXPECT_FALSE(isAnswering(path));
  EXPECT_FALSE(isAnswering(std::string(200, '/')));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  strcpy(name.sun_path, path.c_str());
  Descriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr *>(&name), sizeof name), 0);
  EXPECT_FALSE(isAnswering(path));
  ASSERT_EQ(listen(listener.get(), 1), 0);
  EXPECT_TRUE(isAnswering(path));
  listener.reset();
  EXPECT_FALSE(isAnswering(path));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hone
