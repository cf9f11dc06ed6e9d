#include "tests/plan/random_graph.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/rewriter.h"
#include "compiler/tensor/tensor_op.h"
#include "tests/plan/compute_kernels.h"

namespace hone::plan {
namespace {

using graph::Graph;
using graph::Op;
using graph::Shape;
using graph::TensorType;
using graph::ValueId;

constexpr int64_t kMaxElements = 4000;

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  Graph run(int nodes) {
    graph_.name = "random";
    const int inputs = below(2) + 1;
    for (int i = 0; i < inputs; ++i) addInput({DType::F32, i == 0 ? imageShape() : anyShape()});
    indices_ = graph_.addValue("indices", {DType::I64, {2, 3}});
    graph_.inputs.push_back({"indices", indices_});
    for (int tries = 0; static_cast<int>(graph_.nodes.size()) < nodes && tries < 20 * nodes; ++tries) addNode();
    chooseOutputs();
    return std::move(graph_);
  }

  Graph runWithLoops(int nodes) {
    mayLoop_ = true;
    Graph graph = run(nodes);
    graph::removeDeadNodes(graph);
    return graph;
  }

 private:
  int below(int64_t limit) { return static_cast<int>(random_() % static_cast<uint64_t>(limit)); }
  bool chance(int percent) { return below(100) < percent; }
  const Shape &shape(ValueId value) const { return graph_.values[static_cast<size_t>(value)].type.shape; }
  static int64_t elements(const Shape &shape) { return TensorType{DType::F32, shape}.elements(); }

  void addInput(TensorType type) {
    const std::string name = absl::StrCat("x", graph_.inputs.size());
    const ValueId value = graph_.addValue(name, std::move(type));
    graph_.inputs.push_back({name, value});
    pool_.push_back(value);
  }

  Shape imageShape() {
    static const int64_t kChannels[] = {2, 3, 6, 8, 10};
    return {1 + below(2), kChannels[below(5)], 3 + below(4), 3 + below(4)};
  }
  Shape anyShape() {
    Shape result;
    const int rank = 1 + below(4);
    for (int i = 0; i < rank; ++i) result.push_back(1 + below(5));
    return result;
  }

  ValueId constant(const Shape &shape) {
    std::vector<double> data(static_cast<size_t>(elements(shape)));
    for (double &element : data) element = (below(2001) - 1000) / 1000.0;
    return graph_.addConstant(absl::StrCat("c", constants_++), graph::makeConstant({DType::F32, shape}, data));
  }

  /// Any value; recent ones more often, so that chains get long.
  ValueId pick() {
    if (chance(50))
      return pool_[pool_.size() - 1 - static_cast<size_t>(below(std::min<int64_t>(3, std::ssize(pool_))))];
    return pool_[static_cast<size_t>(below(std::ssize(pool_)))];
  }

  /// Adds the node unless it grows too large or does not fit.
  void add(Op op, std::vector<ValueId> inputs, graph::Attributes attributes,
           const std::optional<TensorType> &type = std::nullopt) {
    std::vector<TensorType> types;
    for (ValueId input : inputs) types.push_back(graph_.values[static_cast<size_t>(input)].type);
    const auto inferred = graph::inferType(op, attributes, types, type);
    if (!inferred.ok() || inferred->elements() > kMaxElements || inferred->elements() == 0) return;
    const ValueId value =
        graph_.add(op, std::move(inputs), std::move(attributes), absl::StrCat("node", graph_.nodes.size()), type);
    if (inferred->dtype == DType::F32) pool_.push_back(value);
  }

  void addNode() {
    if (mayLoop_ && depth_ < 2 && chance(15)) return addLoop();
    const ValueId x = pick();
    switch (below(20)) {
      case 0:
      case 1:
      case 2:
        return addBinary(x);
      case 3:
        return addUnary(x);
      case 4:
        return addSelect(x);
      case 5:
      case 6:
        return addConv(x);
      case 7:
        return addPool(x);
      case 8:
      case 9:
        return addMatMul(x);
      case 10:
        return addReduce(x);
      case 11:
        return addNorm(x);
      case 12:
        return addReshape(x);
      case 13:
        return addTranspose(x);
      case 14:
        return addSlice(x);
      case 15:
        return addPad(x);
      case 16:
        return addGather(x);
      case 17:
      case 18:
        return addCompute(x);
      default:
        return chance(50) ? addConcat(x) : addBroadcast(x);
    }
  }

  void addBinary(ValueId x) {
    static const ScalarOp kOps[] = {ScalarOp::Add, ScalarOp::Sub, ScalarOp::Mul, ScalarOp::Max, ScalarOp::Min};
    ValueId y = pick();
    if (chance(40)) {
      Shape small = shape(x);
      for (int64_t &extent : small) extent = chance(50) ? 1 : extent;
      y = constant(chance(30) ? Shape{} : small);
    } else if (chance(60)) {
      // One of the same shape, if there is any: residual connections.
      for (size_t i = pool_.size(); i-- > 0;) {
        if (pool_[i] == x || shape(pool_[i]) != shape(x) || chance(40)) continue;
        y = pool_[i];
        break;
      }
    }
    if (chance(50)) std::swap(x, y);
    add(Op::Elementwise, {x, y}, graph::ElementwiseAttributes{kOps[below(5)]});
  }

  void addUnary(ValueId x) {
    // None that makes much of a small difference, such as the sine of a large number.
    static const ScalarOp kOps[] = {ScalarOp::Neg, ScalarOp::Abs, ScalarOp::Tanh, ScalarOp::Erf};
    if (chance(20)) {
      add(Op::Cast, {x}, {}, TensorType{DType::F64, shape(x)});
      const ValueId wide = static_cast<ValueId>(graph_.values.size() - 1);
      if (graph_.values.back().type.dtype == DType::F64) add(Op::Cast, {wide}, {}, TensorType{DType::F32, shape(x)});
      return;
    }
    add(Op::Elementwise, {x}, graph::ElementwiseAttributes{kOps[below(4)]});
  }

  void addSelect(ValueId x) {
    const ValueId y = chance(50) ? constant({}) : pick();
    const size_t before = graph_.nodes.size();
    add(Op::Elementwise, {x, y}, graph::ElementwiseAttributes{ScalarOp::Less});
    if (graph_.nodes.size() == before) return;
    const ValueId condition = graph_.nodes.back().output;
    add(Op::Elementwise, {condition, x, y}, graph::ElementwiseAttributes{ScalarOp::Select});
  }

  void addConv(ValueId x) {
    const Shape &data = shape(x);
    if (data.size() < 3) return;
    const size_t spatial = data.size() - 2;
    graph::ConvAttributes conv;
    Shape weight = {0, 0};
    for (size_t i = 0; i < spatial; ++i) {
      weight.push_back(1 + below(std::min<int64_t>(3, data[i + 2])));
      conv.strides.push_back(1 + below(2));
      conv.dilations.push_back(1 + below(2));
    }
    for (size_t i = 0; i < 2 * spatial; ++i) conv.pads.push_back(chance(50) ? below(3) : 0);
    const int64_t channels = data[1];
    if (chance(30)) {
      conv.groups = channels;
    } else if (channels % 2 == 0 && chance(30)) {
      conv.groups = 2;
    }
    weight[0] = conv.groups * (conv.groups == channels && chance(60) ? 1 : 1 + below(4));
    if (conv.groups == 1) weight[0] = 1 + below(12);
    weight[1] = channels / conv.groups;
    std::vector<ValueId> inputs = {x, constant(weight)};
    if (chance(50)) inputs.push_back(constant({weight[0]}));
    add(Op::Conv, std::move(inputs), conv);
  }

  void addPool(ValueId x) {
    const Shape &data = shape(x);
    if (data.size() < 3) return;
    graph::PoolAttributes pool;
    pool.kind = chance(50) ? graph::PoolKind::Max : graph::PoolKind::Average;
    pool.countPadding = chance(50);
    for (size_t i = 2; i < data.size(); ++i) {
      pool.kernel.push_back(1 + below(3));
      pool.strides.push_back(1 + below(2));
      pool.dilations.push_back(1 + below(2));
    }
    for (size_t i = 0; i < 2 * pool.kernel.size(); ++i) {
      // Every window meets the data, so that no average is over nothing.
      pool.pads.push_back(below(pool.kernel[i % pool.kernel.size()]));
    }
    if (std::any_of(pool.dilations.begin(), pool.dilations.end(), [](int64_t d) { return d > 1; })) {
      std::fill(pool.pads.begin(), pool.pads.end(), 0);
    }
    add(Op::Pool, {x}, pool);
  }

  void addMatMul(ValueId x) {
    graph::MatMulAttributes matmul{chance(30), chance(40)};
    const Shape &a = shape(x);
    if (a.size() < 2) return;
    const int64_t inner = matmul.transposeA ? a[a.size() - 2] : a.back();
    ValueId y = -1;
    if (chance(60)) {
      for (size_t i = pool_.size(); i-- > 0 && y < 0;) {
        const Shape &b = shape(pool_[i]);
        if (b.size() < 2 || chance(30)) continue;
        if ((matmul.transposeB ? b.back() : b[b.size() - 2]) == inner) y = pool_[i];
      }
    }
    if (y < 0) {
      const int64_t columns = 1 + below(9);
      y = constant(matmul.transposeB ? Shape{columns, inner} : Shape{inner, columns});
    }
    add(Op::MatMul, {x, y}, matmul);
  }

  void addReduce(ValueId x) {
    static const graph::ReduceKind kKinds[] = {graph::ReduceKind::Sum, graph::ReduceKind::Mean, graph::ReduceKind::Max,
                                               graph::ReduceKind::Min};
    graph::ReduceAttributes reduce{kKinds[below(4)], {}, chance(50)};
    for (size_t i = 0; i < shape(x).size(); ++i) {
      if (chance(50)) reduce.axes.push_back(static_cast<int64_t>(i));
    }
    add(Op::Reduce, {x}, reduce);
  }

  void addNorm(ValueId x) {
    const Shape &data = shape(x);
    if (data.empty()) return;
    const int64_t axis = below(std::ssize(data));
    switch (below(3)) {
      case 0:
        return add(Op::Softmax, {x}, graph::AxisAttributes{axis});
      case 1:
        return add(Op::LogSoftmax, {x}, graph::AxisAttributes{axis});
      default: {
        const Shape row(data.begin() + axis, data.end());
        const ValueId scale = constant(chance(50) ? row : Shape{row.back()}), shift = constant(row);
        return add(Op::LayerNorm, {x, scale, shift}, graph::LayerNormAttributes{axis, 1e-2});
      }
    }
  }

  void addReshape(ValueId x) {
    // Split the elements into prime factors and put them together anew, with extents of 1 between.
    int64_t rest = elements(shape(x));
    Shape result(static_cast<size_t>(1 + below(4)), 1);
    for (int64_t p = 2; rest > 1; ++p) {
      for (; rest % p == 0; rest /= p) result[static_cast<size_t>(below(std::ssize(result)))] *= p;
    }
    if (chance(30)) {
      result = shape(x);
      result.insert(result.begin() + below(std::ssize(result) + 1), 1);
    }
    add(Op::Reshape, {x}, {}, TensorType{DType::F32, result});
  }

  void addTranspose(ValueId x) {
    std::vector<int64_t> permutation(shape(x).size());
    std::iota(permutation.begin(), permutation.end(), 0);
    std::shuffle(permutation.begin(), permutation.end(), random_);
    add(Op::Transpose, {x}, graph::TransposeAttributes{permutation});
  }

  void addSlice(ValueId x) {
    graph::SliceAttributes slice;
    Shape result;
    for (int64_t extent : shape(x)) {
      const int64_t start = below(extent);
      const bool isBackwards = chance(20);
      const int64_t length = 1 + below(2);
      const int64_t step = isBackwards ? -length : length;
      const int64_t room = isBackwards ? start : extent - 1 - start;
      const bool whole = chance(50);
      slice.starts.push_back(whole ? 0 : start);
      slice.steps.push_back(whole ? 1 : step);
      result.push_back(whole ? extent : 1 + room / std::abs(step));
    }
    add(Op::Slice, {x}, slice, TensorType{DType::F32, result});
  }

  void addPad(ValueId x) {
    static const graph::PadMode kModes[] = {graph::PadMode::Constant, graph::PadMode::Edge, graph::PadMode::Reflect};
    graph::PadAttributes pad{{}, kModes[below(3)], below(3) - 1.0};
    const size_t rank = shape(x).size();
    for (size_t i = 0; i < 2 * rank; ++i) pad.pads.push_back(chance(40) ? below(3) : 0);
    add(Op::Pad, {x}, pad);
  }

  void addGather(ValueId x) {
    if (shape(x).empty()) return;
    // Indices of the input are in [-2, 1].
    for (int64_t axis = 0; axis < std::ssize(shape(x)); ++axis) {
      if (shape(x)[static_cast<size_t>(axis)] < 2 || chance(30)) continue;
      ValueId indices = indices_;
      if (chance(40)) {
        const std::string name = absl::StrCat("c", constants_++);
        indices = graph_.addConstant(name, graph::makeConstant({DType::I64, {2}}, std::vector<int64_t>{-1, 0}));
      } else if (chance(30)) {
        const size_t before = graph_.nodes.size();
        add(Op::Transpose, {indices_}, graph::TransposeAttributes{{1, 0}});
        if (graph_.nodes.size() > before) indices = graph_.nodes.back().output;
      }
      return add(Op::Gather, {x, indices}, graph::AxisAttributes{axis});
    }
  }

  void addCompute(ValueId x) {
    const Shape &from = shape(x);
    if (from.empty()) return;
    std::vector<ValueId> inputs = {x};
    tensor::Kernel kernel;
    switch (below(4)) {
      case 0:
        kernel = runningSum(from);
        break;
      case 1:
        kernel = neighbours(from);
        break;
      case 2:
        kernel = clampedGather(from, shape(indices_));
        inputs.insert(inputs.begin(), indices_);
        break;
      default: {
        Shape updates(from.begin() + 1, from.end());
        updates.insert(updates.begin(), shape(indices_).begin(), shape(indices_).end());
        if (elements(updates) > kMaxElements) return;
        kernel = scatterAdd(from, shape(indices_));
        inputs = {x, indices_, constant(updates)};
      }
    }
    add(Op::Compute, inputs, graph::ComputeAttributes{std::make_shared<const tensor::Kernel>(std::move(kernel))});
  }

  void addConcat(ValueId x) {
    if (shape(x).empty()) return;
    const int64_t axis = below(std::ssize(shape(x)));
    std::vector<ValueId> inputs = {x};
    for (ValueId other : pool_) {
      Shape expected = shape(x);
      if (shape(other).size() != expected.size() || chance(50) || inputs.size() > 2) continue;
      expected[static_cast<size_t>(axis)] = shape(other)[static_cast<size_t>(axis)];
      if (expected == shape(other)) inputs.push_back(other);
    }
    add(Op::Concat, std::move(inputs), graph::AxisAttributes{axis});
  }

  void addBroadcast(ValueId x) {
    Shape result = shape(x);
    for (int64_t &extent : result) extent = extent == 1 && chance(60) ? 3 : extent;
    if (chance(50)) result.insert(result.begin(), 2);
    add(Op::Broadcast, {x}, {}, TensorType{DType::F32, result});
  }

  ValueId element(ScalarOp op, std::vector<ValueId> inputs) {
    const std::string name = absl::StrCat("node", graph_.nodes.size());
    return graph_.add(Op::Elementwise, std::move(inputs), graph::ElementwiseAttributes{op}, name);
  }

  ValueId integer(int64_t value) {
    return graph_.addConstant(absl::StrCat("c", constants_++),
                              graph::makeConstant({DType::I64, {}}, std::vector<int64_t>{value}));
  }

  struct LoopParts {
    int64_t number;
    std::vector<ValueId> states, next;
  };

  ValueId addState(LoopParts &loop, ValueId initial, const TensorType &type) {
    const graph::LoopAttributes attributes{loop.number, std::ssize(loop.states)};
    loop.states.push_back(
        graph_.add(Op::LoopState, {initial}, attributes, absl::StrCat("state", graph_.nodes.size()), type));
    return loop.states.back();
  }

  /// What comes next in \p state: anything of its type that there is, kept small, or another state as it is.
  ValueId nextOf(ValueId state) {
    for (int tries = 0; tries < 30; ++tries) {
      const ValueId value = pick();
      if (shape(value) != shape(state)) continue;
      return chance(30) ? value : element(ScalarOp::Tanh, {value});
    }
    return state;
  }

  /// 0 to 3 iterations of a few nodes, on one state or several; what is outside may be read in it.
  void addLoop() {
    ++depth_;
    const size_t begin = graph_.nodes.size();
    LoopParts loop{loops_++, {}, {}};
    const std::vector<ValueId> outside = pool_;
    const int64_t most = 4, trips = below(most);
    const ValueId runs = graph_.addConstant(absl::StrCat("c", constants_++),
                                            graph::makeConstant({DType::Bool, {}}, std::vector<int64_t>{trips > 0}));
    addState(loop, runs, {DType::Bool, {}});
    const ValueId i = addState(loop, integer(0), {DType::I64, {}});
    const int states = 1 + below(3);
    for (int k = 0; k < states; ++k) {
      const ValueId initial = pick();
      pool_.push_back(addState(loop, initial, {DType::F32, shape(initial)}));
      // Two states of one type can change places.
      if (chance(30)) pool_.push_back(addState(loop, constant(shape(initial)), {DType::F32, shape(initial)}));
    }
    const int nodes = below(5);
    for (int k = 0; k < nodes; ++k) addNode();
    const ValueId following = element(ScalarOp::Add, {i, integer(1)});
    loop.next = {element(ScalarOp::Less, {following, integer(trips)}), following};
    for (size_t k = 2; k < loop.states.size(); ++k) loop.next.push_back(nextOf(loop.states[k]));
    const ValueId row = pick();
    Shape rows = shape(row);
    rows.insert(rows.begin(), most);
    if (chance(50) && elements(rows) <= kMaxElements) {
      const ValueId collected = addState(loop, constant({}), {DType::F32, rows});
      loop.next.push_back(
          graph_.add(Op::LoopCollect, {collected, row, i}, {}, absl::StrCat("collect", graph_.nodes.size())));
    }
    std::vector<ValueId> operands = loop.states;
    operands.insert(operands.end(), loop.next.begin(), loop.next.end());
    const ValueId end = graph_.add(Op::LoopEnd, operands, graph::LoopAttributes{loop.number, -1},
                                   absl::StrCat("end", graph_.nodes.size()));
    pool_ = outside;
    // What is in a loop is not to be had outside.
    for (size_t i = begin; i < graph_.nodes.size(); ++i) hidden_.insert(graph_.nodes[i].output);
    for (size_t k = 2; k < loop.states.size(); ++k) {
      if (chance(20)) continue;
      pool_.push_back(
          graph_.add(Op::LoopResult, {end, loop.states[k]}, {}, absl::StrCat("result", graph_.nodes.size())));
    }
    --depth_;
  }

  void chooseOutputs() {
    std::vector<bool> used(graph_.values.size(), false);
    for (const graph::Node &node : graph_.nodes) {
      for (ValueId input : node.inputs) used[static_cast<size_t>(input)] = true;
    }
    const auto addOutput = [&](ValueId value) {
      graph_.outputs.push_back({absl::StrCat("y", graph_.outputs.size()), value});
    };
    for (const graph::Node &node : graph_.nodes) {
      if (hidden_.count(node.output) != 0) continue;
      // Near a tie rounding decides a comparison; what is selected by it does not jump.
      if (graph_.values[static_cast<size_t>(node.output)].type.dtype == DType::Bool) continue;
      if (!used[static_cast<size_t>(node.output)] || chance(10)) addOutput(node.output);
    }
    if (graph_.outputs.empty() || chance(10)) addOutput(pool_[0]);
    if (chance(10)) addOutput(graph_.outputs[0].value);
  }

  std::mt19937_64 random_;
  Graph graph_;
  std::vector<ValueId> pool_;  // F32
  ValueId indices_ = -1;
  int constants_ = 0;
  bool mayLoop_ = false;
  int depth_ = 0;
  int64_t loops_ = 0;
  std::set<ValueId> hidden_;  // what outputs cannot be
};

}  // namespace

Graph randomGraph(uint64_t seed, int nodes) { return Generator(seed).run(nodes); }

Graph randomLoops(uint64_t seed, int nodes) { return Generator(seed).runWithLoops(nodes); }

std::vector<tensor::HostTensor> randomInputs(const Graph &graph, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<tensor::HostTensor> inputs;
  for (const graph::Port &port : graph.inputs) {
    const TensorType &type = graph.values[static_cast<size_t>(port.value)].type;
    tensor::HostTensor input = tensor::HostTensor::zeros(type.dtype, type.shape);
    for (int64_t i = 0; i < input.elements(); ++i) {
      if (isFloat(type.dtype)) {
        input.setReal(i, static_cast<double>(static_cast<int64_t>(random() % 2001) - 1000) / 500.0);
      } else {
        input.setInteger(i, static_cast<int64_t>(random() % 4) - 2);
      }
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

}  // namespace hone::plan
