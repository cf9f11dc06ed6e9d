// SHA-256. A Sha256 belongs to one thread at a time; the functions have no state.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct SHA256state_st;

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
  std::unique_ptr<SHA256state_st> state_;
};

std::string sha256Bytes(std::string_view bytes);  ///< 32 bytes
std::string sha256Hex(std::string_view bytes);    ///< 64 lower-case digits

}  // namespace hone
