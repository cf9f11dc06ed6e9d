// Graphs that are repeated: Loop, Scan and SequenceMap. How often has to follow from constants and shapes; then the
// iterations are written out one after the other, and what does not depend on data folds on the way. A Loop that may
// end early by data runs to its bound, and each state keeps its value once the condition was false.
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

/// What the iterations leave behind, one tensor each, joined along a new axis.
class Collected {
 public:
  explicit Collected(std::string what) : what_(std::move(what)) {}

  absl::Status add(const Builder &build, const Operand &operand) {
    const ValueId value = tensorOf(operand);
    if (value < 0) return invalid(what_, " is no tensor");
    if (!parts_.empty() && build.type(parts_[0]) != build.type(value)) {
      return invalid(what_, " is ", graph::typeText(build.type(parts_[0])), " in the first iteration and ",
                     graph::typeText(build.type(value)), " in iteration ", parts_.size() + 1);
    }
    parts_.push_back(value);
    return absl::OkStatus();
  }

  absl::StatusOr<Operand> join(Builder &build, int64_t axis, bool isBackward) const {
    HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, build.rank(parts_[0]) + 1));
    Sequence ordered = parts_;
    if (isBackward) std::reverse(ordered.begin(), ordered.end());
    HONE_ASSIGN_OR_RETURN(ValueId joined, stack(build, ordered, axis));
    return Operand(joined);
  }

  /// What no iteration has left, when one would leave \p operand.
  static absl::StatusOr<Operand> none(Builder &build, const Operand &operand, int64_t axis) {
    if (tensorOf(operand) < 0) return invalid("what an iteration leaves is no tensor");
    graph::TensorType type = build.type(tensorOf(operand));
    HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, build.rank(tensorOf(operand)) + 1));
    type.shape.insert(type.shape.begin() + axis, 0);
    HONE_ASSIGN_OR_RETURN(ValueId value, build.constant(graph::makeConstant(type, std::vector<int64_t>())));
    return Operand(value);
  }

 private:
  std::string what_;
  Sequence parts_;
};

/// One Loop: its states, and whether the next iteration takes place.
class Loop {
 public:
  Loop(NodeContext &node, Subgraph &body) : node_(node), build_(node.build), body_(body) {}

  absl::StatusOr<Operands> run() {
    HONE_RETURN_IF_ERROR(readOperands());
    int64_t iteration = 0;
    for (; !trips_ || iteration < *trips_; ++iteration) {
      HONE_ASSIGN_OR_RETURN(const bool takesPlace, checkCondition());
      if (!takesPlace) break;
      HONE_RETURN_IF_ERROR(iterate(iteration));
    }
    return finish(iteration);
  }

 private:
  absl::Status readOperands() {
    if (node_.inputCount() < 2) return invalid("has ", node_.inputCount(), " operands; the operator takes 2 or more");
    states_.assign(node_.operands().begin() + 2, node_.operands().end());
    if (body_.outputCount() < 1 + states_.size()) {
      return invalid("its graph has ", body_.outputCount(), " outputs for a condition and ", states_.size(), " states");
    }
    for (size_t i = 1 + states_.size(); i < body_.outputCount(); ++i) {
      collected_.emplace_back(absl::StrCat("output ", i, " of its graph"));
    }
    if (node_.has(1)) {
      if (node_.dtype(1) != DType::Bool || build_.type(node_.input(1)).elements() != 1) {
        return invalid("the condition is ", graph::typeText(build_.type(node_.input(1))), ", not one bool");
      }
      condition_ = node_.input(1);
    }
    if (!node_.has(0)) return absl::OkStatus();
    if (build_.constant(node_.input(0)) == nullptr) {
      return unsupported("how often it repeats ", node_.whatDecides(node_.input(0)),
                         ", but has to be known at compile time");
    }
    HONE_ASSIGN_OR_RETURN(trips_, node_.constantInteger(0, "trip count"));
    return absl::OkStatus();
  }

  /// Whether the next iteration may take place; what is left of the condition at run time goes to runs_.
  absl::StatusOr<bool> checkCondition() {
    if (!condition_) return true;
    if (const graph::ConstantData *known = build_.constant(*condition_)) return graph::elementAsInteger(*known, 0) != 0;
    if (!trips_) {
      return unsupported("how often it repeats ", node_.whatDecides(*condition_), ", and no trip count bounds it");
    }
    for (size_t i = 0; i < collected_.size(); ++i) {
      if (!isCollected(i)) continue;
      return unsupported("output ", states_.size() + i, " has an element for each iteration, and how many there are ",
                         node_.whatDecides(*condition_));
    }
    Result next = build_.reshape(*condition_, {});
    if (runs_) next = build_.apply(ScalarOp::And, {*runs_, next});
    HONE_ASSIGN_OR_RETURN(runs_, next);
    return true;
  }

  absl::Status iterate(int64_t iteration) {
    HONE_ASSIGN_OR_RETURN(ValueId number, build_.integer(DType::I64, iteration));
    Operands arguments = {number};
    Result isRunning = condition_ ? Result(*condition_) : build_.integer(DType::Bool, 1);
    HONE_ASSIGN_OR_RETURN(arguments.emplace_back(), isRunning);
    arguments.insert(arguments.end(), states_.begin(), states_.end());
    HONE_ASSIGN_OR_RETURN(Operands results, body_.import(arguments));
    if (condition_) {
      const ValueId next = tensorOf(results[0]);
      if (next < 0 || build_.dtype(next) != DType::Bool || build_.type(next).elements() != 1) {
        return invalid("output 0 of its graph, the condition, is not one bool");
      }
      condition_ = next;
    }
    for (size_t i = 0; i < states_.size(); ++i) {
      Operand &next = results[1 + i];
      if (runs_) {
        HONE_ASSIGN_OR_RETURN(next, choose(build_, *runs_, next, states_[i], absl::StrCat("state ", i)));
      }
      states_[i] = next;
    }
    for (size_t i = 0; i < collected_.size(); ++i) {
      if (isCollected(i)) HONE_RETURN_IF_ERROR(collected_[i].add(build_, results[1 + states_.size() + i]));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Operands> finish(int64_t iterations) {
    Operands outputs = states_;
    Operands sample;
    for (size_t i = 0; i < collected_.size(); ++i) {
      if (!isCollected(i)) {
        outputs.emplace_back();
      } else if (iterations > 0) {
        HONE_ASSIGN_OR_RETURN(outputs.emplace_back(), collected_[i].join(build_, 0, false));
      } else {
        // Only the graph itself says which shape its outputs would have had; what it computes for that is dropped.
        if (sample.empty()) {
          HONE_ASSIGN_OR_RETURN(sample, importSample());
        }
        HONE_ASSIGN_OR_RETURN(outputs.emplace_back(), Collected::none(build_, sample[1 + states_.size() + i], 0));
      }
    }
    return outputs;
  }

  absl::StatusOr<Operands> importSample() {
    HONE_ASSIGN_OR_RETURN(ValueId number, build_.integer(DType::I64, 0));
    HONE_ASSIGN_OR_RETURN(ValueId isRunning, build_.integer(DType::Bool, 1));
    Operands arguments = {number, isRunning};
    arguments.insert(arguments.end(), states_.begin(), states_.end());
    return body_.import(arguments);
  }

  bool isCollected(size_t i) const { return node_.isOutputUsed(static_cast<int>(states_.size() + i)); }

  NodeContext &node_;
  Builder &build_;
  Subgraph &body_;
  std::optional<int64_t> trips_;
  std::optional<ValueId> condition_;  ///< of the next iteration, as far as the model gives one
  std::optional<ValueId> runs_;       ///< whether this iteration still takes place, where that depends on data
  Operands states_;
  std::vector<Collected> collected_;
};

struct ScanInput {
  ValueId data;
  int64_t axis;
  bool isBackward;
};
struct ScanOutput {
  int64_t axis;
  bool isBackward;
};
struct ScanSpec {
  Operands states;
  std::vector<ScanInput> inputs;
  std::vector<ScanOutput> outputs;
};

/// The slice at \p position of \p axis, without that axis.
Result elementAt(Builder &build, ValueId data, int64_t axis, int64_t position) {
  Shape shape = build.shape(data);
  shape.erase(shape.begin() + axis);
  return build.reshape(sliceAxis(build, data, axis, position, 1), shape);
}

/// The states as they are, and outputs without elements. Only the graph itself says which shape those would have had;
/// what it computes from zeros for that is dropped.
absl::StatusOr<Operands> scanNothing(Builder &build, Subgraph &body, const ScanSpec &spec) {
  Operands arguments = spec.states;
  for (const ScanInput &input : spec.inputs) {
    Shape shape = build.shape(input.data);
    shape.erase(shape.begin() + input.axis);
    HONE_ASSIGN_OR_RETURN(arguments.emplace_back(), build.broadcast(build.number(build.dtype(input.data), 0), shape));
  }
  HONE_ASSIGN_OR_RETURN(const Operands sample, body.import(arguments));
  Operands outputs = spec.states;
  for (size_t i = 0; i < spec.outputs.size(); ++i) {
    HONE_ASSIGN_OR_RETURN(outputs.emplace_back(),
                          Collected::none(build, sample[spec.states.size() + i], spec.outputs[i].axis));
  }
  return outputs;
}

/// Final states, then what the outputs have collected.
absl::StatusOr<Operands> scan(Builder &build, Subgraph &body, ScanSpec spec) {
  const ScanInput &first = spec.inputs[0];
  const int64_t length = build.shape(first.data)[static_cast<size_t>(first.axis)];
  for (const ScanInput &input : spec.inputs) {
    const int64_t other = build.shape(input.data)[static_cast<size_t>(input.axis)];
    if (other != length) return invalid("it walks along axes of ", length, " and ", other, " elements");
  }
  std::vector<Collected> collected;
  for (size_t i = 0; i < spec.outputs.size(); ++i) {
    collected.emplace_back(absl::StrCat("output ", spec.states.size() + i, " of its graph"));
  }
  if (length == 0) return scanNothing(build, body, spec);
  for (int64_t step = 0; step < length; ++step) {
    Operands arguments = spec.states;
    for (const ScanInput &input : spec.inputs) {
      const int64_t position = input.isBackward ? length - 1 - step : step;
      HONE_ASSIGN_OR_RETURN(arguments.emplace_back(), elementAt(build, input.data, input.axis, position));
    }
    HONE_ASSIGN_OR_RETURN(Operands results, body.import(arguments));
    std::copy_n(results.begin(), spec.states.size(), spec.states.begin());
    for (size_t i = 0; i < collected.size(); ++i) {
      HONE_RETURN_IF_ERROR(collected[i].add(build, results[spec.states.size() + i]));
    }
  }
  Operands outputs = spec.states;
  for (size_t i = 0; i < collected.size(); ++i) {
    HONE_ASSIGN_OR_RETURN(outputs.emplace_back(),
                          collected[i].join(build, spec.outputs[i].axis, spec.outputs[i].isBackward));
  }
  return outputs;
}

/// An attribute with a number for each of \p count scanned operands or outputs; all 0 where it is left out.
absl::StatusOr<std::vector<int64_t>> listOf(const NodeContext &node, const char *name, size_t count) {
  std::vector<int64_t> values(count, 0);
  if (node.hasAttribute(name)) {
    HONE_ASSIGN_OR_RETURN(values, node.integers(name));
  }
  if (values.size() == count) return values;
  return invalid("attribute '", name, "' has ", values.size(), " entries instead of ", count);
}

/// The Scan of \p node; \p firstOperand is where its states begin.
absl::StatusOr<ScanSpec> readScan(const NodeContext &node, const Subgraph &body, size_t firstOperand) {
  HONE_ASSIGN_OR_RETURN(const int64_t count, node.integer("num_scan_inputs"));
  const auto operands = static_cast<int64_t>(node.operands().size() - firstOperand);
  if (count < 1 || count > operands) {
    return invalid("attribute 'num_scan_inputs' is ", count, ", not within 1 to ", operands, " operands");
  }
  const auto inputs = static_cast<size_t>(count), states = static_cast<size_t>(operands - count);
  if (body.outputCount() < states) {
    return invalid("its graph has ", body.outputCount(), " outputs for ", states, " states");
  }
  const bool isOld = node.version() < 9;
  const size_t outputs = body.outputCount() - states;
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> axes, listOf(node, "scan_input_axes", inputs));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> directions,
                        listOf(node, isOld ? "directions" : "scan_input_directions", inputs));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> outputAxes, listOf(node, "scan_output_axes", outputs));
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> outputDirections, listOf(node, "scan_output_directions", outputs));
  ScanSpec spec;
  const auto begin = node.operands().begin() + static_cast<std::ptrdiff_t>(firstOperand);
  spec.states.assign(begin, begin + static_cast<std::ptrdiff_t>(states));
  for (size_t i = 0; i < inputs; ++i) {
    const size_t position = firstOperand + states + i;
    const ValueId data = tensorOf(node.operands()[position]);
    if (data < 0) return invalid("operand ", position, " is not a tensor");
    const int64_t batchDims = isOld ? 1 : 0;
    HONE_ASSIGN_OR_RETURN(const int64_t axis, normalizeAxis(axes[i], node.build.rank(data) - batchDims));
    spec.inputs.push_back({data, axis, directions[i] != 0});
  }
  for (size_t i = 0; i < outputs; ++i) spec.outputs.push_back({outputAxes[i], outputDirections[i] != 0});
  return spec;
}

/// Version 8: everything has the batch as its first dim, and its elements are scanned one by one.
absl::StatusOr<Operands> scanOfBatch(NodeContext &node, Subgraph &body) {
  if (!node.operands().empty() && !isAbsent(node.operands()[0])) {
    return unsupported(
        "operand 0 (sequence_lens) gives each sequence a length of its own; export the model with "
        "opset_version=9 or higher");
  }
  if (node.operands().size() < 2) return invalid("has ", node.operands().size(), " operands");
  HONE_ASSIGN_OR_RETURN(const ScanSpec spec, readScan(node, body, 1));
  Builder &build = node.build;
  std::vector<ValueId> batched;
  for (const Operand &state : spec.states) batched.push_back(tensorOf(state));
  for (const ScanInput &input : spec.inputs) batched.push_back(input.data);
  for (ValueId value : batched) {
    if (value < 0 || build.rank(value) == 0 || build.shape(value)[0] != build.shape(spec.inputs[0].data)[0]) {
      return invalid("its operands differ in the extent of their first dim, the batch");
    }
  }
  const int64_t batch = build.shape(spec.inputs[0].data)[0];
  if (batch == 0) return unsupported("a batch without elements");
  std::vector<Collected> collected;
  for (int64_t b = 0; b < batch; ++b) {
    ScanSpec element = spec;
    for (Operand &state : element.states) {
      HONE_ASSIGN_OR_RETURN(state, elementAt(build, tensorOf(state), 0, b));
    }
    for (ScanInput &input : element.inputs) {
      HONE_ASSIGN_OR_RETURN(input.data, elementAt(build, input.data, 0, b));
    }
    HONE_ASSIGN_OR_RETURN(Operands results, scan(build, body, std::move(element)));
    for (size_t i = 0; i < results.size(); ++i) {
      if (b == 0) collected.emplace_back(absl::StrCat("output ", i));
      HONE_RETURN_IF_ERROR(collected[i].add(build, results[i]));
    }
  }
  Operands outputs;
  for (const Collected &output : collected) {
    HONE_ASSIGN_OR_RETURN(outputs.emplace_back(), output.join(build, 0, false));
  }
  return outputs;
}

}  // namespace

absl::StatusOr<Operands> importLoop(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::unique_ptr<Subgraph> body, node.subgraph("body"));
  return Loop(node, *body).run();
}

absl::StatusOr<Operands> importScan(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::unique_ptr<Subgraph> body, node.subgraph("body"));
  if (node.version() < 9) return scanOfBatch(node, *body);
  HONE_ASSIGN_OR_RETURN(ScanSpec spec, readScan(node, *body, 0));
  return scan(node.build, *body, std::move(spec));
}

absl::StatusOr<Operands> importSequenceMap(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(std::unique_ptr<Subgraph> body, node.subgraph("body"));
  const Sequence *first = sequenceOf(node.operands()[0]);
  if (first == nullptr) return invalid("operand 0 is a tensor, not a sequence");
  std::vector<Sequence> outputs(body->outputCount());
  for (size_t i = 0; i < first->size(); ++i) {
    Operands arguments;
    for (const Operand &operand : node.operands()) {
      const Sequence *sequence = sequenceOf(operand);
      if (sequence != nullptr && sequence->size() != first->size()) {
        return invalid("its sequences have ", first->size(), " and ", sequence->size(), " tensors");
      }
      arguments.push_back(sequence == nullptr ? operand : Operand((*sequence)[i]));
    }
    HONE_ASSIGN_OR_RETURN(Operands results, body->import(arguments));
    for (size_t o = 0; o < outputs.size(); ++o) {
      if (tensorOf(results[o]) < 0) return invalid("output ", o, " of its graph is no tensor");
      outputs[o].push_back(tensorOf(results[o]));
    }
  }
  Operands sequences;
  for (Sequence &output : outputs) sequences.push_back(makeSequence(std::move(output)));
  return sequences;
}

}  // namespace hone::frontend
