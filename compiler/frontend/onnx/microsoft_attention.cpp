// ONNX Runtime's attention operators: the projection, the packing of queries, keys and values, masks and caches each in
// their own form. What is left is attend().
#include <algorithm>
#include <cmath>
#include <limits>

#include "compiler/base/status.h"
#include "compiler/frontend/build/attention.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/build/rotary.h"
#include "compiler/frontend/build/sequence_cache.h"
#include "compiler/frontend/onnx/microsoft_operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

/// \p extent elements of \p axis from \p start on.
Result part(Builder &build, const Result &data, int64_t axis, int64_t start, int64_t extent) {
  if (!data.ok()) return data;
  Shape extents = build.shape(*data), starts(extents.size(), 0);
  const Shape steps(extents.size(), 1);
  const auto along = static_cast<size_t>(axis);
  if (start + extent > extents[along]) {
    return invalid("shape ", graph::shapeText(extents), " has no ", extent, " elements behind ", start, " on axis ",
                   axis);
  }
  starts[along] = start;
  extents[along] = extent;
  return build.slice(data, starts, steps, extents);
}

/// The operands at \p positions, if they are there, and why they are not supported.
absl::Status refuseOperands(const NodeContext &node, std::initializer_list<int> positions, std::string_view what) {
  for (const int position : positions) {
    if (!node.has(position)) continue;
    return unsupported("operand ", position, " (", std::string(what),
                       "); export the model without it, or give it as it was in front of ONNX Runtime's optimiser");
  }
  return absl::OkStatus();
}

absl::Status refuseAttribute(const NodeContext &node, const char *name, int64_t harmless) {
  HONE_ASSIGN_OR_RETURN(int64_t value, node.integer(name, harmless));
  if (value == harmless) return absl::OkStatus();
  return unsupported("attribute '", name, "' is ", value, "; ", harmless, " is supported");
}

/// The scale of the scores, by the size of a head where it is not given; 0 stands for that, too.
absl::Status readScale(const NodeContext &node, Attention &attention) {
  if (!attention.query.ok()) return attention.query.status();
  HONE_ASSIGN_OR_RETURN(attention.scale, node.real("scale", 0.0));
  const double size = static_cast<double>(node.build.shape(*attention.query).back());
  if (attention.scale == 0) attention.scale = 1 / std::sqrt(size);
  return absl::OkStatus();
}

/// The mask of samples [batch], [2 * batch], [batch, keys] or [batch, queries, keys]: what masked keys get added to
/// their scores.
Result maskAsBias(NodeContext &node, int position, int64_t batch, int64_t keys, DType dtype) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double masked, node.real("mask_filter_value", -10000.0));
  const Shape shape = node.shape(position);
  Result mask = build.cast(node.input(position), DType::I64), isSeen = mask;
  const auto bounds = [&](int64_t first) {
    return build.reshape(part(build, mask, 0, first, batch), {batch, 1, 1, 1});
  };
  if (shape == Shape{batch} || shape == Shape{2 * batch}) {
    Result places = positions(build, DType::I64, keys, 0);
    isSeen = build.apply(Op::Less, {places, bounds(0)});
    if (shape[0] != batch) isSeen = build.apply(Op::And, {isSeen, build.apply(Op::LessEqual, {bounds(batch), places})});
  } else if (shape.size() == 2 || shape.size() == 3) {
    Shape wide = {shape[0], 1, shape.size() == 2 ? 1 : shape[1], shape.back()};
    isSeen = build.apply(Op::Less, {build.integer(DType::I64, 0), build.reshape(mask, wide)});
  } else {
    return unsupported("a mask of shape ", graph::shapeText(shape),
                       "; [batch], [2 * batch], [batch, keys] and [batch, queries, keys] are supported");
  }
  return build.apply(Op::Select, {isSeen, build.number(dtype, 0), build.number(dtype, masked)});
}

/// What is added to the scores: the mask at \p mask and the bias at \p bias, where there are any.
absl::Status readBias(NodeContext &node, int mask, int bias, Attention &attention) {
  Builder &build = node.build;
  if (!attention.key.ok()) return attention.key.status();
  const DType dtype = build.dtype(*attention.key);
  const Shape key = build.shape(*attention.key);
  if (node.has(mask)) attention.bias = maskAsBias(node, mask, key[0], key[2], dtype);
  if (node.has(bias)) {
    attention.bias = attention.bias ? build.apply(Op::Add, {*attention.bias, node.input(bias)}) : node.input(bias);
  }
  return absl::OkStatus();
}

/// Hides what comes after a query, which stands behind \p past keys.
absl::Status readCausal(NodeContext &node, int64_t past, Attention &attention) {
  HONE_ASSIGN_OR_RETURN(int64_t causal, node.integer("unidirectional", 0));
  if (causal == 0) return absl::OkStatus();
  Builder &build = node.build;
  KeyRange range{build.shape(*attention.query)[2],
                 build.shape(*attention.key)[2],
                 -1,
                 0,
                 build.integer(DType::I64, past),
                 std::nullopt};
  attention.visible = visibleKeys(build, range);
  return absl::OkStatus();
}

/// The operands of Attention and QAttention behind the projection.
struct PackedOperands {
  int mask, past, bias;
};
constexpr int kNowhere = 1 << 20;  ///< the place of an operand that this operator does not have

/// Attention of \p projected [batch, length, queries and keys and values].
Result packedAttention(NodeContext &node, Result projected, const PackedOperands &operands) {
  Builder &build = node.build;
  HONE_RETURN_IF_ERROR(refuseAttribute(node, "do_rotary", 0));
  HONE_RETURN_IF_ERROR(refuseAttribute(node, "past_present_share_buffer", 0));
  HONE_ASSIGN_OR_RETURN(int64_t heads, node.integer("num_heads"));
  if (!projected.ok()) return projected;
  const Shape shape = build.shape(*projected);
  std::vector<int64_t> sizes(3, shape.back() / 3);
  if (node.hasAttribute("qkv_hidden_sizes")) {
    HONE_ASSIGN_OR_RETURN(sizes, node.integers("qkv_hidden_sizes"));
  }
  const bool fits = shape.size() == 3 && sizes.size() == 3 && *std::min_element(sizes.begin(), sizes.end()) > 0 &&
                    *std::max_element(sizes.begin(), sizes.end()) < shape[2] &&
                    sizes[0] + sizes[1] + sizes[2] == shape[2];
  if (!fits) {
    return invalid("the projection ", graph::shapeText(shape), " does not divide into ", graph::shapeText(sizes));
  }
  const auto headsFrom = [&](int64_t start, int64_t size) {
    return splitHeads(build, part(build, projected, 2, start, size), heads);
  };
  Attention attention;
  attention.query = headsFrom(0, sizes[0]);
  attention.key = headsFrom(sizes[0], sizes[1]);
  attention.value = headsFrom(sizes[0] + sizes[1], sizes[2]);
  int64_t past = 0;
  if (node.has(operands.past)) {
    const Shape pastShape = node.shape(operands.past);
    if (pastShape.size() != 5 || pastShape[0] != 2) {
      return invalid("the past ", graph::shapeText(pastShape), " is not [2, batch, heads, length, size]");
    }
    past = pastShape[3];
    const Shape single(pastShape.begin() + 1, pastShape.end());
    const auto before = [&](int64_t which) {
      return build.reshape(part(build, node.input(operands.past), 0, which, 1), single);
    };
    attention.key = build.concat({before(0), attention.key}, 2);
    attention.value = build.concat({before(1), attention.value}, 2);
  }
  HONE_RETURN_IF_ERROR(readScale(node, attention));
  HONE_RETURN_IF_ERROR(readBias(node, operands.mask, operands.bias, attention));
  HONE_RETURN_IF_ERROR(readCausal(node, past, attention));
  attention.zeroesHidden = false;
  if (node.isOutputUsed(1)) {
    Shape stacked = build.shape(*attention.key);
    stacked.insert(stacked.begin(), 1);
    HONE_ASSIGN_OR_RETURN(
        ValueId present,
        build.concat({build.reshape(attention.key, stacked), build.reshape(attention.value, stacked)}, 0));
    node.addOutput(present);
  }
  return mergeHeads(build, attend(build, attention).output);
}

}  // namespace

// The operator Attention of this domain.
Result importPackedAttention(NodeContext &node) {
  constexpr int kBias = 2;
  Builder &build = node.build;
  HONE_RETURN_IF_ERROR(refuseOperands(node, {6}, "past_sequence_length, of a buffer that is shared"));
  Result projected = build.matMul(node.input(0), node.input(1));
  if (node.has(kBias)) projected = build.apply(Op::Add, {projected, node.input(kBias)});
  return packedAttention(node, projected, {3, 4, 5});
}

// Data and weights are integers; their product is exact.
Result importQAttention(NodeContext &node) {
  constexpr int kBias = 2, kDataScale = 3, kWeightScale = 4, kDataZero = 6, kWeightZero = 7;
  Builder &build = node.build;
  const auto centred = [&](int position, int zero) {
    Result data = build.cast(node.input(position), DType::I32);
    if (!node.has(zero)) return data;
    return build.apply(Op::Sub, {data, build.cast(node.input(zero), DType::I32)});
  };
  Result sum = build.matMul(centred(0, kDataZero), centred(1, kWeightZero));
  Result scale = build.apply(Op::Mul, {node.input(kDataScale), node.input(kWeightScale)});
  Result real = build.apply(Op::Mul, {build.cast(sum, node.dtype(kDataScale)), scale});
  return packedAttention(node, build.apply(Op::Add, {real, node.input(kBias)}), {5, 8, kNowhere});
}

namespace {

/// Queries, keys and values of MultiHeadAttention with heads, whichever way they are packed, with their biases.
class MultiHeadOperands {
 public:
  MultiHeadOperands(NodeContext &node, int64_t heads) : node_(node), build_(node.build), heads_(heads) {}

  absl::Status read(Attention &attention) const {
    if (node_.rank(0) == 5) {  // [batch, length, heads, 3, size]
      attention.query = packed(0, 0);
      attention.key = packed(0, 1);
      attention.value = packed(0, 2);
      return absl::OkStatus();
    }
    if (node_.rank(0) != 3 || !node_.has(1)) return invalid("takes queries of 3 dims with keys, or all packed in 5");
    const int64_t hidden = node_.shape(0)[2];
    attention.query = withHeads(0, 0);
    if (node_.rank(1) == 5) {  // [batch, length, heads, 2, size]
      attention.key = packed(1, 0);
      attention.value = packed(1, 1);
      return absl::OkStatus();
    }
    if (!node_.has(2)) return invalid("has keys without values");
    // Of 4 dims they are those that an encoder has left.
    attention.key = node_.rank(1) == 4 ? Result(node_.input(1)) : withHeads(1, hidden);
    attention.value = node_.rank(2) == 4 ? Result(node_.input(2)) : withHeads(2, 2 * hidden);
    return absl::OkStatus();
  }

 private:
  static constexpr int kBias = 3;

  Result packed(int position, int64_t which) const {
    if (node_.has(kBias)) return unsupported("a bias of packed operands");
    const Shape shape = node_.shape(position);
    Result single = part(build_, node_.input(position), 3, which, 1);
    return build_.transpose(build_.reshape(single, {shape[0], shape[1], shape[2], shape[4]}), {0, 2, 1, 3});
  }
  Result withHeads(int position, int64_t biasStart) const {
    Result data = node_.input(position);
    if (node_.has(kBias)) {
      Result bias = part(build_, node_.input(kBias), 0, biasStart, node_.shape(position).back());
      data = build_.apply(Op::Add, {data, bias});
    }
    return splitHeads(build_, data, heads_);
  }

  NodeContext &node_;
  Builder &build_;
  int64_t heads_;
};

}  // namespace

Result importMultiHeadAttention(NodeContext &node) {
  constexpr int kMask = 4, kBias = 5, kPastKey = 6, kPastValue = 7;
  Builder &build = node.build;
  HONE_RETURN_IF_ERROR(refuseOperands(node, {8, 9}, "of a buffer that is shared"));
  HONE_ASSIGN_OR_RETURN(int64_t heads, node.integer("num_heads"));
  Attention attention;
  HONE_RETURN_IF_ERROR(MultiHeadOperands(node, heads).read(attention));
  if (node.has(kPastKey) != node.has(kPastValue)) return invalid("past keys and past values are given together");
  int64_t past = 0;
  if (node.has(kPastKey)) {
    if (node.rank(kPastKey) != 4) return invalid("past keys have shape ", graph::shapeText(node.shape(kPastKey)));
    past = node.shape(kPastKey)[2];
    attention.key = build.concat({node.input(kPastKey), attention.key}, 2);
    attention.value = build.concat({node.input(kPastValue), attention.value}, 2);
  }
  HONE_RETURN_IF_ERROR(readScale(node, attention));
  HONE_RETURN_IF_ERROR(readBias(node, kMask, kBias, attention));
  HONE_RETURN_IF_ERROR(readCausal(node, past, attention));
  attention.zeroesHidden = false;
  AttentionValues values = attend(build, attention);
  // As an output, scores that do not count are not infinite.
  const DType dtype = node.dtype(0);
  const double lowest = dtype == DType::F16 ? -65504.0 : std::numeric_limits<float>::lowest();
  Result scores = build.apply(Op::Max, {values.masked, build.number(dtype, lowest)});
  for (const Result &output : {attention.key, attention.value, scores}) {
    if (!output.ok()) return output;
    node.addOutput(*output);
  }
  return mergeHeads(build, values.output);
}

namespace {

/// Rows of the tables of cosines and sines for \p places [batch or 1, length], beside data with heads.
absl::StatusOr<Rotation> rotationAt(NodeContext &node, int cosine, int sine, const Result &places, bool isLengthFirst) {
  Builder &build = node.build;
  if (node.rank(cosine) != 2 || node.shape(sine) != node.shape(cosine)) {
    return invalid("cosines ", graph::shapeText(node.shape(cosine)), " and sines ", graph::shapeText(node.shape(sine)),
                   " are not [places, angles]");
  }
  if (!places.ok()) return places.status();
  const int64_t angles = node.shape(cosine)[1], batch = build.shape(*places)[0], length = build.shape(*places)[1];
  const Shape shape = isLengthFirst ? Shape{batch, length, 1, angles} : Shape{batch, 1, length, angles};
  const auto rows = [&](int position) { return build.reshape(build.gather(node.input(position), places, 0), shape); };
  return Rotation{rows(cosine), rows(sine), 2 * angles, false};
}

}  // namespace

// (data, places, cosines, sines): the form in which the table's width says how much of a head is turned.
Result importRotaryEmbeddingOfPositions(NodeContext &node) {
  Builder &build = node.build;
  HONE_RETURN_IF_ERROR(refuseAttribute(node, "is_packed_batching", 0));
  HONE_ASSIGN_OR_RETURN(double scale, node.real("scale", 1.0));
  if (scale != 1) return unsupported("attribute 'scale' is ", scale, "; 1 is supported");
  HONE_ASSIGN_OR_RETURN(int64_t heads, node.integer("num_heads", 0));
  HONE_ASSIGN_OR_RETURN(int64_t interleaved, node.integer("interleaved", 0));
  const Shape shape = node.shape(0);
  const bool isPacked = shape.size() == 3;
  if (!isPacked && shape.size() != 4) return invalid("takes 3 or 4 dims, not shape ", graph::shapeText(shape));
  const int64_t length = isPacked ? shape[1] : shape[2];
  Result places = build.cast(node.input(1), DType::I64);
  if (build.type(node.input(1)).elements() == 1) {
    // The place of the first element; the others follow.
    Result further = build.reshape(positions(build, DType::I64, length, 0), {1, length});
    places = build.apply(Op::Add, {further, build.reshape(places, {})});
  } else if (node.shape(1) != Shape{shape[0], length}) {
    return invalid("the places ", graph::shapeText(node.shape(1)), " are not ", graph::shapeText({shape[0], length}));
  }
  HONE_ASSIGN_OR_RETURN(Rotation rotation, rotationAt(node, 2, 3, places, isPacked));
  rotation.isInterleaved = interleaved != 0;
  Result data = node.input(0);
  if (isPacked) {
    if (heads == 0) heads = shape[2] / rotation.size;
    if (heads < 1 || shape[2] % heads != 0) return invalid(shape[2], " elements do not divide into ", heads, " heads");
    data = build.reshape(data, {shape[0], length, heads, shape[2] / heads});
  }
  return build.reshape(rotate(build, data, rotation), shape);
}

namespace {

/// GroupQueryAttention: where its operands are, and what follows from them.
class GroupQuery {
 public:
  explicit GroupQuery(NodeContext &node) : node_(node), build_(node.build) {}

  Result run() {
    HONE_RETURN_IF_ERROR(refuse());
    HONE_RETURN_IF_ERROR(readOperands());
    HONE_RETURN_IF_ERROR(readPlaces());
    HONE_RETURN_IF_ERROR(turn());
    HONE_ASSIGN_OR_RETURN(ValueId key, present(attention_.key, kPastKey));
    HONE_ASSIGN_OR_RETURN(ValueId value, present(attention_.value, kPastValue));
    attention_.key = part(build_, key, 2, 0, total_);
    attention_.value = part(build_, value, 2, 0, total_);
    HONE_RETURN_IF_ERROR(readVisible());
    if (node_.has(kBias)) attention_.bias = node_.input(kBias);
    HONE_RETURN_IF_ERROR(readScale(node_, attention_));
    HONE_ASSIGN_OR_RETURN(attention_.softcap, node_.real("softcap", 0.0));
    node_.addOutput(key);
    node_.addOutput(value);
    return mergeHeads(build_, attend(build_, attention_).output);
  }

 private:
  static constexpr int kPastKey = 3, kPastValue = 4, kLengths = 5, kTotal = 6, kCosine = 7, kSine = 8, kPlaces = 9,
                       kBias = 10;

  absl::Status refuse() const {
    HONE_RETURN_IF_ERROR(requireOperands(node_, {kLengths, kTotal}));
    HONE_RETURN_IF_ERROR(refuseOperands(node_, {11}, "head_sink"));
    HONE_RETURN_IF_ERROR(refuseOperands(node_, {12, 13}, "scales of a quantised cache"));
    HONE_RETURN_IF_ERROR(refuseOperands(node_, {14, 15}, "weights of norms of queries and keys"));
    HONE_RETURN_IF_ERROR(refuseOperands(node_, {16}, "query_seqlens"));
    HONE_RETURN_IF_ERROR(refuseAttribute(node_, "sliding_window_cache", 0));
    HONE_ASSIGN_OR_RETURN(int64_t smooth, node_.integer("smooth_softmax", 0));
    if (smooth > 0) return unsupported("attribute 'smooth_softmax' is ", smooth);
    return absl::OkStatus();
  }

  absl::Status readOperands() {
    HONE_ASSIGN_OR_RETURN(int64_t heads, node_.integer("num_heads"));
    HONE_ASSIGN_OR_RETURN(int64_t keyHeads, node_.integer("kv_num_heads"));
    if (node_.rank(0) != 3 || heads < 1 || keyHeads < 1 || node_.has(1) != node_.has(2)) {
      return invalid("takes queries, keys and values of 3 dims, or all in one, with heads; not shape ",
                     graph::shapeText(node_.shape(0)), " with ", heads, " and ", keyHeads, " heads");
    }
    Result query = node_.input(0), key = query, value = query;
    if (node_.has(1)) {
      key = node_.input(1);
      value = node_.input(2);
    } else {
      const int64_t size = node_.shape(0)[2] / (heads + 2 * keyHeads);
      key = part(build_, query, 2, heads * size, keyHeads * size);
      value = part(build_, query, 2, (heads + keyHeads) * size, keyHeads * size);
      query = part(build_, query, 2, 0, heads * size);
    }
    attention_.query = splitHeads(build_, query, heads);
    attention_.key = splitHeads(build_, key, keyHeads);
    attention_.value = splitHeads(build_, value, keyHeads);
    for (const Result *operand : {&attention_.query, &attention_.key, &attention_.value}) {
      if (!operand->ok()) return operand->status();
    }
    batch_ = build_.shape(*attention_.query)[0];
    queries_ = build_.shape(*attention_.query)[2];
    if (build_.shape(*attention_.key)[2] != queries_) return invalid("there are as many new keys as queries");
    return absl::OkStatus();
  }

  /// How many keys there are altogether, and in each sample before the first query.
  absl::Status readPlaces() {
    HONE_ASSIGN_OR_RETURN(total_, node_.constantInteger(kTotal, "total_sequence_length"));
    if (build_.type(node_.input(kLengths)).elements() != batch_ || total_ < queries_) {
      return invalid("lengths ", graph::shapeText(node_.shape(kLengths)), " of at most ", total_, " keys for ", batch_,
                     " samples of ", queries_, " queries");
    }
    Result last = build_.cast(build_.reshape(node_.input(kLengths), {batch_}), DType::I64);
    lengths_ = build_.apply(Op::Add, {last, build_.integer(DType::I64, 1)});
    // The first call of a sequence fills the cache from the start, however short its samples are.
    first_ = isFirstCall() ? build_.broadcast(build_.integer(DType::I64, 0), {batch_})
                           : build_.apply(Op::Sub, {lengths_, build_.integer(DType::I64, queries_)});
    return first_.ok() ? absl::OkStatus() : first_.status();
  }

  /// The places of the queries in their sequences. Of those that a first call is given, only the very first counts.
  Result places() {
    Result counted =
        build_.apply(Op::Add, {build_.reshape(first_, {batch_, 1}), positions(build_, DType::I64, queries_, 0)});
    if (!node_.has(kPlaces)) return counted;
    if (node_.rank(kPlaces) != 2) return invalid("places have shape ", graph::shapeText(node_.shape(kPlaces)));
    Result given = build_.cast(node_.input(kPlaces), DType::I64);
    if (!isFirstCall()) return given;
    Result start = part(build_, part(build_, given, 0, 0, 1), 1, 0, 1);
    return build_.apply(Op::Add, {counted, start});
  }

  /// Queries and keys by their places.
  absl::Status turn() {
    HONE_ASSIGN_OR_RETURN(int64_t rotary, node_.integer("do_rotary", 0));
    if (rotary == 0) return absl::OkStatus();
    if (!node_.has(kCosine) || !node_.has(kSine)) return invalid("do_rotary needs tables of cosines and sines");
    HONE_ASSIGN_OR_RETURN(int64_t interleaved, node_.integer("rotary_interleaved", 0));
    HONE_ASSIGN_OR_RETURN(Rotation rotation, rotationAt(node_, kCosine, kSine, places(), false));
    rotation.isInterleaved = interleaved != 0;
    attention_.query = rotate(build_, attention_.query, rotation);
    attention_.key = rotate(build_, attention_.key, rotation);
    return absl::OkStatus();
  }

  /// The cache at \p past with what is new, as long as the cache or as all keys.
  Result present(const Result &fresh, int past) {
    if (!fresh.ok()) return fresh;
    if (!node_.has(past) || build_.type(node_.input(past)).elements() == 0) {
      if (isFirstCall()) return fresh;
      return invalid(total_, " keys, but only the ", queries_, " new ones are given");
    }
    const Shape shape = node_.shape(past);
    if (shape.size() != 4) return invalid("the past has shape ", graph::shapeText(shape));
    graph::PadAttributes behind{Shape(8, 0), graph::PadMode::Constant, 0};
    behind.pads[6] = std::max<int64_t>(total_ - shape[2], 0);
    return writeIntoCache(build_, build_.pad(node_.input(past), behind), fresh, first_, 2, CacheEnd::Cleared);
  }

  absl::Status readVisible() {
    HONE_ASSIGN_OR_RETURN(int64_t causal, node_.integer("causal", 1));
    HONE_ASSIGN_OR_RETURN(int64_t window, node_.integer("local_window_size", -1));
    KeyRange range{queries_, total_, -1, -1, build_.reshape(first_, {batch_, 1, 1, 1}), std::nullopt};
    if (causal != 0) range.right = 0;
    if (window > 0) range.left = std::min(window - 1, total_);
    if (causal == 0) range.lengths = build_.reshape(lengths_, {batch_, 1, 1, 1});
    attention_.visible = visibleKeys(build_, range);
    return absl::OkStatus();
  }

  bool isFirstCall() const { return total_ == queries_; }

  NodeContext &node_;
  Builder &build_;
  Attention attention_;
  int64_t batch_ = 1, queries_ = 1, total_ = 1;
  Result lengths_, first_;
};

}  // namespace

Result importGroupQueryAttention(NodeContext &node) { return GroupQuery(node).run(); }

}  // namespace hone::frontend
