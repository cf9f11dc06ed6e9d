// The parameters of a candidate as they lie in a network: so many copies, used in turn, that none is in the caches any
// more when its turn comes again, or one copy that stays there. Owns its memory; one thread at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::measure {

/// What one copy of a parameter of \p bytes takes: whole pages, so that copies of small ones do not share cache lines
/// and sets of them either.
int64_t copyBytes(int64_t bytes);

/// How many copies of each candidate's parameters make up \p cacheBytes, where \p bytes is the sum of copyBytes() of
/// all candidates that take turns: at least 1.
int64_t copiesFor(int64_t bytes, int64_t cacheBytes);

class ParameterCopies {
 public:
  /// \p parameters: the bytes of each, one copy.
  static absl::StatusOr<ParameterCopies> make(const std::vector<std::vector<char>> &parameters, int64_t copies);
  ParameterCopies(ParameterCopies &&other) noexcept;
  ParameterCopies &operator=(ParameterCopies &&other) noexcept;
  ~ParameterCopies();

  int64_t copies() const { return copies_; }
  /// Goes to the next copy, and after the last to the first.
  void advance() { current_ = (current_ + 1) % copies_; }
  /// Of the copy whose turn it is.
  char *parameter(size_t position) const { return memory_ + current_ * stride_ + offsets_[position]; }

 private:
  ParameterCopies() = default;

  char *memory_ = nullptr;
  int64_t size_ = 0;    ///< of all copies
  int64_t stride_ = 0;  ///< from copy to copy
  int64_t copies_ = 1, current_ = 0;
  std::vector<int64_t> offsets_;  ///< within a copy
};

}  // namespace hone::measure
