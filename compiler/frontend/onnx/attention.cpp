// The operators of transformers' attention: scores and caches of keys and values, rotary positions, linear attention.
#include "compiler/frontend/build/attention.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/build/linear_attention.h"
#include "compiler/frontend/build/rotary.h"
#include "compiler/frontend/build/sequence_cache.h"
#include "compiler/frontend/onnx/activation.h"
#include "compiler/frontend/onnx/operators.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

// Where Attention's operands are.
constexpr int kMask = 3, kPastKey = 4, kPastValue = 5, kLengths = 6;

/// Query, key or value as [batch, heads, length, size]; data of 3 dims has its heads in the last one.
Result withHeads(NodeContext &node, int position, const char *attribute) {
  if (node.rank(position) == 4) return node.input(position);
  HONE_ASSIGN_OR_RETURN(int64_t heads, node.integer(attribute));
  return splitHeads(node.build, node.input(position), heads);
}

/// A mask that is shorter than the keys hides those behind it.
Result maskOverKeys(NodeContext &node, int64_t keys) {
  Builder &build = node.build;
  const DType dtype = node.dtype(kMask);
  const int64_t rank = node.rank(kMask), given = rank == 0 ? keys : node.shape(kMask).back();
  if (node.version() < 24 || given >= keys) return node.input(kMask);
  graph::PadAttributes attributes{Shape(static_cast<size_t>(2 * rank), 0), graph::PadMode::Constant, 0};
  attributes.pads.back() = keys - given;
  if (dtype != DType::Bool) attributes.value = -std::numeric_limits<double>::infinity();
  return build.pad(node.input(kMask), attributes);
}

/// The keys that each query may see by its place, and the lengths of the samples; see KeyRange.
absl::StatusOr<KeyRange> readKeyRange(NodeContext &node, int64_t batch, int64_t queries, int64_t keys, int64_t past) {
  Builder &build = node.build;
  KeyRange range{queries, keys, -1, -1, build.integer(DType::I64, past), std::nullopt};
  HONE_ASSIGN_OR_RETURN(int64_t causal, node.integer("is_causal", 0));
  HONE_ASSIGN_OR_RETURN(range.left, node.integer("left_window_size", -1));
  HONE_ASSIGN_OR_RETURN(range.right, node.integer("right_window_size", -1));
  if (range.left < -1 || range.right < -1) {
    return invalid("windows of ", range.left, " and ", range.right, " keys; -1 stands for all of them");
  }
  // Farther than any key.
  range.left = std::min(range.left, queries + keys);
  if (causal != 0) range.right = 0;
  range.right = std::min(range.right, queries + keys);
  if (!node.has(kLengths)) return range;
  if (node.has(kPastKey)) return invalid("lengths of the keys (nonpad_kv_seqlen) do not go together with past keys");
  if (node.shape(kLengths) != Shape{batch} || !isInteger(node.dtype(kLengths))) {
    return invalid("the lengths of the keys are ", graph::typeText(build.type(node.input(kLengths))),
                   ", not an integer for each of ", batch, " samples");
  }
  range.lengths = build.reshape(build.cast(node.input(kLengths), DType::I64), {batch, 1, 1, 1});
  range.first = build.apply(Op::Sub, {*range.lengths, build.integer(DType::I64, queries)});
  return range;
}

absl::Status readSoftmax(NodeContext &node, Attention &attention) {
  const double size = static_cast<double>(node.build.shape(*attention.query).back());
  HONE_ASSIGN_OR_RETURN(attention.scale, node.real("scale", 1 / std::sqrt(size)));
  HONE_ASSIGN_OR_RETURN(attention.softcap, node.real("softcap", 0.0));
  if (!node.hasAttribute("softmax_precision")) return absl::OkStatus();
  HONE_ASSIGN_OR_RETURN(int64_t code, node.integer("softmax_precision"));
  HONE_ASSIGN_OR_RETURN(DType dtype, readDType(code));
  if (!isFloat(dtype)) return invalid("attribute 'softmax_precision' is ", code, ", which is no type of floats");
  attention.softmaxType = dtype;
  return absl::OkStatus();
}

}  // namespace

Result importAttention(NodeContext &node) {
  Builder &build = node.build;
  if (node.has(kPastKey) != node.has(kPastValue)) return invalid("past keys and past values are given together");
  Attention attention;
  HONE_ASSIGN_OR_RETURN(attention.query, withHeads(node, 0, "q_num_heads"));
  HONE_ASSIGN_OR_RETURN(ValueId key, withHeads(node, 1, "kv_num_heads"));
  HONE_ASSIGN_OR_RETURN(ValueId value, withHeads(node, 2, "kv_num_heads"));
  int64_t past = 0;
  if (node.has(kPastKey)) {
    if (node.rank(kPastKey) != 4) return invalid("past keys have shape ", graph::shapeText(node.shape(kPastKey)));
    past = node.shape(kPastKey)[2];
    HONE_ASSIGN_OR_RETURN(key, build.concat({node.input(kPastKey), key}, 2));
    HONE_ASSIGN_OR_RETURN(value, build.concat({node.input(kPastValue), value}, 2));
  }
  attention.key = key;
  attention.value = value;
  const Shape query = build.shape(*attention.query), keys = build.shape(key);
  if (query.size() != 4 || keys.size() != 4) return invalid("takes queries and keys of 3 or 4 dims");
  HONE_RETURN_IF_ERROR(readSoftmax(node, attention));
  HONE_ASSIGN_OR_RETURN(KeyRange range, readKeyRange(node, query[0], query[2], keys[2], past));
  attention.visible = visibleKeys(build, range);
  if (node.has(kMask)) {
    HONE_ASSIGN_OR_RETURN(ValueId mask, maskOverKeys(node, keys[2]));
    if (build.dtype(mask) == DType::Bool) {
      attention.visible = bothVisible(build, attention.visible, mask);
    } else {
      attention.bias = mask;
    }
  }
  HONE_ASSIGN_OR_RETURN(int64_t mode, node.integer("qk_matmul_output_mode", 0));
  if (mode < 0 || mode > 3) return invalid("attribute 'qk_matmul_output_mode' is ", mode, ", not 0 to 3");
  AttentionValues values = attend(build, attention);
  HONE_ASSIGN_OR_RETURN(ValueId shown, mode == 0   ? values.scores
                                       : mode == 1 ? values.capped
                                       : mode == 2 ? values.masked
                                                   : values.probabilities);
  node.addOutput(key);
  node.addOutput(value);
  node.addOutput(shown);
  return node.rank(0) == 3 ? mergeHeads(build, values.output) : values.output;
}

namespace {

/// The graph that is the attribute \p name as a function of rows, whose type it may not change.
absl::StatusOr<std::function<Result(Result)>> readChange(const NodeContext &node, const char *name) {
  if (!node.hasAttribute(name)) return std::function<Result(Result)>();
  HONE_ASSIGN_OR_RETURN(std::shared_ptr<Subgraph> graph, node.subgraph(name));
  return [&build = node.build, graph, name](Result rows) -> Result {
    if (!rows.ok()) return rows;
    HONE_ASSIGN_OR_RETURN(Operands results, graph->import({*rows}));
    const ValueId result = results.size() == 1 ? tensorOf(results[0]) : kOmitted;
    if (result >= 0 && build.type(result) == build.type(*rows)) return result;
    return invalid("the graph '", name, "' does not give one tensor ", graph::typeText(build.type(*rows)));
  };
}

}  // namespace

// Attention without masks and caches, but with graphs that change the rows in front of and behind the softmax.
Result importFlexAttention(NodeContext &node) {
  Attention attention;
  attention.query = node.input(0);
  attention.key = node.input(1);
  attention.value = node.input(2);
  attention.softmaxType = accumulatorOf(node.dtype(0));
  attention.zeroesHidden = false;
  if (node.rank(0) != 4) return invalid("takes queries of 4 dims, not ", graph::shapeText(node.shape(0)));
  HONE_RETURN_IF_ERROR(readSoftmax(node, attention));
  HONE_ASSIGN_OR_RETURN(attention.changeScores, readChange(node, "score_mod"));
  HONE_ASSIGN_OR_RETURN(attention.changeProbabilities, readChange(node, "prob_mod"));
  return attend(node.build, attention).output;
}

namespace {

/// Cosines or sines beside data [batch, length, heads, size] or, in the second form, [batch, heads, length, size].
Result anglesBesideHeads(NodeContext &node, int position, bool isLengthFirst) {
  Builder &build = node.build;
  Result angles = node.input(position);
  if (node.has(3)) angles = build.gather(angles, node.input(3), 0);
  if (!angles.ok()) return angles;
  const Shape shape = build.shape(*angles);
  if (shape.size() != 3) {
    return invalid("cosines and sines are ", graph::shapeText(shape), " instead of [batch, length, half a head]");
  }
  return build.reshape(angles,
                       isLengthFirst ? Shape{shape[0], shape[1], 1, shape[2]} : Shape{shape[0], 1, shape[1], shape[2]});
}

}  // namespace

Result importRotaryEmbedding(NodeContext &node) {
  Builder &build = node.build;
  const Shape shape = node.shape(0);
  const bool isPacked = shape.size() == 3;
  if (!isPacked && shape.size() != 4) return invalid("takes 3 or 4 dims, not shape ", graph::shapeText(shape));
  Result data = node.input(0);
  if (isPacked) {
    HONE_ASSIGN_OR_RETURN(int64_t heads, node.integer("num_heads"));
    if (heads < 1 || shape[2] % heads != 0) return invalid(shape[2], " elements do not divide into ", heads, " heads");
    data = build.reshape(data, {shape[0], shape[1], heads, shape[2] / heads});
    if (!data.ok()) return data;
  }
  Rotation rotation{anglesBesideHeads(node, 1, isPacked), anglesBesideHeads(node, 2, isPacked)};
  HONE_ASSIGN_OR_RETURN(rotation.size, node.integer("rotary_embedding_dim", 0));
  if (rotation.size == 0) rotation.size = build.shape(*data).back();
  HONE_ASSIGN_OR_RETURN(int64_t interleaved, node.integer("interleaved", 0));
  rotation.isInterleaved = interleaved != 0;
  return build.reshape(rotate(build, data, rotation), shape);
}

Result importTensorScatter(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", -2));
  HONE_ASSIGN_OR_RETURN(size_t mode, node.choice("mode", {"linear", "circular"}));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  if (axis == 0) return invalid("axis 0 is that of the samples");
  Result places =
      node.has(2) ? Result(node.input(2)) : build.broadcast(build.integer(DType::I64, 0), {node.shape(0)[0]});
  return writeIntoCache(build, node.input(0), node.input(1), places, axis,
                        mode == 0 ? CacheEnd::Kept : CacheEnd::Wrapped);
}

namespace {

constexpr int kState = 3, kDecay = 4, kRate = 5;

/// The rule says which operands there are; the kernel does what they ask for.
absl::Status checkUpdateRule(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(size_t rule, node.choice("update_rule", {"gated_delta", "gated", "delta", "linear"}));
  const bool decays = rule < 2, corrects = rule % 2 == 0;
  if (node.has(kDecay) == decays && node.has(kRate) == corrects) return absl::OkStatus();
  return invalid("this update_rule takes ", decays ? "" : "no ", "decay and ", corrects ? "" : "no ", "beta");
}

/// The shapes of LinearAttention's operands, checked.
absl::StatusOr<LinearAttention> readLinearAttention(const NodeContext &node) {
  HONE_RETURN_IF_ERROR(checkUpdateRule(node));
  HONE_ASSIGN_OR_RETURN(int64_t queryHeads, node.integer("q_num_heads"));
  HONE_ASSIGN_OR_RETURN(int64_t heads, node.integer("kv_num_heads"));
  const Shape &query = node.shape(0), &key = node.shape(1), &value = node.shape(2);
  const bool fits = heads > 0 && queryHeads > 0 && queryHeads % heads == 0 && query.size() == 3 && key.size() == 3 &&
                    value.size() == 3 && query[2] % queryHeads == 0 && value[2] % heads == 0 &&
                    key == Shape{query[0], query[1], query[2] / queryHeads * heads} && value[0] == key[0] &&
                    value[1] == key[1];
  if (!fits) {
    return invalid("queries ", graph::shapeText(query), ", keys ", graph::shapeText(key), " and values ",
                   graph::shapeText(value), " do not go together with ", queryHeads, " and ", heads, " heads");
  }
  LinearAttention result;
  result.dtype = node.dtype(0) == DType::F64 ? DType::F64 : DType::F32;
  result.batch = query[0];
  result.steps = query[1];
  result.heads = heads;
  result.group = queryHeads / heads;
  result.keySize = query[2] / queryHeads;
  result.valueSize = value[2] / heads;
  result.hasState = node.has(kState);
  HONE_ASSIGN_OR_RETURN(result.scale, node.real("scale", 0.0));
  if (result.scale == 0) result.scale = 1 / std::sqrt(static_cast<double>(result.keySize));
  const auto check = [&](int position, const Shape &shape, const Shape &other) -> absl::Status {
    if (!node.has(position) || node.shape(position) == shape || node.shape(position) == other) return absl::OkStatus();
    return invalid("operand ", position, " has shape ", graph::shapeText(node.shape(position)), " instead of ",
                   graph::shapeText(shape), " or ", graph::shapeText(other));
  };
  const Shape state = {query[0], heads, result.keySize, result.valueSize};
  HONE_RETURN_IF_ERROR(check(kState, state, state));
  HONE_RETURN_IF_ERROR(check(kDecay, {query[0], query[1], heads}, key));
  HONE_RETURN_IF_ERROR(check(kRate, {query[0], query[1], heads}, {query[0], query[1], 1}));
  if (node.has(kDecay)) result.decays = node.shape(kDecay)[2] / heads;
  if (node.has(kRate)) result.rates = node.shape(kRate)[2];
  return result;
}

}  // namespace

Result importLinearAttention(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(LinearAttention attention, readLinearAttention(node));
  std::vector<Result> operands;
  for (int i = 0; i < node.inputCount(); ++i) {
    if (node.has(i)) operands.push_back(build.cast(node.input(i), attention.dtype));
  }
  Result rows = build.compute(linearAttentionKernel(attention), operands);
  const auto part = [&](int64_t first, int64_t count) {
    return build.slice(rows, {first, 0}, {1, 1}, {count, attention.valueSize});
  };
  const int64_t queryHeads = attention.heads * attention.group;
  Result output = build.reshape(part(0, attention.outputRows()),
                                {attention.batch, attention.steps, queryHeads * attention.valueSize});
  Result last = build.reshape(part(attention.outputRows(), attention.stateRows()),
                              {attention.batch, attention.heads, attention.keySize, attention.valueSize});
  HONE_ASSIGN_OR_RETURN(ValueId state, build.cast(last, node.has(kState) ? node.dtype(kState) : node.dtype(0)));
  node.addOutput(state);
  return build.cast(output, node.dtype(0));
}

// A convolution of each channel with what came before; the last inputs are the next call's past.
Result importCausalConvWithState(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(size_t activation, node.choice("activation", {"none", "silu", "swish"}));
  const Shape data = node.shape(0), weight = node.shape(1);
  if (data.size() != 3 || weight.size() != 3 || weight[0] != data[1] || weight[1] != 1) {
    return invalid("data ", graph::shapeText(data), " and weights ", graph::shapeText(weight),
                   " are not [batch, channels, length] and [channels, 1, taps]");
  }
  const int64_t past = weight[2] - 1;
  Result before =
      node.has(3) ? Result(node.input(3)) : build.broadcast(build.number(node.dtype(0), 0), {data[0], data[1], past});
  HONE_ASSIGN_OR_RETURN(ValueId whole, build.concat({before, node.input(0)}, 2));
  if (build.shape(whole) != Shape{data[0], data[1], data[2] + past}) {
    return invalid("the past is ", graph::shapeText(node.shape(3)), " instead of ",
                   graph::shapeText({data[0], data[1], past}));
  }
  std::vector<Result> bias;
  if (node.has(2)) bias.emplace_back(node.input(2));
  Result result = build.conv(whole, node.input(1), bias, {{1}, {1}, {0, 0}, data[1]});
  if (node.isOutputUsed(1)) {
    HONE_ASSIGN_OR_RETURN(ValueId state, build.slice(whole, {0, 0, data[2]}, {1, 1, 1}, {data[0], data[1], past}));
    node.addOutput(state);
  }
  return activation == 0 ? result : swish(build, result, 1);
}

}  // namespace hone::frontend
