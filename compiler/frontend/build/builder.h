// Builder: makes the nodes of a graph for the operators' functions. It checks every node before it is made (models may
// be wrong), folds small constants on the fly (so that shape arithmetic ends in numbers) and keeps to the import's
// limits. A result without elements is a constant, and what operands without elements add to a result is known, too: no
// node of the graph reads or gives a tensor without elements.
//
// Dims may be bounds of sizes that depend on data (bounded_dims.h): each op sees to what lies beyond the true extents
// and hands them on, or refuses; kernels refuse, unless they are made by computeBounded().
//
// Operands may be errors: then the result is that error. That lets a decomposition be written as one expression:
//   return build.apply(ScalarOp::Div, {one, build.apply(ScalarOp::Add, {build.apply(ScalarOp::Exp, {x}), one})});
// The graph knows nothing of narrow types (narrow_type.h): the builder remembers which values have one. What moves
// elements keeps it, and everything else refuses such operands; conversion.h makes numbers of them.
//
// Braces matter: they evaluate operands from left to right, so that every compiler gives the same order of nodes.
//
// One thread at a time; the graph must outlive the builder.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/frontend/build/bounded_dims.h"
#include "compiler/frontend/build/counted_indices.h"
#include "compiler/frontend/build/limits.h"
#include "compiler/frontend/build/narrow_type.h"
#include "compiler/frontend/build/refusal.h"
#include "compiler/frontend/build/scaled_integers.h"
#include "compiler/graph/graph.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::frontend {

using graph::Shape;
using graph::ValueId;
using Result = absl::StatusOr<ValueId>;

class Builder {
 public:
  Builder(graph::Graph &graph, const ImportLimits &limits) : graph_(graph), limits_(limits) {}

  /// Nodes made from here on come from the model's node \p name.
  void setProvenance(std::string name) { provenance_ = std::move(name); }

  /// What is made while it lives is needed only where the bool \p condition is \p isTrue.
  class Branch {
   public:
    Branch(Builder &build, ValueId condition, bool isTrue) : build_(build) {
      build.branches_.emplace_back(condition, isTrue);
    }
    ~Branch() { build_.branches_.pop_back(); }
    Branch(const Branch &) = delete;
    Branch &operator=(const Branch &) = delete;

   private:
    Builder &build_;
  };
  /// Outermost first.
  const std::vector<std::pair<ValueId, bool>> &branches() const { return branches_; }

  /// What checks have counted so far; who drops what was made drops its counts, too.
  std::vector<CountedIndices> &countedIndices() { return counted_; }

  const graph::TensorType &type(ValueId value) const { return graph_.values.at(static_cast<size_t>(value)).type; }
  const Shape &shape(ValueId value) const { return type(value).shape; }
  DType dtype(ValueId value) const { return type(value).dtype; }
  ElementType elementType(ValueId value) const;
  int64_t rank(ValueId value) const { return static_cast<int64_t>(shape(value).size()); }
  /// Null for a value that is computed at run time.
  const graph::ConstantData *constant(ValueId value) const {
    return graph_.values.at(static_cast<size_t>(value)).constant.get();
  }

  /// The network's inputs on whose contents \p value depends.
  std::vector<graph::Port> inputsBehind(ValueId value) const;

  Result constant(graph::Constant constant, std::string name = "");
  /// A scalar of \p dtype.
  Result number(DType dtype, double value);
  Result integer(DType dtype, int64_t value);
  /// Says of a value from outside, an input or a constant, that its elements have the type \p type, which it holds.
  void setElementType(ValueId value, ElementType type);
  /// Another value with the same elements, which are taken for those of \p type, held in the same dtype.
  Result relabelled(Result data, ElementType type);
  /// Says what \p value was computed from; the sum or product of such values may be computed from that, too.
  void setScaledIntegers(ValueId value, const ScaledIntegers &parts) { scaled_.insert_or_assign(value, parts); }
  /// Null where nothing was said.
  const ScaledIntegers *scaledIntegers(ValueId value) const;
  /// The same for \p value, the sum of two dequantised values.
  void setSummands(ValueId value, Summands summands) { summands_.insert_or_assign(value, summands); }
  const Summands *summands(ValueId value) const;
  /// A one-dimensional int64 constant.
  Result integers(const std::vector<int64_t> &values);

  Result apply(ScalarOp op, const std::vector<Result> &operands);
  Result cast(Result data, DType dtype);
  Result conv(Result data, Result weight, const std::vector<Result> &bias, graph::ConvAttributes attributes);
  Result pool(Result data, graph::PoolAttributes attributes);
  Result matMul(Result a, Result b, bool transposeA = false, bool transposeB = false);
  Result reduce(graph::ReduceKind kind, Result data, std::vector<int64_t> axes, bool keepDims);
  Result softmax(graph::Op op, Result data, int64_t axis);
  Result layerNorm(Result data, Result scale, Result shift, int64_t axis, double epsilon);
  Result reshape(Result data, Shape shape);
  Result transpose(Result data, std::vector<int64_t> permutation);
  Result broadcast(Result data, Shape shape);
  Result concat(const std::vector<Result> &parts, int64_t axis);
  Result slice(Result data, Shape starts, Shape steps, Shape extents);
  Result pad(Result data, graph::PadAttributes attributes);
  Result gather(Result data, Result indices, int64_t axis);
  /// What no core op says: \p kernel with \p operands in the places of its input buffers, in order.
  Result compute(tensor::Kernel kernel, const std::vector<Result> &operands);

  /// compute() by who has seen to the operands' padding: the result has \p extents.
  Result computeBounded(tensor::Kernel kernel, const std::vector<Result> &operands, Extents extents);

  // Loops whose length is known at run time only (see graph.h): states, whose initial values are spread to \p shape,
  // then what depends on them, then the end, with the states in order, and what the states hold then. Nothing is known
  // of a state's numbers, and states have no sizes that depend on data.
  int64_t newLoop() { return loops_++; }
  Result loopState(int64_t loop, int64_t state, Result initial, Shape shape);
  /// The state \p rows with \p row in the place \p index.
  Result loopCollect(Result rows, Result row, Result index);
  Result loopEnd(int64_t loop, const std::vector<ValueId> &states, const std::vector<ValueId> &next);
  Result loopResult(Result end, ValueId state);

  /// Empty where all sizes are the shape's.
  const Extents &extents(ValueId value) const { return bounds_.extents(value); }
  /// One for each dim.
  Extents allExtents(ValueId value) const;
  bool isBounded(ValueId value) const { return !extents(value).empty(); }
  bool isBounded(ValueId value, int64_t axis) const;
  /// What is known of the numbers that \p value holds at run time; null when nothing is.
  const KnownNumbers *numbers(ValueId value) const { return bounds_.numbers(value); }
  /// How much more than the integer \p from the integer \p to is, where a node says that in so many words.
  std::optional<int64_t> distance(ValueId from, ValueId to) const;
  /// The scalar \p value lies between \p low and \p high.
  void setRange(ValueId value, int64_t low, int64_t high);
  /// \p value with these extents; those that are known already cut it.
  Result bounded(Result value, Extents extents);
  /// \p data with its padding, as elements of \p shape like all others.
  Result asBounds(ValueId data, const Shape &shape);
  Result asBounds(Result data, const Shape &shape) { return data.ok() ? asBounds(*data, shape) : data; }
  /// \p value with \p fill, a scalar, beyond its extents along \p axes.
  Result withoutPadding(ValueId value, const std::vector<int64_t> &axes, const Result &fill);

  /// How many nodes the graph has.
  int64_t nodeCount() const { return static_cast<int64_t>(graph_.nodes.size()); }

  /// Whether a value of \p type is within the limits; the error says which one it breaks.
  absl::Status checkSize(const graph::TensorType &type) const;

 private:
  /// The node that gives \p value; null where none of the last ones does.
  const graph::Node *recentProducer(ValueId value) const;
  /// The integer of which \p value is a copy.
  ValueId copiedInteger(ValueId value) const;
  Result emit(graph::Op op, const std::vector<Result> &operands, graph::Attributes attributes,
              std::optional<graph::TensorType> type = std::nullopt);
  /// What \p node gives, \p type, when some of its operands have no elements: the same for all elements of a channel.
  Result fromNothing(const graph::Node &node, const graph::TensorType &type);
  Result reductionOfNothing(graph::ReduceKind kind, DType dtype);
  /// The same whatever the operands' element types are.
  Result emitNode(graph::Op op, const std::vector<Result> &operands, graph::Attributes attributes,
                  std::optional<graph::TensorType> type);
  /// The narrow type that \p op with \p operands passes on.
  absl::StatusOr<std::optional<NarrowType>> narrowResult(graph::Op op, const graph::Attributes &attributes,
                                                         const std::vector<Result> &operands) const;
  Result computeAs(tensor::Kernel kernel, const std::vector<Result> &operands);
  Result mark(Result value, Extents extents);
  bool areBounded(const std::vector<Result> &operands) const;
  /// UNIMPLEMENTED, beginning with \p what, when an operand is bounded.
  absl::Status refuseBounded(const std::vector<Result> &operands, std::string_view what) const;
  Result prefix(ValueId value, int64_t axis, int64_t count);
  /// The extent that numpy's rule gives to the dim that has \p behind dims after it; operands are cut to one bound.
  absl::StatusOr<ValueId> alignDim(std::vector<ValueId> &operands, size_t behind);
  Result applyBounded(ScalarOp op, const std::vector<Result> &operands);
  Result windowBounded(const Result &result, const std::vector<Result> &operands);
  Result matMulBounded(ValueId a, ValueId b, bool transposeA, bool transposeB);
  Result reduceBounded(graph::ReduceKind kind, ValueId data, const std::vector<int64_t> &axes, bool keepDims);
  Result softmaxBounded(graph::Op op, ValueId data, int64_t axis);
  Result reshapeBounded(ValueId data, const Shape &shape);
  /// \p part with the dims besides \p axis that are fixed in others of \p parts.
  Result withDimsOf(ValueId part, const std::vector<Result> &parts, int64_t axis);
  Result concatBounded(const std::vector<Result> &parts, int64_t axis);
  Result sliceBounded(ValueId data, Shape starts, Shape steps, Shape kept);
  Result gatherBounded(ValueId data, Result indices, int64_t axis);
  /// The graph's constant for a node whose inputs are all constant; or no value where that is too large to do here.
  absl::StatusOr<std::optional<ValueId>> fold(const graph::Node &node, const graph::TensorType &type);

  graph::Graph &graph_;
  const ImportLimits &limits_;
  BoundedDims bounds_;
  std::string provenance_;
  std::vector<std::pair<ValueId, bool>> branches_;
  std::vector<CountedIndices> counted_;
  int64_t constantBytes_ = 0;
  double foldedSteps_ = 0;
  int64_t loops_ = 0;
  std::map<ValueId, NarrowType> narrow_;      ///< the values that have a narrow type
  std::map<ValueId, ScaledIntegers> scaled_;  ///< the values of which that is known
  std::map<ValueId, Summands> summands_;      ///< the same
};

}  // namespace hone::frontend
