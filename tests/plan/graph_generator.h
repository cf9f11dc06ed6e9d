// Makes a random graph node by node. What a node is like is drawn where its kind is: arithmetic, movement of elements,
// or loops. One thread; one graph.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "compiler/graph/constants.h"
#include "compiler/graph/graph.h"

namespace hone::plan {

class GraphGenerator {
 public:
  explicit GraphGenerator(uint64_t seed) : random_(seed) {}

  graph::Graph run(int nodes);

  /// The same with loops.
  graph::Graph runWithLoops(int nodes);

 private:
  using Op = graph::Op;
  using Shape = graph::Shape;
  using TensorType = graph::TensorType;
  using ValueId = graph::ValueId;

  static constexpr int64_t kMaxElements = 4000;  ///< of a value

  int below(int64_t limit) { return static_cast<int>(random_() % static_cast<uint64_t>(limit)); }
  bool chance(int percent) { return below(100) < percent; }
  const Shape &shape(ValueId value) const { return graph_.values[static_cast<size_t>(value)].type.shape; }
  static int64_t elements(const Shape &shape) { return TensorType{DType::F32, shape}.elements(); }

  void addInput(TensorType type);
  Shape imageShape();
  Shape anyShape();
  ValueId constant(const Shape &shape);
  /// Any value; recent ones more often, so that chains get long.
  ValueId pick();
  /// Adds the node unless it grows too large or does not fit.
  void add(Op op, std::vector<ValueId> inputs, graph::Attributes attributes,
           const std::optional<TensorType> &type = std::nullopt);
  void addNode();
  void chooseOutputs();

  // Arithmetic: generated_arithmetic.cpp.
  void addBinary(ValueId x);
  void addUnary(ValueId x);
  void addSelect(ValueId x);
  void addConv(ValueId x);
  void addPool(ValueId x);
  void addMatMul(ValueId x);
  void addReduce(ValueId x);
  void addNorm(ValueId x);
  void addCompute(ValueId x);

  // Movement of elements: generated_movement.cpp.
  void addReshape(ValueId x);
  void addTranspose(ValueId x);
  void addSlice(ValueId x);
  void addPad(ValueId x);
  void addGather(ValueId x);
  void addConcat(ValueId x);
  void addBroadcast(ValueId x);

  // Loops: generated_loops.cpp.
  struct LoopParts {
    int64_t number;
    std::vector<ValueId> states, next;
  };
  ValueId element(ScalarOp op, std::vector<ValueId> inputs);
  ValueId integer(int64_t value);
  ValueId addState(LoopParts &loop, ValueId initial, const TensorType &type);
  /// What comes next in \p state: anything of its type that there is, kept small, or another state as it is.
  ValueId nextOf(ValueId state);
  /// 0 to 3 iterations of a few nodes, on one state or several; what is outside may be read in it.
  void addLoop();

  std::mt19937_64 random_;
  graph::Graph graph_;
  std::vector<ValueId> pool_;  // F32
  ValueId indices_ = -1;
  int constants_ = 0;
  bool mayLoop_ = false;
  int depth_ = 0;
  int64_t loops_ = 0;
  std::set<ValueId> hidden_;  // what outputs cannot be
};

}  // namespace hone::plan
