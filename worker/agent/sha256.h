// SHA-256 of bytes that arrive in pieces, and of files. One thread per object.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "hone/v1/blobs.pb.h"

namespace hone::worker {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256 &&) noexcept;
  ~Sha256();
  void add(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. Ends the object's use.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Of the whole file that \p descriptor has open, whose position stays.
absl::StatusOr<v1::Digest> digestOf(int descriptor);

}  // namespace hone::worker
