// RNN, GRU and LSTM with random shapes, operands and attributes, as generated code against plain loops over their
// definitions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/frontend/compiled_node.h"
#include "tests/support/rounds.h"

namespace hone::test {
namespace {

using Shape = std::vector<int64_t>;
using testing::Random;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double activate(const std::string &name, double x) {
  if (name == "Sigmoid") return sigmoid(x);
  if (name == "Tanh") return std::tanh(x);
  if (name == "Relu") return std::max(x, 0.0);
  if (name == "Softsign") return x / (1 + std::fabs(x));
  if (name == "Softplus") return std::log1p(std::exp(x));
  if (name == "LeakyRelu") return x < 0 ? 0.01 * x : x;
  if (name == "Elu") return x < 0 ? std::exp(x) - 1 : x;
  return std::clamp(0.2 * x + 0.5, 0.0, 1.0);  // HardSigmoid
}

/// A cell with random operands, and what it gives.
struct Case {
  std::string op, direction;
  int64_t directions = 1, steps = 1, batch = 1, features = 1, hidden = 1, gates = 1;
  bool hasBias = false, hasLengths = false, hasHidden = false, hasCell = false, hasPeepholes = false;
  bool isBatchFirst = false, isLinear = false, isCoupled = false, namesActivations = false;
  double clip = 0;
  std::vector<std::string> activations;
  Array x, w, r, b, lengths, h0, c0, p;
  Array y, yh, yc;

  double product(const Array &weights, int64_t d, int64_t row, const std::vector<double> &vector) const {
    double sum = 0;
    for (size_t k = 0; k < vector.size(); ++k) sum += weights.at({d, row, static_cast<int64_t>(k)}) * vector[k];
    return sum;
  }
  double bias(int64_t d, int64_t row, bool ofState) const {
    return hasBias ? b.at({d, row + (ofState ? gates * hidden : 0)}) : 0;
  }
  double f(int64_t d, size_t which, double value) const {
    if (clip > 0) value = std::clamp(value, -clip, clip);
    const size_t each = activations.size() / static_cast<size_t>(directions);
    return activate(activations[static_cast<size_t>(d) * each + which], value);
  }
  double peep(int64_t d, int64_t gate, int64_t unit, double cell) const {
    return hasPeepholes ? p.at({d, gate * hidden + unit}) * cell : 0;
  }

  void step(int64_t d, const std::vector<double> &in, std::vector<double> &h, std::vector<double> &c) const {
    const std::vector<double> old = h;
    const auto sum = [&](int64_t gate, int64_t unit) {
      const int64_t row = gate * hidden + unit;
      return product(w, d, row, in) + product(r, d, row, old) + bias(d, row, false) + bias(d, row, true);
    };
    std::vector<double> reset(old.size());
    for (int64_t u = 0; op == "GRU" && u < hidden; ++u) reset[static_cast<size_t>(u)] = f(d, 0, sum(1, u));
    for (int64_t u = 0; u < hidden; ++u) {
      const auto i = static_cast<size_t>(u);
      if (op == "RNN") h[i] = f(d, 0, sum(0, u));
      if (op == "GRU") {
        const double update = f(d, 0, sum(0, u));
        const int64_t row = 2 * hidden + u;
        std::vector<double> kept(old.size());
        for (size_t k = 0; k < old.size(); ++k) kept[k] = reset[k] * old[k];
        const double inner = isLinear ? reset[i] * (product(r, d, row, old) + bias(d, row, true))
                                      : product(r, d, row, kept) + bias(d, row, true);
        h[i] = (1 - update) * f(d, 1, product(w, d, row, in) + bias(d, row, false) + inner) + update * old[i];
      }
      if (op == "LSTM") {
        const double before = c[i], enter = f(d, 0, sum(0, u) + peep(d, 0, u, before));
        const double keep = isCoupled ? 1 - enter : f(d, 0, sum(2, u) + peep(d, 2, u, before));
        c[i] = keep * before + enter * f(d, 1, sum(3, u));
        h[i] = f(d, 0, sum(1, u) + peep(d, 1, u, c[i])) * f(d, 2, c[i]);
      }
    }
  }

  Shape stateAt(int64_t d, int64_t n, int64_t u) const { return isBatchFirst ? Shape{n, d, u} : Shape{d, n, u}; }

  void compute() {
    y = Array(isBatchFirst ? Shape{batch, steps, directions, hidden} : Shape{steps, directions, batch, hidden});
    yh = Array(isBatchFirst ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden});
    yc = yh;
    for (int64_t d = 0; d < directions; ++d) {
      for (int64_t n = 0; n < batch; ++n) {
        std::vector<double> h(static_cast<size_t>(hidden)), c(h);
        for (int64_t u = 0; u < hidden; ++u) {
          if (hasHidden) h[static_cast<size_t>(u)] = h0.at(stateAt(d, n, u));
          if (hasCell) c[static_cast<size_t>(u)] = c0.at(stateAt(d, n, u));
        }
        const int64_t length = hasLengths ? static_cast<int64_t>(lengths.at({n})) : steps;
        for (int64_t t = 0; t < length; ++t) {
          const int64_t place = direction == "reverse" || d == 1 ? length - 1 - t : t;
          std::vector<double> in;
          for (int64_t k = 0; k < features; ++k) {
            in.push_back(x.at(isBatchFirst ? Shape{n, place, k} : Shape{place, n, k}));
          }
          step(d, in, h, c);
          for (int64_t u = 0; u < hidden; ++u) {
            y.at(isBatchFirst ? Shape{n, place, d, u} : Shape{place, d, n, u}) = h[static_cast<size_t>(u)];
          }
        }
        for (int64_t u = 0; u < hidden; ++u) {
          yh.at(stateAt(d, n, u)) = h[static_cast<size_t>(u)];
          yc.at(stateAt(d, n, u)) = c[static_cast<size_t>(u)];
        }
      }
    }
  }
};

Case randomCase(const std::string &op, Random &random) {
  Case c;
  c.op = op;
  c.gates = op == "RNN" ? 1 : op == "GRU" ? 3 : 4;
  c.direction = random.chance(40) ? "forward" : random.chance(40) ? "reverse" : "bidirectional";
  c.directions = c.direction == "bidirectional" ? 2 : 1;
  c.steps = random.between(1, 5);
  c.batch = random.between(1, 3);
  c.features = random.between(1, 5);
  c.hidden = random.chance(50) ? random.between(1, 6) : random.between(15, 35);
  c.hasBias = random.chance(60);
  c.hasLengths = random.chance(40);
  c.hasHidden = random.chance(50);
  c.hasCell = op == "LSTM" && random.chance(50);
  c.hasPeepholes = op == "LSTM" && random.chance(50);
  c.isBatchFirst = random.chance(30);
  c.isLinear = op == "GRU" && random.chance(50);
  c.isCoupled = op == "LSTM" && random.chance(20);
  c.clip = random.chance(20) ? 0.25 : 0;
  std::vector<std::string> each = op == "RNN"   ? std::vector<std::string>{"Tanh"}
                                  : op == "GRU" ? std::vector<std::string>{"Sigmoid", "Tanh"}
                                                : std::vector<std::string>{"Sigmoid", "Tanh", "Tanh"};
  const char *others[] = {"Relu", "Softsign", "Softplus", "LeakyRelu", "Elu", "HardSigmoid"};
  c.namesActivations = random.chance(60);
  for (int64_t d = 0; d < c.directions; ++d) {
    for (const std::string &name : each) {
      c.activations.push_back(c.namesActivations && random.chance(20) ? others[random.between(0, 5)] : name);
    }
  }
  const Shape state = c.isBatchFirst ? Shape{c.batch, c.directions, c.hidden} : Shape{c.directions, c.batch, c.hidden};
  c.x =
      Array::random(c.isBatchFirst ? Shape{c.batch, c.steps, c.features} : Shape{c.steps, c.batch, c.features}, random);
  c.w = Array::random({c.directions, c.gates * c.hidden, c.features}, random);
  c.r = Array::random({c.directions, c.gates * c.hidden, c.hidden}, random);
  for (double &value : c.r.values) value /= 4;
  if (c.hasBias) c.b = Array::random({c.directions, 2 * c.gates * c.hidden}, random);
  if (c.hasLengths) {
    c.lengths = Array({c.batch}, DType::I32);
    for (double &value : c.lengths.values) value = static_cast<double>(random.between(0, c.steps));
  }
  if (c.hasHidden) c.h0 = Array::random(state, random);
  if (c.hasCell) c.c0 = Array::random(state, random);
  if (c.hasPeepholes) c.p = Array::random({c.directions, 3 * c.hidden}, random);
  c.compute();
  return c;
}

class RecurrentNodes : public ::testing::TestWithParam<const char *> {};

TEST_P(RecurrentNodes, AgreeWithTheirDefinition) {
  testing::inRounds(2, 60, [](Random &random) {
    const Case c = randomCase(GetParam(), random);
    std::vector<Array> operands = {c.x, c.w, c.r, c.b, c.lengths, c.h0};
    std::vector<Array> expected = {c.y, c.yh};
    if (c.op == "LSTM") {
      operands.push_back(c.c0);
      operands.push_back(c.p);
      expected.push_back(c.yc);
    }
    CompiledNode node(14, c.op, operands, static_cast<int>(expected.size()));
    node.with("hidden_size", c.hidden).with("direction", c.direction.c_str());
    if (c.namesActivations) node.with("activations", c.activations);
    if (c.isBatchFirst) node.with("layout", 1);
    if (c.isLinear) node.with("linear_before_reset", 1);
    if (c.isCoupled) node.with("input_forget", 1);
    if (c.clip > 0) node.with("clip", static_cast<float>(c.clip));
    if (random.chance(70)) node.fixed(1).fixed(2);
    node.gives(expected, 1e-4);
  });
}

INSTANTIATE_TEST_SUITE_P(All, RecurrentNodes, ::testing::Values("RNN", "GRU", "LSTM"),
                         [](const auto &info) { return std::string(info.param); });

}  // namespace
}  // namespace hone::test
