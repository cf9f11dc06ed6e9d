// OpenSSL's general way to a hash looks for providers and reads a configuration first, which takes a millisecond of
// each process. The direct one is called deprecated, and is the same code.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/sha256.h"

#include <openssl/sha.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace hone {

Sha256::Sha256() : state_(std::make_unique<SHA256state_st>()) { SHA256_Init(state_.get()); }
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256 &&) noexcept = default;
Sha256 &Sha256::operator=(Sha256 &&) noexcept = default;

void Sha256::append(std::string_view bytes) { SHA256_Update(state_.get(), bytes.data(), bytes.size()); }

std::string Sha256::finish() {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256_Final(digest.data(), state_.get());
  return {reinterpret_cast<const char *>(digest.data()), digest.size()};
}

std::string Sha256::finishAsHex() {
  const std::string bytes = finish();
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

std::string sha256Bytes(std::string_view bytes) {
  Sha256 hash;
  hash.append(bytes);
  return hash.finish();
}

std::string sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.append(bytes);
  return hash.finishAsHex();
}

}  // namespace hone
