// The digests of an artifact's members, as lower-case hexadecimal text. Functions without state, and one that is being
// computed, for bytes that come in pieces; not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hone::artifact {

std::string sha256(std::string_view bytes);
/// XXH3, 64 bits, seed 0.
std::string xxh3(std::string_view bytes);

/// What mod.json states of a member.
struct MemberDigest {
  int64_t bytes = 0;
  std::string sha256, xxh3;
  bool operator==(const MemberDigest &) const = default;
};

MemberDigest digestOf(std::string_view bytes);

/// XXH3 of pieces.
class Xxh3 {
 public:
  Xxh3();
  Xxh3(const Xxh3 &other);
  Xxh3 &operator=(const Xxh3 &other);
  ~Xxh3();
  void add(std::string_view bytes);
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The digest of a member, of pieces. A copy goes on by itself: who adds in vain returns to the copy of before.
class MemberDigester {
 public:
  MemberDigester();
  MemberDigester(const MemberDigester &other);
  MemberDigester &operator=(const MemberDigester &other);
  ~MemberDigester();
  void add(std::string_view bytes);
  MemberDigest digest() const;

 private:
  struct Sha256;
  int64_t bytes_ = 0;
  std::unique_ptr<Sha256> sha256_;
  Xxh3 xxh3_;
};

}  // namespace hone::artifact
