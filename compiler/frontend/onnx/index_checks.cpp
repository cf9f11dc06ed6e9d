#include "compiler/frontend/onnx/index_checks.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/graph/constants.h"

namespace hone::frontend {
namespace {

/// Operand \p indices holds places along \p axes of operand \p data. With isTuple its last dim has one for each axis.
struct IndexUse {
  int data, indices;
  std::vector<int64_t> axes;
  bool isTuple = false;
};

using Uses = absl::StatusOr<std::vector<IndexUse>>;

/// Rows of a table.
template <int data, int indices>
Uses rows(const NodeContext &) {
  return std::vector<IndexUse>{{data, indices, {0}}};
}

Uses alongAxis(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", 0));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  return std::vector<IndexUse>{{0, 1, {axis}}};
}

Uses alongLast(const NodeContext &node) { return std::vector<IndexUse>{{0, 1, {node.rank(0) - 1}}}; }

Uses tuples(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t first, node.integer("batch_dims", 0));
  std::vector<int64_t> axes(static_cast<size_t>(node.shape(1).back()));
  std::iota(axes.begin(), axes.end(), first);
  return std::vector<IndexUse>{{0, 1, std::move(axes), true}};
}

// Words, segments and places.
Uses embeddings(const NodeContext &node) {
  std::vector<IndexUse> uses = {{2, 0, {0}}};
  if (node.has(1) && node.has(4)) uses.push_back({4, 1, {0}});
  if (node.has(8)) uses.push_back({3, 8, {0}});
  return uses;
}

// Without places, operands 1 and 2 are rows for each element themselves.
Uses rotations(const NodeContext &node) {
  return node.has(3) ? std::vector<IndexUse>{{1, 3, {0}}} : std::vector<IndexUse>();
}

struct IndexReader {
  std::string_view domain, op;
  Uses (*uses)(const NodeContext &);
};

constexpr IndexReader kReaders[] = {
    {"", "Gather", alongAxis},
    {"", "GatherElements", alongAxis},
    {"", "GatherND", tuples},
    {"", "RoiAlign", rows<0, 2>},
    {"", "RotaryEmbedding", rotations},
    {"", "Scatter", alongAxis},
    {"", "ScatterElements", alongAxis},
    {"", "ScatterND", tuples},
    {"ai.onnx.ml", "ArrayFeatureExtractor", alongLast},
    {"com.microsoft", "EmbedLayerNormalization", embeddings},
    {"com.microsoft", "GatherBlockQuantized", rows<0, 1>},
};

/// How many of \p indices, of which all are needed if any is, lie outside of an axis of \p extent elements.
absl::StatusOr<CountedIndices> counted(Builder &build, Result indices, Result extent) {
  indices = build.cast(std::move(indices), DType::I64);
  if (!indices.ok()) return indices.status();
  if (build.rank(*indices) == 0) indices = build.reshape(indices, {1});
  const Result isBehind = build.apply(ScalarOp::LessEqual, {extent, indices});
  const Result isBefore = build.apply(ScalarOp::Less, {indices, build.apply(ScalarOp::Neg, {extent})});
  Result isOutside = build.apply(ScalarOp::Or, {isBehind, isBefore});
  for (const auto &[condition, isTrue] : build.branches()) {
    Result isTaken = build.reshape(condition, {});
    if (!isTrue) isTaken = build.apply(ScalarOp::Not, {isTaken});
    isOutside = build.apply(ScalarOp::And, {isOutside, isTaken});
  }
  if (!isOutside.ok()) return isOutside.status();
  std::vector<int64_t> all(static_cast<size_t>(build.rank(*isOutside)));
  std::iota(all.begin(), all.end(), 0);
  CountedIndices result;
  HONE_ASSIGN_OR_RETURN(result.count,
                        build.reduce(graph::ReduceKind::Sum, build.cast(isOutside, DType::I64), all, false));
  const Result none = build.integer(DType::I64, std::numeric_limits<int64_t>::min());
  const Result outside = build.apply(ScalarOp::Select, {isOutside, indices, none});
  HONE_ASSIGN_OR_RETURN(result.example, build.reduce(graph::ReduceKind::Max, outside, all, false));
  HONE_ASSIGN_OR_RETURN(result.extent, std::move(extent));
  return result;
}

/// Place \p position of the tuples, for each.
Result partOfTuples(Builder &build, ValueId tuples, int64_t position) {
  Shape starts(build.shape(tuples).size(), 0), steps(starts.size(), 1), kept = build.shape(tuples);
  starts.back() = position;
  kept.back() = 1;
  return build.slice(tuples, std::move(starts), std::move(steps), std::move(kept));
}

}  // namespace

absl::Status countIndices(const NodeContext &node, std::string_view domain, std::string_view op,
                          const std::string &name) {
  const auto *const reader = std::find_if(std::begin(kReaders), std::end(kReaders), [&](const IndexReader &known) {
    return known.domain == domain && known.op == op;
  });
  if (reader == std::end(kReaders)) return absl::OkStatus();
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(const std::vector<IndexUse> uses, reader->uses(node));
  for (const IndexUse &use : uses) {
    const ValueId indices = node.input(use.indices), data = node.input(use.data);
    if (build.type(indices).elements() == 0) continue;
    for (size_t i = 0; i < use.axes.size(); ++i) {
      const int64_t axis = use.axes[i];
      const Result places = use.isTuple ? partOfTuples(build, indices, static_cast<int64_t>(i)) : Result(indices);
      HONE_ASSIGN_OR_RETURN(CountedIndices found, frontend::counted(build, places, sizeOf(build, data, axis)));
      const graph::ConstantData *count = build.constant(found.count);
      if (count != nullptr && graph::elementAsInteger(*count, 0) == 0) continue;
      found.node = name;
      found.op = op;
      found.axis = axis;
      build.countedIndices().push_back(std::move(found));
    }
  }
  return absl::OkStatus();
}

absl::Status joinCounts(Builder &build, size_t first) {
  std::vector<CountedIndices> &all = build.countedIndices();
  std::vector<CountedIndices> joined;
  for (size_t i = first; i < all.size(); ++i) {
    const CountedIndices &next = all[i];
    const auto same = std::find_if(joined.begin(), joined.end(), [&](const CountedIndices &known) {
      return known.node == next.node && known.op == next.op && known.axis == next.axis;
    });
    if (same == joined.end()) {
      joined.push_back(next);
      continue;
    }
    HONE_ASSIGN_OR_RETURN(same->count, build.apply(ScalarOp::Add, {same->count, next.count}));
    HONE_ASSIGN_OR_RETURN(same->example, build.apply(ScalarOp::Max, {same->example, next.example}));
    HONE_ASSIGN_OR_RETURN(same->extent, build.apply(ScalarOp::Max, {same->extent, next.extent}));
  }
  all.resize(first);
  all.insert(all.end(), joined.begin(), joined.end());
  return absl::OkStatus();
}

}  // namespace hone::frontend
