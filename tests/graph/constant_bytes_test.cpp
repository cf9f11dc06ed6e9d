// The bytes of constants: views cost nothing, keep their memory alive, and become copies before they are written to.
#include "compiler/graph/constant_bytes.h"

#include <gtest/gtest.h>

namespace hone::graph {
namespace {

struct Memory : SharedMemory {
  explicit Memory(bool &isGone) : gone(isGone) {}
  ~Memory() override { gone = true; }
  void letGo(std::string_view bytes) const override { forgotten += bytes.size(); }
  bool &gone;
  mutable size_t forgotten = 0;
};

TEST(ConstantBytes, AViewIsTheMemoryItselfAndKeepsIt) {
  const std::string text = "abcdef";
  bool isGone = false;
  auto memory = std::make_shared<const Memory>(isGone);
  const Memory &kept = *memory;
  {
    const ConstantBytes view = ConstantBytes::view(std::string_view(text).substr(1, 3), std::move(memory));
    const ConstantBytes copy = view;
    EXPECT_EQ(view.data(), text.data() + 1);
    EXPECT_EQ(copy.data(), text.data() + 1) << "a copy of a view is one";
    EXPECT_EQ(view.text(), "bcd");
    copy.letGo();
    EXPECT_EQ(kept.forgotten, 3u);
    EXPECT_FALSE(isGone);
  }
  EXPECT_TRUE(isGone);
}

TEST(ConstantBytes, WritingMakesThemItsOwn) {
  const std::string text = "abcdef";
  bool isGone = false;
  const auto view = [&] { return ConstantBytes::view(text, std::make_shared<const Memory>(isGone)); };
  ConstantBytes written = view();
  *written.data() = 'x';
  EXPECT_TRUE(isGone);
  EXPECT_EQ(written.text(), "xbcdef");
  ConstantBytes resized = view();
  resized.resize(2);
  EXPECT_EQ(resized.text(), "ab");
  ConstantBytes assigned = view();
  assigned.assign(text.begin() + 4, text.end());
  EXPECT_EQ(assigned.text(), "ef");
  ConstantBytes shortened = view();
  shortened.pop_back();
  EXPECT_EQ(shortened.text(), "abcde");
  EXPECT_EQ(text, "abcdef");
  EXPECT_TRUE(view() == ConstantBytes(std::vector<char>(text.begin(), text.end())));
  EXPECT_FALSE(view() == shortened);
}

}  // namespace
}  // namespace hone::graph
