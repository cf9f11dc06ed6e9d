// Scaled dot product attention, in core ops: which keys a query sees, the scores, what is made of them, and heads that
// lie beside one another in the last dim. Operands may be errors, as the Builder's. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

/// [batch, length, heads * size] -> [batch, heads, length, size]
Result splitHeads(Builder &build, Result data, int64_t heads);
/// [batch, heads, length, size] -> [batch, length, heads * size]
Result mergeHeads(Builder &build, Result data);

/// Which keys a query sees by their places. The query at place p sees those from p - left to p + right; a negative
/// number leaves that side open. With right 0 it sees nothing that comes after it.
struct KeyRange {
  int64_t queries = 1, keys = 1;
  int64_t left = -1, right = -1;
  /// The place of the first query among the keys, int64: a scalar or [batch, 1, 1, 1].
  Result first;
  /// How many of the keys there are in each sample, int64 [batch, 1, 1, 1]; nobody sees those behind.
  std::optional<Result> lengths;
};

/// Bools that broadcast to [batch, heads, queries, keys]; nothing where all keys are seen.
std::optional<Result> visibleKeys(Builder &build, const KeyRange &range);

/// Both, or the one that there is.
std::optional<Result> bothVisible(Builder &build, std::optional<Result> a, std::optional<Result> b);

struct Attention {
  Result query, key, value;  ///< [batch, heads, length, size]; a key's head may serve several of the queries'
  double scale = 1;
  double softcap = 0;             ///< scores stay within it either way; 0: as they are
  std::optional<Result> bias;     ///< added to the scores; broadcasts to [batch, heads, queries, keys]
  std::optional<Result> visible;  ///< bools that broadcast to the same
  std::optional<DType> softmaxType;
  /// What becomes of the rows in front of and behind the softmax, [batch, heads, queries, keys] in its type.
  std::function<Result(Result)> changeScores, changeProbabilities;
  bool zeroesHidden = true;  ///< a query that sees no key has zeros as probabilities and output, instead of NaN
};

/// All [batch, heads, queries, …].
struct AttentionValues {
  Result scores, capped, masked, probabilities, output;
};

AttentionValues attend(Builder &build, const Attention &attention);

}  // namespace hone::frontend
