#include "compiler/artifact/digest.h"

#include <openssl/evp.h>

#include <array>
#include <cassert>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"

namespace hone::artifact {

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, 32> digest;
  [[maybe_unused]] const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  assert(done == 1);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char *>(digest.data()), digest.size()));
}

std::string xxh3(std::string_view bytes) { return absl::StrFormat("%016x", XXH3_64bits(bytes.data(), bytes.size())); }

}  // namespace hone::artifact
