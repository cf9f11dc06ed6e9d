// Ensembles of decision trees on rows of features, as gathers over tables: all trees are walked at once, one level
// after the other, and who has come to a leaf stays there. Pure functions on a builder.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

struct TreeEnsemble {
  enum class Comparison : uint8_t { LessEqual, Less, GreaterEqual, Greater, Equal, NotEqual };
  /// An inner node; it compares a feature with its threshold.
  struct Node {
    int64_t feature = 0;
    double threshold = 0;
    Comparison comparison = Comparison::LessEqual;
    bool missingIsTrue = false;           ///< where NaN goes, else by what the comparison says of it
    int64_t whenTrue = 0, whenFalse = 0;  ///< places
  };
  /// What a leaf adds to a target.
  struct Weight {
    int64_t leaf, target;
    double value;
  };

  // Places: the leaves from 0 on, behind them the inner nodes.
  int64_t leaves = 0, targets = 1;
  std::vector<Node> nodes;
  std::vector<int64_t> roots;  ///< the place where each tree begins
  std::vector<Weight> weights;
};

enum class Aggregate : uint8_t { Average, Sum, Min, Max };

/// For each row of \p data [rows, features] the leaf that it comes to in each tree: int32 [rows, trees]. An error when
/// places or features are not there, and when a tree has a cycle.
Result leavesOf(Builder &build, const TreeEnsemble &ensemble, Result data);

/// The weights of \p leaves, by target: [rows, targets] of \p dtype; 0 where there are none.
Result aggregated(Builder &build, const TreeEnsemble &ensemble, Result leaves, Aggregate aggregate, DType dtype);

/// Whether any of \p leaves has a weight for the target: bool [rows, targets].
Result presence(Builder &build, const TreeEnsemble &ensemble, Result leaves);

/// By target, whether every row is sure to have a weight for it: all leaves of some tree have one.
std::vector<bool> alwaysPresent(const TreeEnsemble &ensemble);

}  // namespace hone::frontend
