// The kernel of a product with weights that stay small integers, several to a byte, with a scale and a zero point for
// each block: where there are few rows of data, reading the weights is all that takes time. Pure functions;
// thread-safe.
#pragma once

#include <cstdint>

#include "compiler/tensor/tensor_op.h"

namespace hone::frontend {

/// result [rows, columns] = sum over k of data[row, k] * (weight[k, column] - zero) * scale, with zero and scale those
/// of the column in k's block. Operands: data [rows, blocks * size], bytes [tiles, blocks, size * bits / 8, tile] with
/// the lower bits first, scales and zeros [tiles, blocks, tile]: tiles of columns, so that what is read lies together.
struct BlockProduct {
  DType dtype = DType::F32;
  int64_t rows = 1, columns = 1, blocks = 1, size = 32, bits = 4;

  int64_t tile() const { return columns % kTile == 0 ? kTile : columns; }
  int64_t tiles() const { return columns / tile(); }

 private:
  static constexpr int64_t kTile = 16;  ///< a vector: its bytes follow one another along the blocks
};

tensor::Kernel blockProductKernel(const BlockProduct &product);

}  // namespace hone::frontend
