// SHA-256 against the examples of FIPS 180-2.
#include "common/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace hone {
namespace {

constexpr char kEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kMillion[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, OfTheStandardsExamples) {
  EXPECT_EQ(sha256Hex(""), kEmpty);
  EXPECT_EQ(sha256Hex("abc"), kAbc);
  // Zeros in front are digits, too (as Python's hashlib has it).
  EXPECT_EQ(sha256Hex("286"), "00328ce57bbc14b33bd6695bc8eb32cdf2fb5f3a7d89ec14a42825e15d39df60");
  EXPECT_EQ(sha256Bytes("abc").size(), 32);
  EXPECT_EQ(static_cast<unsigned char>(sha256Bytes("abc")[0]), 0xba);
}

TEST(Sha256, OfPiecesIsThatOfTheWhole) {
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.append(std::string(1000, 'a'));
  Sha256 moved = std::move(hash);
  EXPECT_EQ(moved.finishAsHex(), kMillion);
  moved = Sha256();
  EXPECT_EQ(moved.finishAsHex(), kEmpty);
}

}  // namespace
}  // namespace hone
