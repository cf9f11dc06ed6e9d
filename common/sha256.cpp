#include "common/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <cassert>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace hone {

void Sha256::Free::operator()(evp_md_ctx_st *context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  [[maybe_unused]] const int done = EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  assert(done == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256 &&) noexcept = default;
Sha256 &Sha256::operator=(Sha256 &&) noexcept = default;

void Sha256::append(std::string_view bytes) {
  [[maybe_unused]] const int done = EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  assert(done == 1);
}

std::string Sha256::finish() {
  std::array<unsigned char, 32> digest{};
  [[maybe_unused]] const int done = EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
  assert(done == 1);
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
