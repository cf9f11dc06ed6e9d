// Messages on a socket: whole, in pieces, damaged, cut off.
#include "proto/frames.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "hone/v1/work.pb.h"

namespace hone::proto {
namespace {

class FramesTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0); }
  void TearDown() override {
    close(ends_[0]);
    closeWriter();
  }
  void closeWriter() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  void send(const std::string &bytes) { ASSERT_EQ(write(ends_[1], bytes.data(), bytes.size()), ssize_t(bytes.size())); }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }

 private:
  int ends_[2] = {-1, -1};
};

v1::Work workNamed(const std::string &name) {
  v1::Work work;
  work.mutable_sample()->set_name(name);
  return work;
}

TEST_F(FramesTest, SeveralMessagesArriveInOrder) {
  for (const char *name : {"one", "", "three"}) ASSERT_TRUE(writeFrame(writer(), workNamed(name)).ok());
  FrameReader frames(reader());
  for (const char *name : {"one", "", "three"}) {
    v1::Work work;
    ASSERT_TRUE(frames.read(work).ok());
    EXPECT_EQ(work.sample().name(), name);
  }
}

TEST_F(FramesTest, AMessageLargerThanTheSocketsBufferArrives) {
  const std::string name(5 << 20, 'x');
  std::jthread other([&] { EXPECT_TRUE(writeFrame(writer(), workNamed(name)).ok()); });
  FrameReader frames(reader());
  v1::Work work;
  ASSERT_TRUE(frames.read(work).ok());
  EXPECT_EQ(work.sample().name(), name);
}

TEST_F(FramesTest, AFrameIsHandedOutOnlyWhenItIsWhole) {
  std::string bytes = {3, 0, 0, 0};
  FrameReader frames(reader());
  send(bytes + "ab");
  ASSERT_TRUE(frames.fill().value());
  EXPECT_FALSE(frames.next()->has_value());
  send("cd");
  ASSERT_TRUE(frames.fill().value());
  EXPECT_EQ(**frames.next(), "abc");
  EXPECT_FALSE(frames.next()->has_value());
}

TEST_F(FramesTest, AnAbsurdLengthIsRefused) {
  send("\xff\xff\xff\xff");
  FrameReader frames(reader());
  v1::Work work;
  const absl::Status status = frames.read(work);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("4294967295"), absl::string_view::npos) << status;
}

TEST_F(FramesTest, DamagedBytesAreRefused) {
  send(std::string("\x02\0\0\0\xff\xff", 6));
  FrameReader frames(reader());
  v1::Work work;
  EXPECT_EQ(frames.read(work).code(), absl::StatusCode::kDataLoss);
}

TEST_F(FramesTest, AnEndInTheMiddleOfAFrameIsAnError) {
  send(std::string("\x09\0\0\0abc", 7));
  closeWriter();
  FrameReader frames(reader());
  v1::Work work;
  EXPECT_EQ(frames.read(work).code(), absl::StatusCode::kUnavailable);
}

TEST_F(FramesTest, WritingToAPeerThatIsGoneIsAnError) {
  closeWriter();
  EXPECT_EQ(writeFrame(reader(), workNamed("x")).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace hone::proto
