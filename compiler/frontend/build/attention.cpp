#include "compiler/frontend/build/attention.h"

#include <limits>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/infer.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

constexpr double kHidden = -std::numeric_limits<double>::infinity();

/// How heads lie in the products: where several queries' heads share one of the keys', they are a dim of their own, for
/// which the keys are broadcast; with a single query they are the rows of one product.
class HeadGroups {
 public:
  HeadGroups(Builder &build, const Shape &query, int64_t keyHeads)
      : build_(build), heads_(query[1]), keyHeads_(keyHeads), isSingle_(query[2] == 1) {}

  /// [batch, heads or 1, queries or 1, columns], also with fewer dims, as it lies beside the scores.
  Result grouped(Result data) const {
    if (!data.ok() || isPlain()) return data;
    Shape shape = build_.shape(*data);
    shape.insert(shape.begin(), 4 - shape.size(), 1);
    const bool isShared = shape[1] == 1;
    Shape result = {shape[0], isShared ? 1 : keyHeads_, isShared ? 1 : heads_ / keyHeads_};
    if (!isSingle_) result.push_back(shape[2]);
    result.push_back(shape[3]);
    return build_.reshape(std::move(data), result);
  }
  /// Keys and values: [batch, heads, keys, size].
  Result groupedKeys(Result data) const {
    if (!data.ok() || isPlain() || isSingle_) return data;
    const Shape &shape = build_.shape(*data);
    return build_.reshape(std::move(data), {shape[0], shape[1], 1, shape[2], shape[3]});
  }
  /// The inverse of grouped().
  Result separate(Result data) const {
    if (!data.ok() || isPlain()) return data;
    const Shape &shape = build_.shape(*data);
    return build_.reshape(std::move(data), {shape[0], heads_, isSingle_ ? 1 : shape[3], shape.back()});
  }

 private:
  bool isPlain() const { return heads_ == keyHeads_; }

  Builder &build_;
  int64_t heads_, keyHeads_;
  bool isSingle_;
};

absl::Status checkOperands(Builder &build, const Attention &attention) {
  for (const Result *operand : {&attention.query, &attention.key, &attention.value}) {
    if (!operand->ok()) return operand->status();
    if (build.rank(**operand) != 4) {
      return invalid("queries, keys and values need 4 dims, not ", graph::shapeText(build.shape(**operand)));
    }
  }
  const Shape &query = build.shape(*attention.query), &key = build.shape(*attention.key);
  const Shape &value = build.shape(*attention.value);
  if (key[1] < 1 || query[1] % key[1] != 0 || value[1] != key[1] || value[2] != key[2] || query[0] != key[0] ||
      query[0] != value[0]) {
    return invalid("queries ", graph::shapeText(query), ", keys ", graph::shapeText(key), " and values ",
                   graph::shapeText(value), " do not go together");
  }
  for (const std::optional<Result> *operand : {&attention.bias, &attention.visible}) {
    if (!*operand) continue;
    if (!(*operand)->ok()) return (*operand)->status();
    const Shape scores = {query[0], query[1], query[2], key[2]};
    if (!graph::broadcastsTo(build.shape(***operand), scores)) {
      return invalid("a mask of shape ", graph::shapeText(build.shape(***operand)),
                     " does not broadcast to the scores' ", graph::shapeText(scores));
    }
  }
  return absl::OkStatus();
}

/// Whether a row of scores has nothing that is seen, as [batch, heads, queries, 1]; nothing where no row is like that.
std::optional<Result> hiddenRows(Builder &build, DType dtype, const std::optional<Result> &bias,
                                 const std::optional<Result> &visible) {
  if (!bias && !visible) return std::nullopt;
  Result added = bias ? *bias : build.number(dtype, 0);
  if (visible) added = build.apply(Op::Select, {*visible, added, build.number(dtype, kHidden)});
  if (!added.ok()) return added;
  Result highest = build.reduce(graph::ReduceKind::Max, added, {build.rank(*added) - 1}, true);
  Result isHidden = build.apply(Op::Equal, {highest, build.number(dtype, kHidden)});
  if (!isHidden.ok()) return isHidden;
  const graph::ConstantData *known = build.constant(*isHidden);
  if (known == nullptr) return isHidden;
  for (int64_t i = 0; i < known->type.elements(); ++i) {
    if (graph::elementAsInteger(*known, i) != 0) return isHidden;
  }
  return std::nullopt;
}

}  // namespace

Result splitHeads(Builder &build, Result data, int64_t heads) {
  if (!data.ok()) return data;
  const Shape &shape = build.shape(*data);
  if (shape.size() != 3 || heads < 1 || shape[2] % heads != 0) {
    return invalid("shape ", graph::shapeText(shape), " does not divide into ", heads, " heads");
  }
  return build.transpose(build.reshape(data, {shape[0], shape[1], heads, shape[2] / heads}), {0, 2, 1, 3});
}

Result mergeHeads(Builder &build, Result data) {
  if (!data.ok()) return data;
  const Shape shape = build.shape(*data);
  return build.reshape(build.transpose(std::move(data), {0, 2, 1, 3}), {shape[0], shape[2], shape[1] * shape[3]});
}

std::optional<Result> visibleKeys(Builder &build, const KeyRange &range) {
  std::optional<Result> visible;
  const auto require = [&](Result condition) { visible = bothVisible(build, visible, std::move(condition)); };
  const auto number = [&](int64_t value) { return build.integer(DType::I64, value); };
  Result keys = positions(build, DType::I64, range.keys, 0);
  Result places = build.apply(Op::Add, {positions(build, DType::I64, range.queries, 1), range.first});
  if (range.right >= 0) {
    require(build.apply(Op::LessEqual, {keys, build.apply(Op::Add, {places, number(range.right)})}));
  }
  if (range.left >= 0) {
    require(build.apply(Op::LessEqual, {build.apply(Op::Sub, {places, number(range.left)}), keys}));
  }
  if (range.lengths) require(build.apply(Op::Less, {keys, *range.lengths}));
  return visible;
}

std::optional<Result> bothVisible(Builder &build, std::optional<Result> a, std::optional<Result> b) {
  if (!a || !b) return a ? a : b;
  return build.apply(Op::And, {*std::move(a), *std::move(b)});
}

AttentionValues attend(Builder &build, const Attention &attention) {
  if (absl::Status status = checkOperands(build, attention); !status.ok()) {
    return {status, status, status, status, status};
  }
  const DType dtype = build.dtype(*attention.query);
  const DType wide = accumulatorOf(dtype);
  const auto number = [&](double value) { return build.number(dtype, value); };
  // Formulas of several steps round a short float once.
  const auto times = [&](Result value, double factor) {
    return build.apply(Op::Mul, {build.cast(std::move(value), wide), build.number(wide, factor)});
  };
  const HeadGroups groups(build, build.shape(*attention.query), build.shape(*attention.key)[1]);
  std::optional<Result> bias, visible;
  if (attention.bias) bias = groups.grouped(*attention.bias);
  if (attention.visible) visible = groups.grouped(*attention.visible);

  AttentionValues values;
  Result query = groups.grouped(attention.query), key = groups.groupedKeys(attention.key);
  // Behind the product the scale costs nothing; but products of short floats may be out of their range without it.
  const bool scalesQuery = wide != dtype;
  if (scalesQuery) query = build.cast(times(query, attention.scale), dtype);
  values.scores = build.matMul(query, key, false, true);
  if (!scalesQuery) values.scores = times(values.scores, attention.scale);
  values.capped = values.scores;
  if (attention.softcap > 0) {
    Result part = build.apply(Op::Tanh, {times(values.scores, 1 / attention.softcap)});
    values.capped = build.cast(times(part, attention.softcap), dtype);
  }
  values.masked = values.capped;
  if (bias) values.masked = build.apply(Op::Add, {values.masked, *bias});
  if (visible) values.masked = build.apply(Op::Select, {*visible, values.masked, number(kHidden)});
  if (!values.masked.ok()) return {values.masked, values.masked, values.masked, values.masked, values.masked};
  const auto changed = [&](const std::function<Result(Result)> &change, Result rows) {
    return change ? groups.grouped(change(groups.separate(std::move(rows)))) : rows;
  };
  Result rows = changed(attention.changeScores, build.cast(values.masked, attention.softmaxType.value_or(dtype)));
  rows = build.softmax(graph::Op::Softmax, rows, build.rank(*values.masked) - 1);
  values.probabilities = build.cast(changed(attention.changeProbabilities, rows), dtype);
  values.output = build.matMul(values.probabilities, groups.groupedKeys(attention.value));
  std::optional<Result> hidden;
  if (attention.zeroesHidden) hidden = hiddenRows(build, dtype, bias, visible);
  if (hidden) {
    // Their softmax is 0 / 0; of the product with the values, which is narrower, nothing is kept either.
    values.probabilities = build.apply(Op::Select, {*hidden, number(0), values.probabilities});
    values.output = build.apply(Op::Select, {*hidden, number(0), values.output});
  }
  for (Result *value : {&values.scores, &values.capped, &values.masked, &values.probabilities, &values.output}) {
    *value = groups.separate(*value);
  }
  return values;
}

}  // namespace hone::frontend
