// What is told of a child's end, whatever it wrote.
#include "worker/agent/child_end.h"

#include <gtest/gtest.h>

#include <string>

#include "text/printable.h"

namespace hone::worker {
namespace {

TEST(ChildEnd, LogIsUtf8AndNoLongerThanItWas) {
  std::string log = "caf\xC3\xA9 caf\xE9\n";
  EXPECT_EQ(logOf(log), "\xC3\xA9 caf\\xE9\n");
  // The coordinator refuses a log of more than 128 KiB.
  log = std::string(64 << 10, '\xFF');
  EXPECT_LE(logOf(log).size(), log.size());
  EXPECT_TRUE(text::isUtf8(logOf(log)));
  log.clear();
  for (int i = 0; i < 1000; ++i) log += "\xF0\x9F\x90\xB4\xFF";
  EXPECT_TRUE(text::isUtf8(logOf(log)));
  EXPECT_LE(logOf(log).size(), log.size());
}

}  // namespace
}  // namespace hone::worker
