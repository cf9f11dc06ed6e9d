// What a name of the model stands for while it is imported: a value of the graph, a list of such values (ONNX's
// sequence), or nothing (an operand that is left out, an optional without an element). An optional with an element is
// that element. Lists and optionals are gone when the graph is there: how long a list is and what is absent has to be
// known. Plain data; thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/graph/graph.h"

namespace hone::frontend {

/// Tensors of one element type; their shapes may differ.
using Sequence = std::vector<graph::ValueId>;
/// Shared, because many names may stand for one list; never null.
using SequencePtr = std::shared_ptr<const Sequence>;
using Operand = std::variant<std::monostate, graph::ValueId, SequencePtr>;
using Operands = std::vector<Operand>;

inline bool isAbsent(const Operand &operand) { return std::holds_alternative<std::monostate>(operand); }
/// -1 when the operand is no tensor.
inline graph::ValueId tensorOf(const Operand &operand) {
  const auto *value = std::get_if<graph::ValueId>(&operand);
  return value == nullptr ? -1 : *value;
}
/// Null when the operand is no sequence.
inline const Sequence *sequenceOf(const Operand &operand) {
  const auto *sequence = std::get_if<SequencePtr>(&operand);
  return sequence == nullptr ? nullptr : sequence->get();
}
inline Operand makeSequence(Sequence elements) { return std::make_shared<const Sequence>(std::move(elements)); }

/// A graph that is an attribute of a node. It may be imported as often as the operator wants, each time in the place of
/// the node.
class Subgraph {
 public:
  virtual ~Subgraph() = default;
  virtual size_t inputCount() const = 0;
  virtual size_t outputCount() const = 0;
  /// Its outputs, when its inputs are \p arguments; INVALID_ARGUMENT unless there is one for each.
  virtual absl::StatusOr<Operands> import(const Operands &arguments) = 0;
  /// The axis along which output \p output is input \p input with something put behind it, where nothing else reads
  /// either of them.
  virtual std::optional<int64_t> growingAxis(size_t input, size_t output) const = 0;
  /// What was imported so far leads nowhere: it does not count as written out.
  virtual void startAnew() = 0;
};

}  // namespace hone::frontend
