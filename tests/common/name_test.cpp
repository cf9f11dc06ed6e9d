// The alphabet and the length of names.
#include "common/name.h"

#include <gtest/gtest.h>

#include <string>

namespace hone {
namespace {

TEST(Name, RefusesWhatIsNoFolderNoMetadataOrTooLong) {
  for (const std::string &text :
       {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a/b"), std::string("a:b"),
        std::string("b\xC3\xBC"), std::string("a\nb"), std::string("a\0b", 3)})
    EXPECT_FALSE(isName(text)) << text;
  EXPECT_EQ(checkName("--name 'a b'", "a b").message(), "--name 'a b' is not 1 to 64 letters, digits and -_.@+");
  EXPECT_FALSE(isName("a.b", "-"));
}

TEST(Name, TakesTheWholeAlphabet) {
  EXPECT_TRUE(isName("abcxyzABCXYZ019-_.@+"));
  EXPECT_TRUE(isName(std::string(64, 'a')));
  EXPECT_TRUE(checkName("x", "a@b").ok());
  EXPECT_TRUE(isName("a:b", ":"));
}

TEST(Name, IsMadeOfAnything) {
  EXPECT_EQ(asName("pi (kitchen)"), "pi--kitchen-");
  EXPECT_EQ(asName(std::string(100, 'x')), std::string(64, 'x'));
  EXPECT_EQ(asName(""), "unnamed");
}

}  // namespace
}  // namespace hone
