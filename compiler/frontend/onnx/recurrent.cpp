// RNN, GRU and LSTM: the inputs of all steps and directions are multiplied by their weights at once; what is left, step
// by step, is one kernel per direction (recurrent_kernel.h).
#include <algorithm>
#include <cctype>

#include "compiler/base/status.h"
#include "compiler/frontend/build/recurrent_kernel.h"
#include "compiler/frontend/onnx/microsoft_operators.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/quantisation.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

// Where the operands are.
constexpr int kData = 0, kWeights = 1, kStateWeights = 2, kBias = 3, kLengths = 4, kFirstHidden = 5, kFirstCell = 6,
              kPeepholes = 7;

/// What the products of a cell whose data and weights are integers are multiplied by: one number for the data, one for
/// each direction and row of the weights.
struct Scales {
  ValueId data, weights, stateWeights;
};

class Recurrence {
 public:
  Recurrence(NodeContext &node, CellKind kind, std::optional<Scales> scales = std::nullopt)
      : node_(node), build_(node.build), scales_(scales) {
    cell_.kind = kind;
    cell_.quantisesState = scales.has_value();
  }

  Result run() {
    HONE_RETURN_IF_ERROR(readShape());
    HONE_RETURN_IF_ERROR(readAttributes());
    HONE_RETURN_IF_ERROR(readActivations());
    cell_.wantsAll = node_.isOutputUsed(0);
    cell_.wantsLastCell = cell_.kind == CellKind::Lstm && node_.isOutputUsed(2);
    // Something has to be computed even where nobody looks.
    cell_.wantsLastHidden = node_.isOutputUsed(1) || (!cell_.wantsAll && !cell_.wantsLastCell);
    HONE_ASSIGN_OR_RETURN(inputs_, productWithInputs());
    for (int64_t d = 0; d < directions_; ++d) {
      HONE_ASSIGN_OR_RETURN(ValueId result, direction(d));
      results_.push_back(result);
    }
    return outputs();
  }

 private:
  int64_t gates() const { return cell_.gates(); }
  int64_t hidden() const { return cell_.hidden; }

  // ------------------------------------------------------------------------------------------------------- reading

  absl::Status checkShape(int position, const Shape &wanted) const {
    if (!node_.has(position) || node_.shape(position) == wanted) return absl::OkStatus();
    return invalid("operand ", position, " has shape ", graph::shapeText(node_.shape(position)), " instead of ",
                   graph::shapeText(wanted));
  }

  absl::Status readShape() {
    HONE_ASSIGN_OR_RETURN(std::string direction, node_.text("direction", "forward"));
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
      return invalid("attribute 'direction' is '", direction, "', not forward, reverse or bidirectional");
    }
    directions_ = direction == "bidirectional" ? 2 : 1;
    firstIsReverse_ = direction == "reverse";
    HONE_ASSIGN_OR_RETURN(int64_t layout, node_.integer("layout", 0));
    isBatchFirst_ = layout != 0;
    const Shape &data = node_.shape(kData), &state = node_.shape(kStateWeights);
    if (data.size() != 3 || state.size() != 3) {
      return invalid("takes data and weights of 3 dims, not ", graph::shapeText(data), " and ",
                     graph::shapeText(state));
    }
    cell_.steps = data[isBatchFirst_ ? 1 : 0];
    cell_.batch = data[isBatchFirst_ ? 0 : 1];
    cell_.hidden = state[2];
    HONE_ASSIGN_OR_RETURN(int64_t declared, node_.integer("hidden_size", hidden()));
    if (declared != hidden()) {
      return invalid("attribute 'hidden_size' is ", declared, ", but the weights are for ", hidden());
    }
    const int64_t rows = gates() * hidden();
    HONE_RETURN_IF_ERROR(checkShape(kStateWeights, {directions_, rows, hidden()}));
    HONE_RETURN_IF_ERROR(checkShape(kWeights, {directions_, rows, data[2]}));
    HONE_RETURN_IF_ERROR(checkShape(kBias, {directions_, 2 * rows}));
    HONE_RETURN_IF_ERROR(checkShape(kLengths, {cell_.batch}));
    const Shape first =
        isBatchFirst_ ? Shape{cell_.batch, directions_, hidden()} : Shape{directions_, cell_.batch, hidden()};
    HONE_RETURN_IF_ERROR(checkShape(kFirstHidden, first));
    HONE_RETURN_IF_ERROR(checkShape(kFirstCell, first));
    HONE_RETURN_IF_ERROR(checkShape(kPeepholes, {directions_, 3 * hidden()}));
    if (!isFloat(node_.dtype(kData))) return invalid("takes floats");
    cell_.dtype = node_.dtype(kData) == DType::F64 ? DType::F64 : DType::F32;
    cell_.hasLengths = node_.has(kLengths);
    cell_.hasHidden = node_.has(kFirstHidden);
    cell_.hasCell = node_.has(kFirstCell);
    cell_.hasPeepholes = node_.has(kPeepholes);
    if (cell_.hasLengths && !isInteger(node_.dtype(kLengths))) return invalid("lengths of sequences are not integers");
    return absl::OkStatus();
  }

  absl::Status readAttributes() {
    if (node_.hasAttribute("clip")) {
      HONE_ASSIGN_OR_RETURN(cell_.clip, node_.real("clip"));
      if (!(cell_.clip >= 0)) return invalid("attribute 'clip' is ", cell_.clip, "; it may not be negative");
    }
    HONE_ASSIGN_OR_RETURN(int64_t linear, node_.integer("linear_before_reset", 0));
    HONE_ASSIGN_OR_RETURN(int64_t coupled, node_.integer("input_forget", 0));
    cell_.linearBeforeReset = linear != 0;
    cell_.inputForget = coupled != 0;
    cell_.hasInnerBias = cell_.kind == CellKind::Gru && cell_.linearBeforeReset && node_.has(kBias);
    return absl::OkStatus();
  }

  /// The activations of all directions; alpha and beta go to those that take them, in order.
  absl::Status readActivations() {
    std::vector<std::string> names = cell_.kind == CellKind::Rnn ? std::vector<std::string>{"tanh"}
                                     : cell_.kind == CellKind::Gru
                                         ? std::vector<std::string>{"sigmoid", "tanh"}
                                         : std::vector<std::string>{"sigmoid", "tanh", "tanh"};
    const size_t count = names.size() * static_cast<size_t>(directions_);
    const std::vector<std::string> ofOneDirection = names;
    if (directions_ == 2) names.insert(names.end(), ofOneDirection.begin(), ofOneDirection.end());
    if (node_.hasAttribute("activations")) {
      HONE_ASSIGN_OR_RETURN(names, node_.texts("activations"));
    }
    if (names.size() != count) return invalid(names.size(), " activations instead of ", count);
    std::vector<double> alphas, betas;
    if (node_.hasAttribute("activation_alpha")) {
      HONE_ASSIGN_OR_RETURN(alphas, node_.reals("activation_alpha"));
    }
    if (node_.hasAttribute("activation_beta")) {
      HONE_ASSIGN_OR_RETURN(betas, node_.reals("activation_beta"));
    }
    size_t nextAlpha = 0, nextBeta = 0;
    for (std::string &name : names) {
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      const ActivationRow *row = findActivation(name);
      if (row == nullptr) return invalid("activation '", name, "' is unknown");
      Activation activation{name, row->alpha, row->beta};
      if (row->takesAlpha && nextAlpha < alphas.size()) activation.alpha = alphas[nextAlpha++];
      if (row->takesBeta && nextBeta < betas.size()) activation.beta = betas[nextBeta++];
      activations_.push_back(std::move(activation));
    }
    return absl::OkStatus();
  }

  // ------------------------------------------------------------------------------------------------------ operands

  Result operand(int position) { return build_.cast(node_.input(position), cell_.dtype); }

  /// \p extent elements of one axis, and all of the others.
  Result part(Result data, size_t axis, int64_t start, int64_t extent) {
    if (!data.ok()) return data;
    Shape extents = build_.shape(*data), starts(extents.size(), 0);
    starts[axis] = start;
    extents[axis] = extent;
    return build_.slice(data, starts, Shape(extents.size(), 1), extents);
  }

  /// Of an operand [directions, …], what belongs to direction \p d.
  Result ofDirection(int position, int64_t d, Shape shape) {
    return build_.reshape(part(operand(position), 0, d, 1), std::move(shape));
  }

  /// Data times weights for all steps and directions, with the biases that are added to them: [steps, batch,
  /// directions * gates * hidden].
  Result productWithInputs() {
    const int64_t rows = gates() * hidden(), features = node_.shape(kData)[2];
    Result data = operand(kData);
    if (isBatchFirst_) data = build_.transpose(data, {1, 0, 2});
    Result flat = build_.reshape(data, {cell_.steps * cell_.batch, features});
    Result weights = build_.reshape(operand(kWeights), {directions_ * rows, features});
    Result product = build_.matMul(flat, weights, false, true);
    if (scales_) {
      Result scale = build_.apply(Op::Mul, {scales_->data, build_.reshape(scales_->weights, {directions_ * rows})});
      product = build_.apply(Op::Mul, {product, scale});
    }
    if (node_.has(kBias)) {
      Result own = part(operand(kBias), 1, 0, rows), state = part(operand(kBias), 1, rows, rows);
      if (cell_.hasInnerBias) {
        // The candidate's second bias is added before the reset.
        state = build_.pad(part(state, 1, 0, 2 * hidden()), {{0, 0, 0, hidden()}, graph::PadMode::Constant, 0});
      }
      Result bias = build_.reshape(build_.apply(Op::Add, {own, state}), {directions_ * rows});
      product = build_.apply(Op::Add, {product, bias});
    }
    return build_.reshape(product, {cell_.steps, cell_.batch, directions_ * rows});
  }

  /// [hidden, count * hidden]: the state's weights of gates first, first + 1, …
  Result stateWeights(int64_t d, int64_t first, int64_t count) {
    Result rows = ofDirection(kStateWeights, d, {gates() * hidden(), hidden()});
    return build_.transpose(part(rows, 0, first * hidden(), count * hidden()), {1, 0});
  }

  Result firstState(int position, int64_t d) {
    return build_.reshape(part(operand(position), isBatchFirst_ ? 1 : 0, d, 1), {cell_.batch, hidden()});
  }

  Result direction(int64_t d) {
    const int64_t rows = gates() * hidden();
    const bool isGru = cell_.kind == CellKind::Gru;
    std::vector<Result> operands = {part(inputs_, 2, d * rows, rows), stateWeights(d, 0, isGru ? 2 : gates())};
    if (isGru) operands.push_back(stateWeights(d, 2, 1));
    if (scales_) operands.push_back(build_.reshape(part(scales_->stateWeights, 0, d, 1), {rows}));
    if (cell_.hasLengths) operands.push_back(build_.cast(node_.input(kLengths), DType::I32));
    if (cell_.hasHidden) operands.push_back(firstState(kFirstHidden, d));
    if (cell_.hasCell) operands.push_back(firstState(kFirstCell, d));
    if (cell_.hasPeepholes) operands.push_back(ofDirection(kPeepholes, d, {3 * hidden()}));
    if (cell_.hasInnerBias) {
      Result bias = ofDirection(kBias, d, {2 * rows});
      operands.push_back(part(bias, 0, rows + 2 * hidden(), hidden()));
    }
    Cell cell = cell_;
    cell.reverse = firstIsReverse_ || d == 1;
    const auto perDirection = static_cast<std::ptrdiff_t>(activations_.size()) / directions_;
    cell.activations.assign(activations_.begin() + d * perDirection, activations_.begin() + (d + 1) * perDirection);
    return build_.compute(recurrentKernel(cell), operands);
  }

  // ------------------------------------------------------------------------------------------------------- results

  /// Rows of all directions: [rows, directions, batch, hidden].
  Result stacked(int64_t start, int64_t count) {
    std::vector<Result> parts;
    for (const Result &result : results_) {
      parts.push_back(build_.reshape(part(result, 0, start, count), {count, 1, cell_.batch, hidden()}));
    }
    return build_.concat(parts, 1);
  }

  Result last(int64_t row) {
    Result state = build_.reshape(stacked(row, 1), {directions_, cell_.batch, hidden()});
    return build_.cast(isBatchFirst_ ? build_.transpose(state, {1, 0, 2}) : state, node_.dtype(kData));
  }

  Result outputs() {
    int64_t row = cell_.wantsAll ? cell_.steps : 0;
    std::vector<Result> all;
    if (cell_.wantsAll) {
      Result states = stacked(0, cell_.steps);
      if (isBatchFirst_) states = build_.transpose(states, {2, 0, 1, 3});
      all.push_back(build_.cast(states, node_.dtype(kData)));
    }
    if (cell_.wantsLastHidden) all.push_back(last(row++));
    if (cell_.wantsLastCell) all.push_back(last(row));
    // Outputs that nobody reads are not there; something stands in their places.
    std::vector<ValueId> ordered;
    size_t next = 0;
    for (const bool isWanted : {cell_.wantsAll, cell_.wantsLastHidden, cell_.wantsLastCell}) {
      const Result &result = isWanted ? all[next++] : all[0];
      if (!result.ok()) return result;
      ordered.push_back(*result);
    }
    node_.addOutput(ordered[1]);
    node_.addOutput(ordered[2]);
    return ordered[0];
  }

  NodeContext &node_;
  Builder &build_;
  std::optional<Scales> scales_;
  Cell cell_;
  int64_t directions_ = 1;
  bool firstIsReverse_ = false, isBatchFirst_ = false;
  std::vector<Activation> activations_;
  Result inputs_ = -1;
  std::vector<Result> results_;
};

struct QuantisedWeights {
  Result integers = -1;  ///< around 0, turned as those of an LSTM are: [directions, rows, columns]
  Result scales = -1;    ///< [directions, rows]
};

/// The weights [directions, columns, rows] at \p position. Scale and zero point are there for each direction or for
/// each row of one.
absl::StatusOr<QuantisedWeights> quantisedWeights(NodeContext &node, int position, int scalePosition) {
  Builder &build = node.build;
  HONE_RETURN_IF_ERROR(checkSmall(node, position));
  const Shape weights = node.shape(position);
  if (weights.size() != 3) return invalid("takes weights of 3 dims, not ", graph::shapeText(weights));
  const Shape perRow = {weights[0], weights[2]};
  Result parts[2];
  for (int i = 0; i < 2; ++i) {
    if (!node.has(scalePosition + i)) return invalid("operand ", scalePosition + i, " is missing");
    const Shape &shape = node.shape(scalePosition + i);
    if (shape != Shape{weights[0]} && shape != perRow) {
      return invalid("operand ", scalePosition + i, " has shape ", graph::shapeText(shape), " instead of ",
                     graph::shapeText({weights[0]}), " or ", graph::shapeText(perRow));
    }
    parts[i] = build.reshape(node.input(scalePosition + i), {shape[0], shape.size() == 2 ? shape[1] : 1});
  }
  QuantisedWeights result;
  Result zero = build.reshape(build.broadcast(parts[1], perRow), {weights[0], 1, weights[2]});
  result.integers = build.transpose(build.cast(centred(build, node.input(position), zero), DType::F32), {0, 2, 1});
  result.scales = build.broadcast(parts[0], perRow);
  return result;
}

}  // namespace

// An LSTM whose weights are quantised and whose inputs and states are quantised as they come: the inputs all at once,
// the states in each step. Sums are of integers, in float32: exact up to 2^24, thus of 256 products of bytes at least.
Result importDynamicQuantizeLstm(NodeContext &node) {
  Builder &build = node.build;
  std::vector<ValueId> operands = node.inputs();
  operands.resize(kPeepholes + 1, kOmitted);
  HONE_ASSIGN_OR_RETURN(DynamicallyQuantised data, quantisedDynamically(build, node.input(kData)));
  HONE_ASSIGN_OR_RETURN(QuantisedWeights weights, quantisedWeights(node, kWeights, 8));
  HONE_ASSIGN_OR_RETURN(QuantisedWeights stateWeights, quantisedWeights(node, kStateWeights, 10));
  HONE_ASSIGN_OR_RETURN(operands[kData], build.cast(centred(build, data.integers, Result(data.zero)), DType::F32));
  HONE_ASSIGN_OR_RETURN(operands[kWeights], weights.integers);
  HONE_ASSIGN_OR_RETURN(operands[kStateWeights], stateWeights.integers);
  Scales scales = {data.scale, -1, -1};
  HONE_ASSIGN_OR_RETURN(scales.weights, weights.scales);
  HONE_ASSIGN_OR_RETURN(scales.stateWeights, stateWeights.scales);
  NodeContext lstm = node.withInputs(std::move(operands), 14);
  HONE_ASSIGN_OR_RETURN(ValueId result, Recurrence(lstm, CellKind::Lstm, scales).run());
  for (const ValueId output : lstm.furtherOutputs()) node.addOutput(output);
  return result;
}

Result importRnn(NodeContext &node) { return Recurrence(node, CellKind::Rnn).run(); }
Result importGru(NodeContext &node) { return Recurrence(node, CellKind::Gru).run(); }
Result importLstm(NodeContext &node) { return Recurrence(node, CellKind::Lstm).run(); }

}  // namespace hone::frontend
