// The kernels of recurrent cells: one direction of an RNN, GRU or LSTM over all steps, whose products with the inputs
// are taken already. A step is a scan dim: the state's products with its weights, then what the cell makes of them.
// Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::frontend {

enum class CellKind : uint8_t { Rnn, Gru, Lstm };

struct Activation {
  std::string name;  ///< in lower case
  double alpha = 0, beta = 0;
};

/// What a cell computes, and on what.
struct Cell {
  CellKind kind = CellKind::Rnn;
  DType dtype = DType::F32;
  int64_t steps = 1, batch = 1, hidden = 1;
  std::vector<Activation> activations;  ///< f, then g, then h, as far as the cell has them
  double clip = 0;                      ///< 0: none
  bool reverse = false;
  bool linearBeforeReset = false;  ///< GRU
  bool inputForget = false;        ///< LSTM
  /// LSTM: the state is rounded to 8 bits of its range before it meets its weights. Those are integers, and the sums,
  /// exact, are scaled by the state's scale times one for each column.
  bool quantisesState = false;
  // Which operands there are, in this order behind the products [steps, batch, gates * hidden] and the state's weights:
  // [hidden, gates * hidden], or for a GRU [hidden, 2 * hidden] and [hidden, hidden]. Behind those that are quantised
  // come their scales, [gates * hidden].
  bool hasLengths = false;    ///< of the sequences, int32 [batch]
  bool hasHidden = false;     ///< first state [batch, hidden]
  bool hasCell = false;       ///< first state of the cell [batch, hidden]
  bool hasPeepholes = false;  ///< LSTM: [3 * hidden]
  bool hasInnerBias = false;  ///< GRU with linearBeforeReset: [hidden]
  // What is wanted: rows [batch, hidden] of the output, all that are there one behind the other.
  bool wantsAll = true;         ///< the state after each step
  bool wantsLastHidden = true;  ///< the state after the last step
  bool wantsLastCell = false;   ///< the cell after the last step

  int64_t gates() const { return kind == CellKind::Rnn ? 1 : kind == CellKind::Gru ? 3 : 4; }
  int64_t rows() const { return (wantsAll ? steps : 0) + (wantsLastHidden ? 1 : 0) + (wantsLastCell ? 1 : 0); }
};

/// Whether \p name, in lower case, is an activation; whether it takes alpha and beta, and their defaults.
struct ActivationRow {
  const char *name;
  bool takesAlpha, takesBeta;
  double alpha, beta;
};
const ActivationRow *findActivation(const std::string &name);

tensor::Kernel recurrentKernel(const Cell &cell);

}  // namespace hone::frontend
