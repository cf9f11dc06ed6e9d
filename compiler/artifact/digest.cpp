#include "compiler/artifact/digest.h"

#include <openssl/evp.h>

#include <array>
#include <cassert>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"

namespace hone::artifact {

namespace {

using Sha256Bytes = std::array<unsigned char, 32>;

std::string hexText(const Sha256Bytes &digest) {
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char *>(digest.data()), digest.size()));
}

std::string hexText(XXH64_hash_t digest) { return absl::StrFormat("%016x", digest); }

}  // namespace

std::string sha256(std::string_view bytes) {
  Sha256Bytes digest;
  [[maybe_unused]] const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  assert(done == 1);
  return hexText(digest);
}

std::string xxh3(std::string_view bytes) { return hexText(XXH3_64bits(bytes.data(), bytes.size())); }

MemberDigest digestOf(std::string_view bytes) {
  return {static_cast<int64_t>(bytes.size()), sha256(bytes), xxh3(bytes)};
}

struct Xxh3::State {
  XXH3_state_t state;
};

Xxh3::Xxh3() : state_(std::make_unique<State>()) { XXH3_64bits_reset(&state_->state); }
Xxh3::Xxh3(const Xxh3 &other) : state_(std::make_unique<State>(*other.state_)) {}
Xxh3 &Xxh3::operator=(const Xxh3 &other) {
  *state_ = *other.state_;
  return *this;
}
Xxh3::~Xxh3() = default;
void Xxh3::add(std::string_view bytes) { XXH3_64bits_update(&state_->state, bytes.data(), bytes.size()); }
std::string Xxh3::text() const { return hexText(XXH3_64bits_digest(&state_->state)); }

struct MemberDigester::Sha256 {
  Sha256() : context(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context, EVP_sha256(), nullptr); }
  Sha256(const Sha256 &other) : context(EVP_MD_CTX_new()) { EVP_MD_CTX_copy_ex(context, other.context); }
  Sha256 &operator=(const Sha256 &other) {
    if (this != &other) EVP_MD_CTX_copy_ex(context, other.context);
    return *this;
  }
  ~Sha256() { EVP_MD_CTX_free(context); }
  EVP_MD_CTX *context;
};

MemberDigester::MemberDigester() : sha256_(std::make_unique<Sha256>()) {}
MemberDigester::MemberDigester(const MemberDigester &other)
    : bytes_(other.bytes_), sha256_(std::make_unique<Sha256>(*other.sha256_)), xxh3_(other.xxh3_) {}
MemberDigester &MemberDigester::operator=(const MemberDigester &other) {
  bytes_ = other.bytes_;
  *sha256_ = *other.sha256_;
  xxh3_ = other.xxh3_;
  return *this;
}
MemberDigester::~MemberDigester() = default;

void MemberDigester::add(std::string_view bytes) {
  bytes_ += static_cast<int64_t>(bytes.size());
  EVP_DigestUpdate(sha256_->context, bytes.data(), bytes.size());
  xxh3_.add(bytes);
}

MemberDigest MemberDigester::digest() const {
  const Sha256 finished(*sha256_);
  Sha256Bytes digest;
  EVP_DigestFinal_ex(finished.context, digest.data(), nullptr);
  return {bytes_, hexText(digest), xxh3_.text()};
}

}  // namespace hone::artifact
