#include "compiler/frontend/build/recurrent_kernel.h"

#include <algorithm>
#include <iterator>

#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {
namespace {

using tensor::Index;
using tensor::Scalar;

constexpr ActivationRow kActivations[] = {
    {"affine", true, true, 1, 0},           {"elu", true, false, 1, 0},
    {"hardsigmoid", true, true, 0.2, 0.5},  {"leakyrelu", true, false, 0.01, 0},
    {"relu", false, false, 0, 0},           {"scaledtanh", true, true, 1, 1},
    {"sigmoid", false, false, 0, 0},        {"softplus", false, false, 0, 0},
    {"softsign", false, false, 0, 0},       {"tanh", false, false, 0, 0},
    {"thresholdedrelu", true, false, 1, 0},
};

/// Dims of the stages: the step first where there is one.
constexpr int kStep = 0;

class KernelWriter {
 public:
  explicit KernelWriter(const Cell &cell) : cell_(cell), b_(nameOf(cell.kind)) { addBuffers(); }

  tensor::Kernel write() {
    start(firstHidden_, states_);
    if (cell_.kind == CellKind::Lstm) start(firstCell_, cells_);
    switch (cell_.kind) {
      case CellKind::Rnn:
        rnn();
        break;
      case CellKind::Gru:
        gru();
        break;
      case CellKind::Lstm:
        lstm();
        break;
    }
    writeResults();
    return b_.finish();
  }

 private:
  static const char *nameOf(CellKind kind) {
    return kind == CellKind::Rnn ? "rnn" : kind == CellKind::Gru ? "gru" : "lstm";
  }

  void addBuffers() {
    const int64_t hidden = cell_.hidden, batch = cell_.batch;
    const DType dtype = cell_.dtype;
    inputs_ = b_.input("inputs", {cell_.steps, batch, cell_.gates() * hidden}, dtype);
    const bool isGru = cell_.kind == CellKind::Gru;
    weights_ = b_.input("weights", {hidden, (isGru ? 2 : cell_.gates()) * hidden}, dtype);
    if (isGru) innerWeights_ = b_.input("inner_weights", {hidden, hidden}, dtype);
    if (cell_.quantisesState) weightScales_ = b_.input("weight_scales", {cell_.gates() * hidden}, dtype);
    if (cell_.hasLengths) lengths_ = b_.input("lengths", {batch}, DType::I32);
    if (cell_.hasHidden) firstHidden_ = b_.input("first_hidden", {batch, hidden}, dtype);
    if (cell_.hasCell) firstCell_ = b_.input("first_cell", {batch, hidden}, dtype);
    if (cell_.hasPeepholes) peepholes_ = b_.input("peepholes", {3 * hidden}, dtype);
    if (cell_.hasInnerBias) innerBias_ = b_.input("inner_bias", {hidden}, dtype);
    states_ = b_.temporary("states", {cell_.steps + 1, batch, hidden}, dtype);
    if (cell_.kind == CellKind::Lstm) cells_ = b_.temporary("cells", {cell_.steps + 1, batch, hidden}, dtype);
    output_ = b_.output("result", {cell_.rows(), batch, hidden}, dtype);
  }

  // ------------------------------------------------------------------------------------------------------- scalars

  Scalar number(double value) const { return tensor::number(value, cell_.dtype); }
  static Index t() { return tensor::dim(kStep); }
  static Index batch() { return tensor::dim(1); }
  static Index unit() { return tensor::dim(2); }

  Scalar activation(size_t position, const Scalar &unclipped) const {
    const Activation &a = cell_.activations.at(position);
    Scalar x = unclipped;
    if (cell_.clip > 0) x = tensor::minimum(tensor::maximum(x, number(-cell_.clip)), number(cell_.clip));
    const Scalar zero = number(0), one = number(1), alpha = number(a.alpha), beta = number(a.beta);
    if (a.name == "sigmoid") return one / (one + tensor::exponential(zero - x));
    if (a.name == "tanh") return tensor::hyperbolicTangent(x);
    if (a.name == "relu") return tensor::maximum(x, zero);
    if (a.name == "affine") return alpha * x + beta;
    if (a.name == "leakyrelu") return tensor::select(tensor::less(x, zero), alpha * x, x);
    if (a.name == "thresholdedrelu") return tensor::select(tensor::less(x, alpha), zero, x);
    if (a.name == "scaledtanh") return alpha * tensor::hyperbolicTangent(beta * x);
    if (a.name == "hardsigmoid") return tensor::minimum(tensor::maximum(alpha * x + beta, zero), one);
    if (a.name == "elu") return tensor::select(tensor::less(x, zero), alpha * (tensor::exponential(x) - one), x);
    if (a.name == "softsign") return x / (one + tensor::apply(ScalarOp::Abs, {x}));
    // softplus, in a form that does not overflow
    const Scalar size = tensor::apply(ScalarOp::Abs, {x});
    const Scalar rest = tensor::apply(ScalarOp::Log, {one + tensor::exponential(zero - size)});
    return tensor::maximum(x, zero) + rest;
  }

  /// The place in time of step t of the scan, or the step at which place t is computed: both are the same map.
  Index turned(const Index &step) const {
    if (!cell_.reverse) return step;
    if (!cell_.hasLengths) return step * -1 + (cell_.steps - 1);
    const Index last = tensor::load(lengths_, {batch()}) - 1;
    return tensor::clamp(last + step * -1, 0, cell_.steps - 1);
  }

  /// Whether step or place t belongs to the sequence.
  Scalar isWithin(const Index &step) {
    return tensor::less(tensor::indexValue(step), tensor::cast(DType::I64, b_.get(lengths_, {batch()})));
  }

  // -------------------------------------------------------------------------------------------------------- stages

  void start(int first, int states) {
    b_.begin(states == states_ ? "start" : "start_cell",
             {tensor::parallel("b", cell_.batch), tensor::parallel("h", cell_.hidden)});
    const Scalar value = first < 0 ? number(0) : b_.get(first, {tensor::dim(0), tensor::dim(1)});
    b_.put(value, states, {tensor::constant(0), tensor::dim(0), tensor::dim(1)});
  }

  /// Stage \p name: [batch, columns] = rows of a state times \p weights. \p state: with the step as its first dim.
  int product(const char *name, int state, bool hasSteps, int weights, int64_t columns) {
    const int result = b_.temporary(std::string(name) + "_value", {cell_.batch, columns}, cell_.dtype);
    b_.begin(name, {tensor::scan("t", cell_.steps), tensor::parallel("b", cell_.batch), tensor::parallel("n", columns),
                    tensor::reduce("k", cell_.hidden)});
    b_.fold(tensor::CombinerKind::Sum);
    const Index k = tensor::dim(3);
    std::vector<Index> row = hasSteps ? std::vector<Index>{t(), batch(), k} : std::vector<Index>{batch(), k};
    const Scalar element = b_.get(state, std::move(row));
    b_.put(element * b_.get(weights, {k, unit()}), result, {batch(), unit()});
    return result;
  }

  void beginStep(const char *name) {
    b_.begin(name,
             {tensor::scan("t", cell_.steps), tensor::parallel("b", cell_.batch), tensor::parallel("h", cell_.hidden)});
  }

  Scalar column(int buffer, int64_t gate) { return b_.get(buffer, {batch(), unit() + gate * cell_.hidden}); }
  Scalar input(int64_t gate) { return b_.get(inputs_, {turned(t()), batch(), unit() + gate * cell_.hidden}); }
  Scalar before(int states) { return b_.get(states, {t(), batch(), unit()}); }
  Scalar peephole(int64_t gate) { return b_.get(peepholes_, {unit() + gate * cell_.hidden}); }

  /// The state after this step; behind the end of a sequence it stays as it is.
  void putState(Scalar value, int states) {
    if (cell_.hasLengths) value = tensor::select(isWithin(t()), value, before(states));
    b_.put(value, states, {t() + 1, batch(), unit()});
  }

  void rnn() {
    const int product = this->product("gates", states_, true, weights_, cell_.hidden);
    beginStep("hidden");
    putState(activation(0, input(0) + column(product, 0)), states_);
  }

  // Gates are update, reset, candidate.
  void gru() {
    const int gates = product("gates", states_, true, weights_, 2 * cell_.hidden);
    int candidate = -1;
    if (cell_.linearBeforeReset) {
      candidate = product("candidate", states_, true, innerWeights_, cell_.hidden);
    } else {
      const int kept = b_.temporary("reset_value", {cell_.batch, cell_.hidden}, cell_.dtype);
      beginStep("reset");
      const Scalar reset = activation(0, input(1) + column(gates, 1));
      b_.put(reset * before(states_), kept, {batch(), unit()});
      candidate = product("candidate", kept, false, innerWeights_, cell_.hidden);
    }
    beginStep("hidden");
    const Scalar update = activation(0, input(0) + column(gates, 0));
    Scalar inner = column(candidate, 0);
    if (cell_.linearBeforeReset) {
      if (cell_.hasInnerBias) inner = inner + b_.get(innerBias_, {unit()});
      inner = activation(0, input(1) + column(gates, 1)) * inner;
    }
    const Scalar fresh = activation(1, input(2) + inner);
    putState((number(1) - update) * fresh + update * before(states_), states_);
  }

  /// The largest (or smallest) of 0 and the elements of the state that a step begins with.
  int extreme(const char *name, tensor::CombinerKind kind) {
    const int result = b_.temporary(std::string(name) + "_value", {1}, cell_.dtype);
    b_.begin(name, {tensor::scan("t", cell_.steps), tensor::parallel("one", 1), tensor::reduce("rb", cell_.batch),
                    tensor::reduce("k", cell_.hidden)});
    b_.fold(kind);
    const Scalar element = b_.get(states_, {t(), tensor::dim(2), tensor::dim(3)});
    const bool isHighest = kind == tensor::CombinerKind::Max;
    b_.put(isHighest ? tensor::maximum(element, number(0)) : tensor::minimum(element, number(0)), result,
           {tensor::dim(1)});
    return result;
  }

  /// [batch, hidden]: the state that a step begins with in 255ths of its range, which are its scale (stateScale_), as
  /// integers around 0.
  int roundedState() {
    const int highest = extreme("highest", tensor::CombinerKind::Max);
    const int lowest = extreme("lowest", tensor::CombinerKind::Min);
    stateScale_ = b_.temporary("scale_value", {1}, cell_.dtype);
    b_.begin("scale", {tensor::scan("t", cell_.steps), tensor::parallel("one", 1)});
    const Scalar range = b_.get(highest, {tensor::dim(1)}) - b_.get(lowest, {tensor::dim(1)});
    b_.put(tensor::select(tensor::equal(range, number(0)), number(1), range / number(255)), stateScale_,
           {tensor::dim(1)});
    const int result = b_.temporary("rounded_value", {cell_.batch, cell_.hidden}, cell_.dtype);
    beginStep("rounded");
    const auto round = [](const Scalar &value) { return tensor::apply(ScalarOp::Round, {value}); };
    const Scalar scale = b_.get(stateScale_, {tensor::constant(0)});
    const Scalar zero = round((number(0) - b_.get(lowest, {tensor::constant(0)})) / scale);
    const Scalar place = round(b_.get(states_, {t(), batch(), unit()}) / scale) + zero;
    const Scalar inside = tensor::minimum(tensor::maximum(place, number(0)), number(255));
    b_.put(inside - zero, result, {batch(), unit()});
    return result;
  }

  /// The state's product with the weights of gate \p position of an LSTM.
  Scalar stateProduct(int products, int64_t position) {
    const Scalar sum = column(products, position);
    if (!cell_.quantisesState) return sum;
    const Scalar scale = b_.get(stateScale_, {tensor::constant(0)});
    return sum * (scale * b_.get(weightScales_, {unit() + position * cell_.hidden}));
  }

  // Gates are input, output, forget, cell; peepholes of the first three.
  void lstm() {
    const int state = cell_.quantisesState ? roundedState() : states_;
    const int gates = product("gates", state, !cell_.quantisesState, weights_, 4 * cell_.hidden);
    beginStep("cell");
    const Scalar old = before(cells_);
    const auto gate = [&](int64_t position, const Scalar &looked, int64_t peep) {
      Scalar sum = input(position) + stateProduct(gates, position);
      return peep >= 0 && cell_.hasPeepholes ? sum + peephole(peep) * looked : sum;
    };
    const Scalar entering = activation(0, gate(0, old, 0));
    const Scalar kept = cell_.inputForget ? number(1) - entering : activation(0, gate(2, old, 2));
    putState(kept * old + entering * activation(1, gate(3, old, -1)), cells_);
    beginStep("hidden");
    const Scalar now = b_.get(cells_, {t() + 1, batch(), unit()});
    const Scalar shown = activation(2, now);
    putState(activation(0, gate(1, now, 1)) * shown, states_);
  }

  void writeResults() {
    int64_t row = 0;
    if (cell_.wantsAll) {
      b_.begin("all", {tensor::parallel("t", cell_.steps), tensor::parallel("b", cell_.batch),
                       tensor::parallel("h", cell_.hidden)});
      Scalar value = b_.get(states_, {turned(t()) + 1, batch(), unit()});
      if (cell_.hasLengths) value = tensor::select(isWithin(t()), value, number(0));
      b_.put(value, output_, {t(), batch(), unit()});
      row = cell_.steps;
    }
    if (cell_.wantsLastHidden) writeLast("last_hidden", states_, row++);
    if (cell_.wantsLastCell) writeLast("last_cell", cells_, row);
  }

  void writeLast(const char *name, int states, int64_t row) {
    const Index b = tensor::dim(0), h = tensor::dim(1);
    b_.begin(name, {tensor::parallel("b", cell_.batch), tensor::parallel("h", cell_.hidden)});
    b_.put(b_.get(states, {tensor::constant(cell_.steps), b, h}), output_, {tensor::constant(row), b, h});
  }

  const Cell &cell_;
  tensor::KernelBuilder b_;
  int inputs_ = -1, weights_ = -1, innerWeights_ = -1, weightScales_ = -1, lengths_ = -1;
  int firstHidden_ = -1, firstCell_ = -1, peepholes_ = -1, innerBias_ = -1;
  int states_ = -1, cells_ = -1, output_ = -1, stateScale_ = -1;
};

}  // namespace

const ActivationRow *findActivation(const std::string &name) {
  const ActivationRow *row = std::find_if(std::begin(kActivations), std::end(kActivations),
                                          [&](const ActivationRow &other) { return name == other.name; });
  return row == std::end(kActivations) ? nullptr : row;
}

tensor::Kernel recurrentKernel(const Cell &cell) { return KernelWriter(cell).write(); }

}  // namespace hone::frontend
