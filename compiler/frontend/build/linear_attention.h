// The kernel of linear attention: a state that each step decays and adds to, and that queries read. A step is a scan
// dim. Pure functions; thread-safe.
#pragma once

#include <cstdint>

#include "compiler/tensor/tensor_op.h"

namespace hone::frontend {

/// With the state S [key size, value size] of a head, step by step:
///   S = exp(decay) S;  written = value, or rate * (value - S^T key);  S = S + key written^T;  result = scale S^T query
struct LinearAttention {
  DType dtype = DType::F32;
  int64_t batch = 1, steps = 1, heads = 1, keySize = 1, valueSize = 1;
  int64_t group = 1;  ///< heads of the query for each of the key's
  double scale = 1;
  // The operands are query [batch, steps, heads * group * key size], key and value [batch, steps, heads * …] and, of
  // these, those that there are:
  bool hasState = false;  ///< [batch, heads, key size, value size]; otherwise it begins with zeros
  int64_t decays = 0;     ///< for each head: 0, 1 or the key size; [batch, steps, heads * decays]
  int64_t rates = 0;      ///< altogether: 0, 1 or the heads; [batch, steps, rates]

  /// The result: rows [value size], those of all heads of all steps [batch, steps, heads, group], then the last state's
  /// [batch, heads, key size].
  int64_t outputRows() const { return batch * steps * heads * group; }
  int64_t stateRows() const { return batch * heads * keySize; }
};

tensor::Kernel linearAttentionKernel(const LinearAttention &attention);

}  // namespace hone::frontend
