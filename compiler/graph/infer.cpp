#include "compiler/graph/infer.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/graph/infer_parts.h"
#include "compiler/graph/print.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::graph {
namespace inference {

absl::Status checkArity(const Types &inputs, size_t low, size_t high) {
  if (inputs.size() >= low && inputs.size() <= high) return absl::OkStatus();
  std::string wanted = low == high ? absl::StrCat(low) : absl::StrCat(low, " to ", high);
  return error("takes ", wanted, " operands, has ", inputs.size());
}

absl::Status checkSameDType(const Types &inputs) {
  for (const TensorType &type : inputs) {
    if (type.dtype == inputs[0].dtype) continue;
    return error("operands have dtypes ", std::string(shortName(inputs[0].dtype)), " and ",
                 std::string(shortName(type.dtype)));
  }
  return absl::OkStatus();
}

absl::Status checkAxis(int64_t axis, const TensorType &type) {
  if (axis >= 0 && axis < static_cast<int64_t>(type.shape.size())) return absl::OkStatus();
  return error("axis ", axis, " is not an axis of ", typeText(type));
}

absl::Status checkList(const char *what, const Shape &list, size_t count, int64_t low) {
  if (list.size() != count) return error(what, " has ", list.size(), " entries instead of ", count);
  for (int64_t entry : list) {
    if (entry < low || entry > kMaximumAttribute) {
      return error(what, " ", shapeText(list), " is not within ", low, " to ", kMaximumAttribute);
    }
  }
  return absl::OkStatus();
}

namespace {

absl::Status checkFloat(const TensorType &type) {
  if (isFloat(type.dtype)) return absl::OkStatus();
  return error("takes floats, not ", std::string(shortName(type.dtype)));
}

// ------------------------------------------------------------------------------------------------ elementwise

Result inferElementwise(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *elementwise, attributesAs<ElementwiseAttributes>(attributes));
  size_t count = static_cast<size_t>(arity(elementwise->op));
  HONE_RETURN_IF_ERROR(checkArity(inputs, count, count));
  size_t first = 0;
  if (elementwise->op == ScalarOp::Select) {
    if (inputs[0].dtype != DType::Bool) return error("condition has to be bool, is ", typeText(inputs[0]));
    first = 1;
  }
  HONE_RETURN_IF_ERROR(checkSameDType(Types(inputs.begin() + static_cast<std::ptrdiff_t>(first), inputs.end())));
  DType dtype = inputs[first].dtype;
  if (!accepts(elementwise->op, dtype)) {
    return error("does not take ", std::string(shortName(dtype)));
  }
  TensorType result{isPredicate(elementwise->op) ? DType::Bool : dtype, inputs[0].shape};
  for (const TensorType &input : inputs) {
    std::optional<Shape> shape = broadcastShapes(result.shape, input.shape);
    if (!shape) return error("shapes ", shapeText(result.shape), " and ", shapeText(input.shape), " do not broadcast");
    result.shape = *shape;
  }
  return result;
}

// ---------------------------------------------------------------------------------------------------- windows

struct Window {
  int64_t kernel, stride, dilation, padBegin, padEnd;
};

absl::StatusOr<int64_t> windowExtent(int64_t extent, const Window &window) {
  int64_t padded = extent + window.padBegin + window.padEnd;
  int64_t reach = window.dilation * (window.kernel - 1) + 1;
  if (reach > padded) return error("kernel reaches over ", reach, " of only ", padded, " padded elements");
  return (padded - reach) / window.stride + 1;
}

template <typename WindowAttributes>
absl::Status appendSpatial(const WindowAttributes &attributes, const Shape &kernel, const Shape &data, Shape &output) {
  size_t spatial = data.size() - 2;
  HONE_RETURN_IF_ERROR(checkList("kernel", kernel, spatial, 1));
  HONE_RETURN_IF_ERROR(checkList("strides", attributes.strides, spatial, 1));
  HONE_RETURN_IF_ERROR(checkList("dilations", attributes.dilations, spatial, 1));
  HONE_RETURN_IF_ERROR(checkList("pads", attributes.pads, 2 * spatial, 0));
  for (size_t i = 0; i < spatial; ++i) {
    Window window{kernel[i], attributes.strides[i], attributes.dilations[i], attributes.pads[i],
                  attributes.pads[spatial + i]};
    HONE_ASSIGN_OR_RETURN(int64_t extent, windowExtent(data[i + 2], window));
    output.push_back(extent);
  }
  return absl::OkStatus();
}

Result inferConv(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *conv, attributesAs<ConvAttributes>(attributes));
  HONE_RETURN_IF_ERROR(checkArity(inputs, 2, 3));
  HONE_RETURN_IF_ERROR(checkSameDType(inputs));
  if (inputs[0].dtype == DType::Bool) return error("does not take bool");
  const Shape &data = inputs[0].shape, &weight = inputs[1].shape;
  if (data.size() < 3) return error("data ", typeText(inputs[0]), " has fewer than 3 dims");
  if (weight.size() != data.size()) {
    return error("data ", typeText(inputs[0]), " and weight ", typeText(inputs[1]), " differ in rank");
  }
  if (conv->groups < 1 || conv->groups > kMaximumAttribute || weight[0] % conv->groups != 0) {
    return error(weight[0], " output channels do not divide into ", conv->groups, " groups");
  }
  if (weight[1] * conv->groups != data[1]) {
    return error("weight ", typeText(inputs[1]), " in ", conv->groups, " groups does not fit ", data[1], " channels");
  }
  if (inputs.size() == 3 && inputs[2].shape != Shape{weight[0]}) {
    return error("bias ", typeText(inputs[2]), " does not have one entry for each of ", weight[0], " channels");
  }
  TensorType result{inputs[0].dtype, {data[0], weight[0]}};
  HONE_RETURN_IF_ERROR(appendSpatial(*conv, Shape(weight.begin() + 2, weight.end()), data, result.shape));
  return result;
}

Result inferPool(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *pool, attributesAs<PoolAttributes>(attributes));
  HONE_RETURN_IF_ERROR(checkArity(inputs, 1, 1));
  if (pool->kind == PoolKind::Average) HONE_RETURN_IF_ERROR(checkFloat(inputs[0]));
  if (inputs[0].dtype == DType::Bool) return error("does not take bool");
  const Shape &data = inputs[0].shape;
  if (data.size() < 3) return error("data ", typeText(inputs[0]), " has fewer than 3 dims");
  TensorType result{inputs[0].dtype, {data[0], data[1]}};
  HONE_RETURN_IF_ERROR(appendSpatial(*pool, pool->kernel, data, result.shape));
  return result;
}

// ------------------------------------------------------------------------------- products, reductions, rows

Result inferMatMul(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *matmul, attributesAs<MatMulAttributes>(attributes));
  HONE_RETURN_IF_ERROR(checkArity(inputs, 2, 2));
  HONE_RETURN_IF_ERROR(checkSameDType(inputs));
  if (inputs[0].dtype == DType::Bool) return error("does not take bool");
  Shape a = inputs[0].shape, b = inputs[1].shape;
  if (a.size() < 2 || b.size() < 2) {
    return error("operands ", typeText(inputs[0]), " and ", typeText(inputs[1]), " need 2 dims or more");
  }
  if (matmul->transposeA) std::swap(a[a.size() - 1], a[a.size() - 2]);
  if (matmul->transposeB) std::swap(b[b.size() - 1], b[b.size() - 2]);
  if (a.back() != b[b.size() - 2]) {
    return error("inner extents ", a.back(), " and ", b[b.size() - 2], " differ");
  }
  std::optional<Shape> batch = broadcastShapes(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!batch) return error("batch dims of ", shapeText(a), " and ", shapeText(b), " do not broadcast");
  batch->push_back(a[a.size() - 2]);
  batch->push_back(b.back());
  return TensorType{inputs[0].dtype, *batch};
}

Result inferReduce(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *reduce, attributesAs<ReduceAttributes>(attributes));
  HONE_RETURN_IF_ERROR(checkArity(inputs, 1, 1));
  if (inputs[0].dtype == DType::Bool) return error("does not take bool");
  for (size_t i = 0; i < reduce->axes.size(); ++i) {
    HONE_RETURN_IF_ERROR(checkAxis(reduce->axes[i], inputs[0]));
    if (i > 0 && reduce->axes[i] <= reduce->axes[i - 1]) {
      return error("axes ", shapeText(reduce->axes), " are not sorted and unique");
    }
  }
  TensorType result{inputs[0].dtype, {}};
  for (size_t i = 0; i < inputs[0].shape.size(); ++i) {
    bool reduced = std::binary_search(reduce->axes.begin(), reduce->axes.end(), static_cast<int64_t>(i));
    if (!reduced) result.shape.push_back(inputs[0].shape[i]);
    if (reduced && reduce->keepDims) result.shape.push_back(1);
  }
  return result;
}

Result inferSoftmax(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *softmax, attributesAs<AxisAttributes>(attributes));
  HONE_RETURN_IF_ERROR(checkArity(inputs, 1, 1));
  HONE_RETURN_IF_ERROR(checkFloat(inputs[0]));
  HONE_RETURN_IF_ERROR(checkAxis(softmax->axis, inputs[0]));
  return inputs[0];
}

Result inferLayerNorm(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *norm, attributesAs<LayerNormAttributes>(attributes));
  HONE_RETURN_IF_ERROR(checkArity(inputs, 3, 3));
  HONE_RETURN_IF_ERROR(checkSameDType(inputs));
  HONE_RETURN_IF_ERROR(checkFloat(inputs[0]));
  HONE_RETURN_IF_ERROR(checkAxis(norm->axis, inputs[0]));
  Shape row(inputs[0].shape.begin() + norm->axis, inputs[0].shape.end());
  for (size_t i = 1; i < 3; ++i) {
    if (broadcastsTo(inputs[i].shape, row)) continue;
    return error(i == 1 ? "scale " : "shift ", typeText(inputs[i]), " does not broadcast to ", shapeText(row));
  }
  return inputs[0];
}

// ---------------------------------------------------------------------------------------------------- kernels

Result inferCompute(const Attributes &attributes, const Types &inputs) {
  HONE_ASSIGN_OR_RETURN(const auto *compute, attributesAs<ComputeAttributes>(attributes));
  if (compute->kernel == nullptr) return error("its kernel is missing");
  size_t next = 0;
  std::optional<TensorType> result;
  for (const tensor::Buffer &buffer : compute->kernel->buffers) {
    TensorType type{buffer.dtype, buffer.shape};
    if (!buffer.layout.isRowMajor(buffer.shape)) return error("buffer '", buffer.name, "' is not row-major");
    switch (buffer.role) {
      case tensor::BufferRole::Temporary:
        break;
      case tensor::BufferRole::Parameter:
        return error("buffer '", buffer.name, "' is a parameter; make it an input, and the operand a constant");
      case tensor::BufferRole::Output:
        if (result) return error("the kernel has more than one output");
        result = std::move(type);
        break;
      case tensor::BufferRole::Input:
        if (next == inputs.size()) return error("operand ", next, " ('", buffer.name, "') is missing");
        if (inputs[next] != type) {
          return error("operand ", next, " ('", buffer.name, "') is ", typeText(inputs[next]), ", not ",
                       typeText(type));
        }
        ++next;
        break;
    }
  }
  if (!result) return error("the kernel has no output");
  if (next != inputs.size()) return error("takes ", next, " operands, has ", inputs.size());
  if (std::string wrong = tensor::verify(*compute->kernel); !wrong.empty()) return error(wrong);
  return *result;
}

Result inferLoopCollect(const Types &inputs) {
  HONE_RETURN_IF_ERROR(checkArity(inputs, 3, 3));
  const TensorType &state = inputs[0], &row = inputs[1];
  const bool isRow = !state.shape.empty() && row.dtype == state.dtype &&
                     Shape(state.shape.begin() + 1, state.shape.end()) == row.shape;
  if (!isRow) return error(typeText(row), " is not a row of ", typeText(state));
  if (inputs[2] != TensorType{DType::I64, {}}) return error("index ", typeText(inputs[2]), " is not one i64");
  return state;
}

Result inferLoopEnd(const Attributes &attributes, const Types &inputs) {
  HONE_RETURN_IF_ERROR(attributesAs<LoopAttributes>(attributes).status());
  const size_t states = inputs.size() / 2;
  if (states == 0 || inputs.size() % 2 != 0) return error("has ", inputs.size(), " operands, not two for each state");
  if (inputs[0] != TensorType{DType::Bool, {}}) return error("state 0, the condition, is ", typeText(inputs[0]));
  for (size_t i = 0; i < states; ++i) {
    if (inputs[i] == inputs[states + i]) continue;
    return error("state ", i, " is ", typeText(inputs[i]), ", but ", typeText(inputs[states + i]), " comes next");
  }
  return inputs[0];
}

Result inferLoopResult(const Types &inputs) {
  HONE_RETURN_IF_ERROR(checkArity(inputs, 2, 2));
  return inputs[1];
}

Result inferGiven(Op op, const Attributes &attributes, const Types &inputs, const std::optional<TensorType> &given) {
  HONE_RETURN_IF_ERROR(checkArity(inputs, 1, 1));
  const bool takesAttributes = op == Op::Slice || op == Op::LoopState;
  if (!takesAttributes && !std::holds_alternative<std::monostate>(attributes)) return error("takes no attributes");
  if (op == Op::LoopState) HONE_RETURN_IF_ERROR(attributesAs<LoopAttributes>(attributes).status());
  if (!given) return error("needs its result's type");
  const TensorType &from = inputs[0];
  if (op != Op::Cast && given->dtype != from.dtype) {
    return error("cannot change ", typeText(from), " to ", typeText(*given));
  }
  bool fits = true;
  if (op == Op::Cast) fits = given->shape == from.shape;
  if (op == Op::Reshape) fits = given->elements() == from.elements();
  if (op == Op::Broadcast || op == Op::LoopState) fits = broadcastsTo(from.shape, given->shape);
  if (!fits) return error("shape ", shapeText(from.shape), " does not fit ", shapeText(given->shape));
  if (op == Op::Slice) return inferSlice(attributes, inputs, *given);
  return *given;
}

Result inferByOp(Op op, const Attributes &attributes, const Types &inputs, const std::optional<TensorType> &given) {
  switch (op) {
    case Op::Elementwise:
      return inferElementwise(attributes, inputs);
    case Op::Conv:
      return inferConv(attributes, inputs);
    case Op::Pool:
      return inferPool(attributes, inputs);
    case Op::MatMul:
      return inferMatMul(attributes, inputs);
    case Op::Reduce:
      return inferReduce(attributes, inputs);
    case Op::Softmax:
    case Op::LogSoftmax:
      return inferSoftmax(attributes, inputs);
    case Op::LayerNorm:
      return inferLayerNorm(attributes, inputs);
    case Op::Transpose:
      return inferTranspose(attributes, inputs);
    case Op::Concat:
      return inferConcat(attributes, inputs);
    case Op::Pad:
      return inferPad(attributes, inputs);
    case Op::Gather:
      return inferGather(attributes, inputs);
    case Op::Compute:
      return inferCompute(attributes, inputs);
    case Op::LoopCollect:
      return inferLoopCollect(inputs);
    case Op::LoopEnd:
      return inferLoopEnd(attributes, inputs);
    case Op::LoopResult:
      return inferLoopResult(inputs);
    case Op::LoopState:
    case Op::Cast:
    case Op::Reshape:
    case Op::Broadcast:
    case Op::Slice:
      return inferGiven(op, attributes, inputs, given);
  }
  return error("unknown op");
}

Result inferChecked(Op op, const Attributes &attributes, const Types &inputs, const std::optional<TensorType> &given) {
  for (const TensorType &input : inputs) HONE_RETURN_IF_ERROR(checkType(input));
  if (given) HONE_RETURN_IF_ERROR(checkType(*given));
  HONE_ASSIGN_OR_RETURN(TensorType result, inferByOp(op, attributes, inputs, given));
  HONE_RETURN_IF_ERROR(checkType(result));
  if (given && *given != result) return error("gives ", typeText(result), ", not ", typeText(*given));
  return result;
}

}  // namespace
}  // namespace inference

absl::StatusOr<TensorType> inferType(Op op, const Attributes &attributes, const std::vector<TensorType> &inputs,
                                     const std::optional<TensorType> &given) {
  absl::StatusOr<TensorType> result = inference::inferChecked(op, attributes, inputs, given);
  if (result.ok()) return result;
  std::string name = opName(Node{op, {}, -1, attributes, ""});
  return absl::Status(result.status().code(), absl::StrCat(name, ": ", result.status().message()));
}

absl::Status checkType(const TensorType &type) {
  int64_t count = 1;
  for (int64_t extent : type.shape) {
    if (extent < 0) return inference::error("extent ", extent, " of ", typeText(type), " is negative");
    if (extent > kMaximumElements || (count > 0 && extent > kMaximumElements / count)) {
      return inference::error("tensor ", typeText(type), " has more than ", kMaximumElements, " elements");
    }
    count *= extent;
  }
  return absl::OkStatus();
}

std::optional<Shape> broadcastShapes(const Shape &a, const Shape &b) {
  const Shape &longer = a.size() >= b.size() ? a : b, &shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  size_t offset = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    int64_t &extent = result[offset + i];
    if (extent == shorter[i] || shorter[i] == 1) continue;
    if (extent != 1) return std::nullopt;
    extent = shorter[i];
  }
  return result;
}

bool broadcastsTo(const Shape &from, const Shape &to) {
  std::optional<Shape> shape = broadcastShapes(from, to);
  return shape && *shape == to;
}

}  // namespace hone::graph
