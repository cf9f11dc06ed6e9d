// Loops that are run as such, because how often they repeat shows at run time or is too much to write out: the body is
// imported once, with the loop's states in the places of its inputs. Functions without state.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/onnx/operand.h"

namespace hone::frontend {

/// What each iteration leaves, joined along a new axis.
struct LoopRow {
  bool isUsed = true;
  int64_t axis = 0;
  bool isBackward = false;  ///< the last iteration's comes first; the number of iterations is known then
  std::string what = {};    ///< for errors: "output 1"
};

struct RunTimeLoop {
  std::optional<ValueId> trips;      ///< one integer: at most so many iterations
  std::optional<ValueId> condition;  ///< one bool: whether the first iteration takes place
  Operands states;
  std::vector<LoopRow> rows;
  /// One iteration, of the given number, on the states: whether the next one takes place where there is a condition,
  /// what the states become, and a value for each of `rows`.
  std::function<absl::StatusOr<Operands>(ValueId number, const Operands &states)> iterate;
  size_t firstCount = 0;    ///< in Builder::countedIndices(): from here on they are of the loop
  std::string whatDecides;  ///< how often it repeats, for errors: "follows from the input 'x'"
};

/// Iterations that would become more nodes of the graph than this are better run as a loop: it is hardly slower, and
/// each node takes milliseconds to compile. What no loop can do is written out up to the import's limit.
inline constexpr int64_t kMostWrittenOut = 4'000;

/// The final states, then what `rows` have collected. States keep their types; the error says which one does not.
absl::StatusOr<Operands> buildLoop(Builder &build, const RunTimeLoop &loop);

}  // namespace hone::frontend
