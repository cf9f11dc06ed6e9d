// Sequences and optionals. They are lists of values, and values that may be absent, of the importer alone: which
// tensors they hold has to follow from constants and shapes.
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

absl::StatusOr<Sequence> sequenceInput(const NodeContext &node, size_t position) {
  if (const Sequence *sequence = sequenceOf(node.operands()[position])) return *sequence;
  if (isAbsent(node.operands()[position])) return invalid("operand ", position, " is missing");
  return invalid("operand ", position, " is a tensor, not a sequence");
}

absl::StatusOr<ValueId> tensorInput(const NodeContext &node, int position) {
  if (node.has(position)) return node.input(position);
  if (isAbsent(node.operands()[static_cast<size_t>(position)])) return invalid("operand ", position, " is missing");
  return invalid("operand ", position, " is not a tensor");
}

absl::Status checkElementTypes(const Builder &build, const Sequence &sequence) {
  for (ValueId element : sequence) {
    if (build.dtype(element) == build.dtype(sequence[0])) continue;
    return invalid("a sequence cannot have both ", graph::typeText(build.type(sequence[0])), " and ",
                   graph::typeText(build.type(element)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Operands> single(Result tensor) {
  if (!tensor.ok()) return tensor.status();
  return Operands{*tensor};
}

/// Operand \p position as a place among \p count, counted from either end.
absl::StatusOr<std::ptrdiff_t> place(const NodeContext &node, int position, size_t count) {
  HONE_ASSIGN_OR_RETURN(const int64_t given, node.constantInteger(position, "position"));
  const auto places = static_cast<int64_t>(count);
  if (given >= -places && given < places) return given < 0 ? given + places : given;
  return invalid("position ", given, " is outside of ", places, places == 1 ? " place" : " places", " of the sequence");
}

/// The extents of SplitToSequence's parts along an axis of \p extent.
absl::StatusOr<std::vector<int64_t>> partExtents(const NodeContext &node, int64_t extent) {
  if (!node.has(1)) return std::vector<int64_t>(static_cast<size_t>(extent), 1);
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> parts, node.constantIntegers(1, "split"));
  if (node.rank(1) == 0) {
    const int64_t part = parts[0];
    if (part <= 0) return invalid("parts of ", part, " elements are none");
    parts.assign(static_cast<size_t>(extent / part), part);
    if (extent % part != 0) parts.push_back(extent % part);
    return parts;
  }
  int64_t left = extent;
  for (int64_t part : parts) {
    if (part < 0 || part > left) left = -1;
    if (left >= 0) left -= part;
  }
  if (left == 0) return parts;
  return invalid("parts of ", graph::shapeText(parts), " do not divide ", extent, " elements");
}

}  // namespace

Result stack(Builder &build, const Sequence &parts, int64_t axis) {
  std::vector<Result> wide;
  for (ValueId part : parts) {
    Shape shape = build.shape(part);
    shape.insert(shape.begin() + axis, 1);
    wide.push_back(build.reshape(part, shape));
  }
  return build.concat(wide, axis);
}

absl::StatusOr<Operands> importSequenceConstruct(NodeContext &node) {
  Sequence sequence;
  for (int i = 0; i < node.inputCount(); ++i) {
    HONE_ASSIGN_OR_RETURN(ValueId tensor, tensorInput(node, i));
    sequence.push_back(tensor);
  }
  HONE_RETURN_IF_ERROR(checkElementTypes(node.build, sequence));
  return Operands{makeSequence(std::move(sequence))};
}

absl::StatusOr<Operands> importSequenceEmpty(NodeContext &) { return Operands{makeSequence({})}; }

absl::StatusOr<Operands> importSequenceInsert(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Sequence sequence, sequenceInput(node, 0));
  HONE_ASSIGN_OR_RETURN(ValueId tensor, tensorInput(node, 1));
  auto position = static_cast<std::ptrdiff_t>(sequence.size());
  if (node.has(2)) {
    HONE_ASSIGN_OR_RETURN(const int64_t given, node.constantInteger(2, "position"));
    if (given < -position || given > position) {
      return invalid("position ", given, " is outside of a sequence of ", position);
    }
    position = given < 0 ? given + position : given;
  }
  sequence.insert(sequence.begin() + position, tensor);
  HONE_RETURN_IF_ERROR(checkElementTypes(node.build, {sequence[0], sequence.back(), tensor}));
  return Operands{makeSequence(std::move(sequence))};
}

absl::StatusOr<Operands> importSequenceErase(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Sequence sequence, sequenceInput(node, 0));
  if (sequence.empty()) return invalid("there is nothing in the sequence to erase");
  std::ptrdiff_t position = std::ssize(sequence) - 1;
  if (node.has(1)) {
    HONE_ASSIGN_OR_RETURN(position, place(node, 1, sequence.size()));
  }
  sequence.erase(sequence.begin() + position);
  return Operands{makeSequence(std::move(sequence))};
}

absl::StatusOr<Operands> importSequenceAt(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Sequence sequence, sequenceInput(node, 0));
  HONE_ASSIGN_OR_RETURN(ValueId position, tensorInput(node, 1));
  Builder &build = node.build;
  const bool isUniform = !sequence.empty() && std::all_of(sequence.begin(), sequence.end(), [&](ValueId element) {
    return build.type(element) == build.type(sequence[0]) && build.extents(element) == build.extents(sequence[0]);
  });
  // Tensors of one shape are rows of one tensor, of which one is taken at run time.
  if (build.constant(position) == nullptr && isUniform && build.type(position).elements() == 1) {
    return single(build.gather(stack(build, sequence, 0), build.reshape(position, {}), 0));
  }
  HONE_ASSIGN_OR_RETURN(const std::ptrdiff_t known, place(node, 1, sequence.size()));
  return Operands{sequence[static_cast<size_t>(known)]};
}

absl::StatusOr<Operands> importSequenceLength(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Sequence sequence, sequenceInput(node, 0));
  return single(node.build.integer(DType::I64, std::ssize(sequence)));
}

absl::StatusOr<Operands> importSplitToSequence(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(ValueId data, tensorInput(node, 0));
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", 0));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  HONE_ASSIGN_OR_RETURN(int64_t keepsDim, node.integer("keepdims", 1));
  Shape without = node.shape(0);
  const int64_t extent = without[static_cast<size_t>(axis)];
  without.erase(without.begin() + axis);
  if (node.build.isBounded(data, axis)) {
    return unsupported("dim ", axis,
                       " has a size that depends on data, and so has the number of parts; a sequence is a ",
                       "list whose length is known");
  }
  if (extent > node.limits().nodes) return invalid(extent, " parts; the limit is ", node.limits().nodes);
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> extents, partExtents(node, extent));
  Sequence sequence;
  int64_t start = 0;
  for (int64_t part : extents) {
    Result slice = sliceAxis(node.build, data, axis, start, part);
    if (keepsDim == 0 && !node.has(1)) slice = node.build.reshape(slice, without);
    HONE_ASSIGN_OR_RETURN(ValueId element, slice);
    sequence.push_back(element);
    start += part;
  }
  return Operands{makeSequence(std::move(sequence))};
}

absl::StatusOr<Operands> importConcatFromSequence(NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(Sequence sequence, sequenceInput(node, 0));
  if (sequence.empty()) return invalid("there is nothing in the sequence to join");
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis"));
  HONE_ASSIGN_OR_RETURN(int64_t isNewAxis, node.integer("new_axis", 0));
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, build.rank(sequence[0]) + (isNewAxis != 0 ? 1 : 0)));
  if (isNewAxis == 0) return single(build.concat({sequence.begin(), sequence.end()}, axis));
  for (ValueId element : sequence) {
    if (build.shape(element) == build.shape(sequence[0])) continue;
    return invalid("tensors of the shapes ", graph::shapeText(build.shape(sequence[0])), " and ",
                   graph::shapeText(build.shape(element)), " cannot be stacked");
  }
  return single(stack(build, sequence, axis));
}

absl::StatusOr<Operands> importOptional(NodeContext &node) {
  return Operands{node.operands().empty() ? Operand() : node.operands()[0]};
}

absl::StatusOr<Operands> importOptionalHasElement(NodeContext &node) {
  const bool isThere = !node.operands().empty() && !isAbsent(node.operands()[0]);
  return single(node.build.integer(DType::Bool, isThere ? 1 : 0));
}

absl::StatusOr<Operands> importOptionalGetElement(NodeContext &node) {
  if (isAbsent(node.operands()[0])) return invalid("the optional has no element");
  return Operands{node.operands()[0]};
}

}  // namespace hone::frontend
