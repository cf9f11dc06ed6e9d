// Words from outside: what is UTF-8, what is shown of the rest, what was meant.
#include <gtest/gtest.h>

#include <string>

#include "hone/v1/work.pb.h"
#include "text/message.h"
#include "text/nearest.h"
#include "text/printable.h"
#include "text/tvm_artifact.h"

namespace hone::text {
namespace {

// The boundaries of each length, and their neighbours outside: table 3-7 of the Unicode Standard.
TEST(Utf8, KnowsWellFormedSequencesOnly) {
  for (const char *good : {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "caf\xC3\xA9"})
    EXPECT_TRUE(isUtf8(good)) << asUtf8(good);
  EXPECT_TRUE(isUtf8(std::string_view("\0", 1)));
  for (const char *bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xE0\xA0",
                          "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF0\x90\x80", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\xFE", "\xFF", "caf\xE9"})
    EXPECT_FALSE(isUtf8(bad)) << asUtf8(bad);
}

TEST(Utf8, ShowsTheBytesThatAreNot) {
  EXPECT_EQ(asUtf8("caf\xE9"), "caf\\xE9");
  EXPECT_EQ(asUtf8("\xED\xA0\x80!"), "\\xED\\xA0\\x80!");
  EXPECT_EQ(asUtf8("caf\xC3\xA9\n"), "caf\xC3\xA9\n");
  EXPECT_EQ(printable("a\xE9\x1B[31m\n\x7F"), "a\\xE9?[31m??");
}

TEST(Message, FindsAndMendsStringsAtAnyDepth) {
  v1::Work work;
  v1::Compile &compile = *work.mutable_compile();
  compile.set_module_name("fine");
  compile.add_disabled_passes("also fine");
  v1::BoundInput &input = *compile.add_bound_inputs();
  input.mutable_tensor()->set_data("\xFF\xFE");  // bytes may be anything
  EXPECT_TRUE(checkUtf8(work).ok()) << checkUtf8(work);
  compile.add_disabled_passes("pass\xFF");
  EXPECT_EQ(checkUtf8(work).message(),
            "the disabled_passes 'pass\\xFF' is not UTF-8; \\x stands for the bytes that are not");
  input.set_name("caf\xE9");
  makeUtf8(work);
  EXPECT_TRUE(checkUtf8(work).ok()) << checkUtf8(work);
  EXPECT_EQ(input.name(), "caf\\xE9");
  EXPECT_EQ(compile.disabled_passes(1), "pass\\xFF");
  EXPECT_EQ(input.tensor().data(), "\xFF\xFE");
}

TEST(Nearest, NamesAsManyAsAreNear) {
  const std::vector<std::string> known = {"znver1", "znver2", "znver3", "haswell", "x"};
  EXPECT_EQ(nearestOf("haswel", known), "; the nearest is haswell");
  EXPECT_EQ(nearestOf("ahswell", known, 3), "; the nearest is haswell");
  EXPECT_EQ(nearestOf("znver33", known, 2), "; the nearest are znver3, znver1");
  EXPECT_EQ(nearestOf("something", known, 3), "");
  // Whatever is one letter is not near to everything that is short.
  EXPECT_EQ(nearestOf("ab", known), "");
}

std::string member(const std::string &name, const std::string &content) {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  char size[13];
  snprintf(size, sizeof size, "%011o", static_cast<unsigned>(content.size()));
  block.replace(124, 11, size);
  block.replace(257, 5, "ustar");
  block += content;
  block.resize((block.size() + 511) / 512 * 512, '\0');
  return block;
}

TEST(TvmArtifact, IsToldFromOthers) {
  const std::string graph = R"({"nodes": [], "arg_nodes": [0], "heads": [], "attrs": {}, "node_row_ptr": [0]})";
  EXPECT_TRUE(isTvmGraph(graph));
  EXPECT_FALSE(isTvmGraph("{\n \"xxh3\": \"0\", \"nodes\": []}"));
  // Python's tarfile writes headers of its own before each member.
  EXPECT_TRUE(
      isTvmArchive(member("././@PaxHeader", "22 mtime=1.5\n") + member("mod.so", "x") + member("mod.json", graph)));
  EXPECT_TRUE(isTvmArchive(member("lib.so", "x")));
  EXPECT_TRUE(isTvmArchive(member("./", "") + member("./codegen/host/lib/lib0.o", "x")));
  EXPECT_FALSE(isTvmArchive(member("mod.so", "x") + member("mod.json", "{}") + member("mod.params", graph)));
  EXPECT_FALSE(isTvmArchive(""));
  EXPECT_FALSE(isTvmArchive(member("mod.so", std::string(600, 'x')).substr(0, 700)));
  std::string immense = member("mod.so", "x");
  immense.replace(124, 12, 12, '7');
  EXPECT_FALSE(isTvmArchive(immense + member("lib.so", "x")));
}

}  // namespace
}  // namespace hone::text
