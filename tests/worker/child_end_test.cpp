// What is told of a child's end, whatever it wrote.
#include "worker/agent/child_end.h"

#include <gtest/gtest.h>

#include <string>

#include "text/printable.h"

namespace hone::worker {
namespace {

TEST(ChildEnd, LogIsUtf8AndNoLongerThanItWas) {
  ChildEnd end;
  end.log = "caf\xC3\xA9 caf\xE9\n";
  EXPECT_EQ(logOf(end), "\xC3\xA9 caf\\xE9\n");
  // The coordinator refuses a log of more than 128 KiB.
  end.log = std::string(64 << 10, '\xFF');
  EXPECT_LE(logOf(end).size(), end.log.size());
  EXPECT_TRUE(text::isUtf8(logOf(end)));
  end.log.clear();
  for (int i = 0; i < 1000; ++i) end.log += "\xF0\x9F\x90\xB4\xFF";
  EXPECT_TRUE(text::isUtf8(logOf(end)));
  EXPECT_LE(logOf(end).size(), end.log.size());
}

}  // namespace
}  // namespace hone::worker
