// Scan and SequenceMap: graphs that are applied to one element after the other. How many there are is known; Scan is
// written out unless that is too much.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/index_checks.h"
#include "compiler/frontend/onnx/iterations.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/run_time_loop.h"

namespace hone::frontend {
namespace {

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
  const size_t countedBefore = build.countedIndices().size();
  HONE_ASSIGN_OR_RETURN(const Operands sample, body.import(arguments));
  build.countedIndices().resize(countedBefore);
  Operands outputs = spec.states;
  for (size_t i = 0; i < spec.outputs.size(); ++i) {
    HONE_ASSIGN_OR_RETURN(outputs.emplace_back(),
                          Collected::none(build, sample[spec.states.size() + i], spec.outputs[i].axis));
  }
  return outputs;
}

/// The same as scan(), in a loop.
absl::StatusOr<Operands> repeatScan(Builder &build, Subgraph &body, const ScanSpec &spec, int64_t length,
                                    size_t firstCount) {
  RunTimeLoop loop;
  loop.firstCount = firstCount;
  HONE_ASSIGN_OR_RETURN(loop.trips, build.integer(DType::I64, length));
  loop.states = spec.states;
  for (const ScanOutput &output : spec.outputs) loop.rows.push_back({true, output.axis, output.isBackward});
  loop.iterate = [&](ValueId number, const Operands &states) -> absl::StatusOr<Operands> {
    Operands arguments = states;
    for (const ScanInput &input : spec.inputs) {
      Result place = number;
      if (input.isBackward) place = build.apply(ScalarOp::Sub, {build.integer(DType::I64, length - 1), number});
      HONE_ASSIGN_OR_RETURN(arguments.emplace_back(), build.gather(input.data, place, input.axis));
    }
    return body.import(arguments);
  };
  return buildLoop(build, loop);
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
  const ScanSpec initial = spec;
  const int64_t nodesBefore = build.nodeCount();
  const size_t countedBefore = build.countedIndices().size();
  for (int64_t step = 0; step < length; ++step) {
    if (step == 1 && build.nodeCount() - nodesBefore > kMostWrittenOut / (length - 1)) {
      const std::vector<CountedIndices> ofFirst = build.countedIndices();
      build.countedIndices().resize(countedBefore);
      body.startAnew();
      absl::StatusOr<Operands> repeated = repeatScan(build, body, initial, length, countedBefore);
      if (repeated.ok() || !absl::IsUnimplemented(repeated.status())) return repeated;
      body.startAnew();
      build.countedIndices() = ofFirst;
    }
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
  HONE_RETURN_IF_ERROR(joinCounts(build, countedBefore));
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
  const size_t countedBefore = node.build.countedIndices().size();
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
  HONE_RETURN_IF_ERROR(joinCounts(node.build, countedBefore));
  Operands sequences;
  for (Sequence &output : outputs) sequences.push_back(makeSequence(std::move(output)));
  return sequences;
}

}  // namespace hone::frontend
