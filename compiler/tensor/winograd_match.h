// Finding the convolution that Winograd's algorithm fits. Internal to winograd(). Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

/// Of a window, in each direction.
inline constexpr int64_t kWinogradTaps = 3;

/// A spatial direction: data is read at out + tap + offset.
struct Direction {
  size_t dataDim = 0;  // of the data buffer
  int out = 0;         // dim of the stage
  int tap = 0;
  int64_t offset = 0;
};

/// What a convolution-shaped stage consists of.
struct WinogradMatch {
  int data = 0, weight = 0;  // positions among the stage's reads
  Direction y, x;
  std::vector<int> parallel;   // the other parallel dims
  std::vector<int> reduction;  // the other reduction dims
};

/// INVALID_ARGUMENT says what does not fit.
absl::StatusOr<WinogradMatch> matchWinograd(const Kernel &kernel, const TensorOp &op);

}  // namespace hone::tensor
