#include "worker/agent/sha256.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hone::worker {

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX *)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr);
}
Sha256::Sha256(Sha256 &&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) { EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()); }

std::string Sha256::finish() {
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char *>(digest.data()), digest.size()));
}

absl::StatusOr<v1::Digest> digestOf(int descriptor) {
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  off_t position = 0;
  for (;;) {
    const ssize_t count = pread(descriptor, buffer.data(), buffer.size(), position);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::InternalError(absl::StrCat("cannot read a file of this worker: ", strerror(errno)));
    if (count == 0) break;
    hash.add({buffer.data(), static_cast<size_t>(count)});
    position += count;
  }
  v1::Digest digest;
  digest.set_sha256(hash.finish());
  digest.set_size_bytes(position);
  return digest;
}

}  // namespace hone::worker
