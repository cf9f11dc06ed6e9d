// Graph: what the network computes. SSA values with static types; nodes in topological order hold a core op and its
// typed attributes. Frontends produce it, passes rewrite it in place (one thread at a time), the plan reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "compiler/base/dtype.h"
#include "compiler/base/scalar_op.h"
#include "compiler/graph/constant_bytes.h"

namespace hone::tensor {
struct Kernel;
}

namespace hone::graph {

using Shape = std::vector<int64_t>;

struct TensorType {
  DType dtype = DType::F32;
  Shape shape;
  int64_t elements() const;
  bool operator==(const TensorType &) const = default;
};

/// Row-major bytes of a constant; shared and immutable.
struct ConstantData {
  TensorType type;
  ConstantBytes bytes;
};
using Constant = std::shared_ptr<const ConstantData>;

enum class Op : uint8_t {
  Elementwise,  ///< ElementwiseAttributes; inputs broadcast to the output's shape by numpy's rule
  Cast,         ///< to the output's dtype
  Conv,         ///< data [N,C,spatial…], weight [O,C/groups,kernel…] [, bias [O]]; ConvAttributes
  Pool,         ///< data [N,C,spatial…]; PoolAttributes
  MatMul,       ///< a [batch…,M,K], b [batch…,K,N]; numpy's broadcasting of batch dims; MatMulAttributes
  Reduce,       ///< ReduceAttributes
  Softmax,      ///< AxisAttributes: over one axis; stable (maximum subtracted)
  LogSoftmax,   ///< AxisAttributes
  LayerNorm,    ///< data, scale, shift [each broadcastable to the normalised axes]; LayerNormAttributes
  Reshape,      ///< row-major order kept; the shape is the output's
  Transpose,    ///< TransposeAttributes
  Broadcast,    ///< to the output's shape by numpy's rule
  Concat,       ///< AxisAttributes
  Slice,        ///< SliceAttributes
  Pad,          ///< PadAttributes
  Gather,       ///< data, indices; AxisAttributes; negative indices count from the end
  Compute,      ///< ComputeAttributes: whatever can be said as TensorOps and has no core op
  LoopState,    ///< initial; LoopAttributes: what a state holds when an iteration begins; \p initial is spread to it
  LoopCollect,  ///< state, row, index (i64): the state with the row in the place of that one; outside it is dropped
  LoopEnd,      ///< state 0, …, next 0, …; LoopAttributes: the loop goes on while state 0, one bool, is true
  LoopResult,   ///< end, state: what the state holds when the loop has ended
};

struct ElementwiseAttributes {
  ScalarOp op = ScalarOp::Add;
  bool operator==(const ElementwiseAttributes &) const = default;
};
/// Spatial lists have one entry per spatial dim; pads: all begins, then all ends.
struct ConvAttributes {
  Shape strides, dilations, pads;
  int64_t groups = 1;
  bool operator==(const ConvAttributes &) const = default;
};
enum class PoolKind : uint8_t { Max, Average };
struct PoolAttributes {
  PoolKind kind = PoolKind::Max;
  Shape kernel, strides, dilations, pads;
  bool countPadding = false;  ///< Average: divide by the kernel's size even at borders
  bool operator==(const PoolAttributes &) const = default;
};
struct MatMulAttributes {
  bool transposeA = false, transposeB = false;  ///< of the last two dims
  bool operator==(const MatMulAttributes &) const = default;
};
enum class ReduceKind : uint8_t { Sum, Mean, Max, Min, Product };
struct ReduceAttributes {
  ReduceKind kind = ReduceKind::Sum;
  std::vector<int64_t> axes;  ///< sorted, not negative
  bool keepDims = true;
  bool operator==(const ReduceAttributes &) const = default;
};
struct AxisAttributes {
  int64_t axis = 0;
  bool operator==(const AxisAttributes &) const = default;
};
/// Normalises over the dims from axis on.
struct LayerNormAttributes {
  int64_t axis = 0;
  double epsilon = 1e-5;
  bool operator==(const LayerNormAttributes &) const = default;
};
struct TransposeAttributes {
  std::vector<int64_t> permutation;
  bool operator==(const TransposeAttributes &) const = default;
};
/// One entry per dim: first index and step (may be negative); the extent is the output's.
struct SliceAttributes {
  Shape starts, steps;
  bool operator==(const SliceAttributes &) const = default;
};
enum class PadMode : uint8_t { Constant, Edge, Reflect };
/// pads: one begin per dim, then one end per dim; not negative.
struct PadAttributes {
  Shape pads;
  PadMode mode = PadMode::Constant;
  double value = 0;
  bool operator==(const PadAttributes &) const = default;
};

/// The node's meaning: inputs are the kernel's Input buffers, in order, its result is the one Output buffer, of which
/// every element is written. No parameters (constants are inputs), all layouts row-major.
struct ComputeAttributes {
  std::shared_ptr<const tensor::Kernel> kernel;
  bool operator==(const ComputeAttributes &other) const;  ///< the same computation, whatever its parts are called
};

/// Loops are not graphs within the graph. The states of a loop depend on nothing of an earlier iteration: what the next
/// one finds in them is said at the end. So nodes stay in one order, each value is defined once, and what happens in
/// each iteration, the loop's body, is what depends on its states (loops.h); what does not is outside by itself. All
/// states change at once. The value of LoopEnd itself means nothing; only LoopResult reads it.
struct LoopAttributes {
  int64_t loop = 0;   ///< one number for all states and the end of a loop, and no other one's
  int64_t state = 0;  ///< LoopState: its place among the operands of the end; LoopEnd: -1
  bool operator==(const LoopAttributes &) const = default;
};

using Attributes = std::variant<std::monostate, ElementwiseAttributes, ConvAttributes, PoolAttributes, MatMulAttributes,
                                ReduceAttributes, AxisAttributes, LayerNormAttributes, TransposeAttributes,
                                SliceAttributes, PadAttributes, ComputeAttributes, LoopAttributes>;

using ValueId = int32_t;

struct Value {
  std::string name;  ///< from the model where there is one; unique; for people and for inputs and outputs
  TensorType type;
  Constant constant;  ///< set for constants, which no node produces
};

struct Node {
  Op op = Op::Elementwise;
  std::vector<ValueId> inputs;
  ValueId output = -1;  ///< core ops have one output
  Attributes attributes;
  std::string name;  ///< the model's node(s) it came from: provenance
};

/// Named value of the model's interface.
struct Port {
  std::string name;
  ValueId value = -1;
  /// Outputs whose sizes depend on data: per dim the position in `outputs` of the scalar (i64) that is its true extent,
  /// or -1 where that is the shape's. The true elements come first, in row-major order of the true shape. Empty: the
  /// shape is the true one.
  std::vector<int> extents = {};
  bool isExtent = false;  ///< the model does not have this output: others, or an IndexCheck, name it
};

/// How many of the indices that an operator read from data were outside of their axis. The numbers are scalars (i64).
struct IndexCheck {
  std::string node, op;  ///< of the model
  int64_t axis = 0;      ///< of the operand that is indexed
  /// Positions in `outputs`: how many, the largest of them (where there is one), and the extent of the axis.
  int count = -1, example = -1, extent = -1;
};

struct Graph {
  std::string name;
  std::vector<Value> values;  ///< indexed by ValueId; unused ones may remain until dead code is removed
  std::vector<Node> nodes;    ///< topological order
  std::vector<Port> inputs;
  std::vector<Port> outputs;  ///< the model's, then those that hold extents and what checks count
  /// Nothing where indices are not checked.
  std::optional<std::vector<IndexCheck>> indexChecks = std::nullopt;

  ValueId addValue(std::string name, TensorType type);
  ValueId addConstant(std::string name, Constant constant);
  /// Appends a node and returns its output value. Cast, Reshape, Broadcast, Slice and LoopState take their output's
  /// type from \p type; for all others it is inferred. The inputs must fit the op (assertion: frontends check models
  /// before they build).
  ValueId add(Op op, std::vector<ValueId> inputs, Attributes attributes, std::string name,
              std::optional<TensorType> type = std::nullopt);
};

/// Whether \p op is a state, the end or a result of a loop: its value is not a function of its operands.
inline bool isOfLoop(Op op) { return op == Op::LoopState || op == Op::LoopEnd || op == Op::LoopResult; }

/// "add", "conv", … : the op as printed; for Elementwise the scalar op's name, for Compute the
/// kernel's.
std::string opName(const Node &node);

/// Everything that must hold of a graph: topological order, types, arity, attributes, live outputs.
absl::Status verify(const Graph &graph);

/// Canonical text, one line per node, as in docs: `%9 = relu(%7) : f32[1,64,56,56]`.
std::string print(const Graph &graph);

}  // namespace hone::graph
