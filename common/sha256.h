// SHA-256. A Sha256 belongs to one thread at a time; the functions have no state.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace hone {

/// Fed piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256 &&) noexcept;
  Sha256 &operator=(Sha256 &&) noexcept;

  void append(std::string_view bytes);
  /// 32 bytes; nothing may be appended afterwards.
  std::string finish();
  /// The same as 64 lower-case hexadecimal digits.
  std::string finishAsHex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st *context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string sha256Bytes(std::string_view bytes);  ///< 32 bytes
std::string sha256Hex(std::string_view bytes);    ///< 64 lower-case digits

}  // namespace hone
