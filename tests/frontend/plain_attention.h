// Attention by plain loops in double precision, for tests to compare with. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <functional>

#include "tests/frontend/node_model.h"

namespace hone::test {

struct PlainAttention {
  Array query, key, value;  ///< [batch, heads, length, size]; the first heads of the queries share the first key's
  double scale = 1;
  double softcap = 0;
  /// What is added to the score of query i and key j in head h of sample b; -inf hides the key.
  std::function<double(int64_t b, int64_t h, int64_t i, int64_t j)> bias;
};

/// All [batch, heads, queries, …]. A query that sees no key has zeros.
struct PlainAttentionValues {
  Array scores, capped, masked, probabilities, output;
};

PlainAttentionValues plainAttention(const PlainAttention &attention);

/// [batch, length, heads * size] -> [batch, heads, length, size], and back.
Array withHeads(const Array &data, int64_t heads);
Array withoutHeads(const Array &data);
/// Both, one behind the other along \p axis.
Array joined(const Array &first, const Array &second, size_t axis);

/// \p data [batch, heads, length, size] with the first \p size elements of every head turned, pair by pair, by the
/// angle \p angle(b, place in the sequence, number of the pair).
Array plainRotation(const Array &data, int64_t size, bool isInterleaved,
                    const std::function<double(int64_t b, int64_t i, int64_t pair)> &angle);

}  // namespace hone::test
