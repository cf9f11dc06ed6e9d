// Winograd's minimal filtering, F(m, 3) in both directions (A. Lavin, S. Gray: Fast algorithms for convolutional neural
// networks, 2016), as a rewrite of one stage, and the maps after it, into three.
#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/tensor/algorithm_rules.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/dims.h"
#include "compiler/tensor/kernel_builder.h"
#include "compiler/tensor/rewrite.h"
#include "compiler/tensor/winograd_match.h"
#include "compiler/tensor/winograd_transforms.h"

namespace hone::tensor {
namespace {

/// Builds the three stages. A stage's dims are given as dims of the convolution (by position) or as new ones.
class Builder {
 public:
  Builder(const Kernel &kernel, int stage, const WinogradMatch &match, int64_t tile)
      : op_(kernel.stages[stage]),
        match_(match),
        tile_(tile),
        points_(tile + kWinogradTaps - 1),
        stage_(stage),
        kernel_(kernel) {
    dtype_ = op_.body[0]->dtype;
  }

  Rewrite run() && {
    transformData();
    addWeights();
    multiply();
    transformBack();
    std::vector<TensorOp> &stages = kernel_.stages;
    stages.erase(stages.begin() + stage_, stages.begin() + stage_ + 1 + followers_);
    stages.insert(stages.begin() + stage_, stages_.begin(), stages_.end());
    return withoutUnusedBuffers();
  }

 private:
  /// A stage in the making: `at` says what stands for each dim of the convolution.
  struct Stage {
    TensorOp op;
    std::vector<Index> at;
  };

  Stage begin(std::string name) const {
    Stage stage;
    stage.op.name = std::move(name);
    stage.at.assign(op_.dims.size(), constant(0));
    return stage;
  }

  static Index addDim(Stage &stage, const std::string &name, int64_t extent, DimKind kind) {
    stage.op.dims.push_back({freshDimName(stage.op, name), extent, kind});
    return dim(static_cast<int>(stage.op.dims.size()) - 1);
  }

  /// Those of the convolution's dims \p candidates that \p keep accepts, with \p kind.
  template <typename Predicate>
  void addOldDims(Stage &stage, const std::vector<int> &candidates, DimKind kind, const Predicate &keep) const {
    for (int d : candidates) {
      if (keep(d)) stage.at[d] = addDim(stage, op_.dims[d].name, op_.dims[d].extent, kind);
    }
  }

  struct Tiles {
    Index y, x;
  };
  Tiles addTiles(Stage &stage) const {
    const auto add = [&](const Direction &direction) {
      const Dim &out = op_.dims[direction.out];
      return addDim(stage, absl::StrCat(out.name, "_tile"), (out.extent + tile_ - 1) / tile_, DimKind::Parallel);
    };
    const Index y = add(match_.y);
    return {y, add(match_.x)};
  }

  /// A read as a factor of the accumulators' dtype.
  Scalar reading(Stage &stage, Access access) const {
    const DType dtype = kernel_.buffers[access.buffer].dtype;
    stage.op.reads.push_back(std::move(access));
    return cast(dtype_, read(static_cast<int>(stage.op.reads.size()) - 1, dtype));
  }

  int addTemporary(const char *name, const Stage &stage, bool hasPoints) {
    std::vector<int64_t> shape;
    if (hasPoints) shape = {points_, points_};
    for (const Dim &each : stage.op.dims)
      if (each.kind == DimKind::Parallel) shape.push_back(each.extent);
    return addBuffer(kernel_, absl::StrCat(op_.name, "_", name), dtype_, std::move(shape), BufferRole::Temporary);
  }

  std::vector<Index> moved(const std::vector<Index> &indices, const std::vector<Index> &at) const {
    std::vector<Index> result;
    for (const Index &index : indices) result.push_back(substitute(index, at));
    return result;
  }

  std::string stageName(const char *suffix) const {
    return freshStageName(kernel_, absl::StrCat(op_.name, "_", suffix));
  }

  bool inWeight(int d) const { return mentions(op_.reads[match_.weight], d); }
  bool inData(int d) const { return mentions(op_.reads[match_.data], d); }

  /// Parallel dims of \p stage as indices, after the two of a point.
  static std::vector<Index> atPoint(int64_t a, int64_t b, const Stage &stage) {
    std::vector<Index> indices = {constant(a), constant(b)};
    for (size_t d = 0; d < stage.op.dims.size(); ++d)
      if (stage.op.dims[d].kind == DimKind::Parallel) indices.push_back(dim(static_cast<int>(d)));
    return indices;
  }

  // v[a, b, others, y_tile, x_tile, channels]: channels lie side by side, as vectors take them and sums run.
  void transformData() {
    Stage s = begin(stageName("v"));
    addOldDims(s, match_.parallel, DimKind::Parallel, [&](int d) { return inData(d); });
    const Tiles tile = addTiles(s);
    addOldDims(s, match_.reduction, DimKind::Parallel, [&](int d) { return inData(d); });
    const Access &data = op_.reads[match_.data];
    Grid values(static_cast<size_t>(points_));
    for (int64_t i = 0; i < points_; ++i) {
      for (int64_t j = 0; j < points_; ++j) {
        std::vector<Index> indices = moved(data.indices, s.at);
        indices[match_.y.dataDim] = tile.y * tile_ + (i + match_.y.offset);
        indices[match_.x.dataDim] = tile.x * tile_ + (j + match_.x.offset);
        // Also without padding: the last tiles hang over.
        values[static_cast<size_t>(i)].push_back(reading(s, {data.buffer, std::move(indices), 0}));
      }
    }
    v_ = addTemporary("v", s, true);
    const Grid transformed = tensor::transformedData(values);
    for (int64_t a = 0; a < points_; ++a) {
      for (int64_t b = 0; b < points_; ++b) {
        s.op.body.push_back(transformed[static_cast<size_t>(a)][static_cast<size_t>(b)]);
        s.op.writes.push_back({v_, atPoint(a, b, s), std::nullopt});
      }
    }
    stages_.push_back(std::move(s.op));
  }

  // u[a, b, the dims of the weights but the taps]
  void addWeights() {
    const Access &weight = op_.reads[match_.weight];
    const Buffer &buffer = kernel_.buffers[weight.buffer];
    std::vector<int64_t> shape = {points_, points_};
    DerivedParameter derived;
    derived.source = weight.buffer;
    derived.transform.tile = tile_;
    for (size_t k = 0; k < weight.indices.size(); ++k) {
      if (mentions(weight.indices[k], match_.y.tap)) {
        derived.transform.y = k;
      } else if (mentions(weight.indices[k], match_.x.tap)) {
        derived.transform.x = k;
      } else {
        shape.push_back(buffer.shape[k]);
      }
    }
    derived.buffer = u_ =
        addBuffer(kernel_, absl::StrCat(op_.name, "_u"), buffer.dtype, std::move(shape), BufferRole::Parameter);
    derived_ = derived;
  }

  // m[a, b, others, y_tile, x_tile, outputs]
  void multiply() {
    Stage s = begin(stageName("m"));
    const Index a = addDim(s, "a", points_, DimKind::Parallel), b = addDim(s, "b", points_, DimKind::Parallel);
    addOldDims(s, match_.parallel, DimKind::Parallel, [&](int d) { return inData(d); });
    const Tiles tile = addTiles(s);
    addOldDims(s, match_.parallel, DimKind::Parallel, [&](int d) { return !inData(d); });
    addOldDims(s, match_.reduction, DimKind::Reduction, [](int) { return true; });
    std::vector<Index> fromU = {a, b}, fromV = {a, b};
    const Access &weight = op_.reads[match_.weight];
    for (size_t k = 0; k < weight.indices.size(); ++k)
      if (k != derived_.transform.y && k != derived_.transform.x) fromU.push_back(substitute(weight.indices[k], s.at));
    for (int d : match_.parallel)
      if (inData(d)) fromV.push_back(s.at[d]);
    fromV.insert(fromV.end(), {tile.y, tile.x});
    for (int d : match_.reduction)
      if (inData(d)) fromV.push_back(s.at[d]);
    m_ = addTemporary("m", s, false);
    const Scalar u = reading(s, {u_, std::move(fromU), std::nullopt});
    s.op.body = {u * reading(s, {v_, std::move(fromV), std::nullopt})};
    s.op.combiner.kind = CombinerKind::Sum;
    std::vector<Index> written;
    for (size_t d = 0; d < s.op.dims.size(); ++d)
      if (s.op.dims[d].kind == DimKind::Parallel) written.push_back(dim(static_cast<int>(d)));
    s.op.writes = {{m_, std::move(written), std::nullopt}};
    stages_.push_back(std::move(s.op));
  }

  void transformBack() {
    Stage s = begin(op_.name);
    addOldDims(s, match_.parallel, DimKind::Parallel, [&](int d) { return inData(d); });
    const Tiles tile = addTiles(s);
    addOldDims(s, match_.parallel, DimKind::Parallel, [&](int d) { return !inData(d); });
    Grid products(static_cast<size_t>(points_));
    for (int64_t a = 0; a < points_; ++a)
      for (int64_t b = 0; b < points_; ++b)
        products[static_cast<size_t>(a)].push_back(reading(s, {m_, atPoint(a, b, s), std::nullopt}));
    const Grid results = tensor::transformedBack(products);
    for (int64_t p = 0; p < tile_; ++p) {
      for (int64_t q = 0; q < tile_; ++q) {
        s.at[match_.y.out] = tile.y * tile_ + p;
        s.at[match_.x.out] = tile.x * tile_ + q;
        finishElement(s, results[static_cast<size_t>(p)][static_cast<size_t>(q)]);
      }
    }
    stages_.push_back(std::move(s.op));
  }

  /// Appends the element that the convolution, and the stages after it that are maps of it, have at `at`.
  void finishElement(Stage &s, Scalar value) {
    TensorOp last = op_;
    std::vector<Index> at = s.at;
    followers_ = 0;
    for (;;) {
      const int buffer = last.writes[0].buffer;
      const auto next = static_cast<size_t>(stage_ + followers_ + 1);
      if (!isFollowed(last, next)) break;
      const TensorOp &follower = kernel_.stages[next];
      std::vector<Index> there(follower.dims.size(), constant(0));
      const Access *link = nullptr;
      for (const Access &access : follower.reads)
        if (access.buffer == buffer) link = &access;
      for (size_t k = 0; k < link->indices.size(); ++k)
        if (link->indices[k]->kind == IndexKind::Dim)
          there[link->indices[k]->value] = substitute(last.writes[0].indices[k], at);
      value = inlined(s, follower, there, buffer, cast(kernel_.buffers[buffer].dtype, value));
      last = follower;
      at = std::move(there);
      ++followers_;
    }
    s.op.body.push_back(value);
    s.op.writes.push_back({last.writes[0].buffer, moved(last.writes[0].indices, at), std::nullopt});
  }

  /// Whether stage \p next is a map of what \p last writes, which nobody else reads, and may be computed a few places
  /// beyond the ends: what it reads there does not matter, and what it writes there is dropped.
  bool isFollowed(const TensorOp &last, size_t next) const {
    if (next >= kernel_.stages.size() || last.writes.size() != 1) return false;
    const TensorOp &follower = kernel_.stages[next];
    const Access &write = last.writes[0];
    const bool isMap = follower.combiner.kind == CombinerKind::None && follower.body.size() == 1 &&
                       std::all_of(follower.dims.begin(), follower.dims.end(),
                                   [](const Dim &each) { return each.kind == DimKind::Parallel; });
    if (!isMap || kernel_.buffers[write.buffer].role != BufferRole::Temporary) return false;
    for (size_t other = 0; other < kernel_.stages.size(); ++other) {
      const TensorOp &stage = kernel_.stages[other];
      const auto isOfIt = [&](const Access &access) { return access.buffer == write.buffer; };
      const bool isRead = std::any_of(stage.reads.begin(), stage.reads.end(), isOfIt) || loads(stage, write.buffer);
      const bool isWritten = std::any_of(stage.writes.begin(), stage.writes.end(), isOfIt);
      if ((isRead && other != next) || (isWritten && &stage.writes[0] != &write && stage.name != last.name))
        return false;
    }
    if (loads(follower, write.buffer)) return false;
    int links = 0;
    for (const Access &access : follower.reads) {
      if (access.buffer != write.buffer) continue;
      ++links;
      const std::optional<std::vector<int>> dims = matchedDims(write, access, follower.dims.size());
      if (!dims) return false;
      for (size_t d = 0; d < dims->size(); ++d) {
        const int from = (*dims)[d];
        if (from < 0 || follower.dims[d].extent != last.dims[from].extent) return false;
      }
    }
    return links == 1 && endsWithItsBuffers(follower);
  }

  /// Whether all that \p op writes are plain dims, each as long as the buffer.
  bool endsWithItsBuffers(const TensorOp &op) const {
    const Access &write = op.writes[0];
    const std::vector<int64_t> &shape = kernel_.buffers[write.buffer].shape;
    for (size_t k = 0; k < write.indices.size(); ++k) {
      const IndexNode &index = *write.indices[k];
      if (index.kind == IndexKind::Constant) continue;
      if (index.kind != IndexKind::Dim || op.dims[static_cast<size_t>(index.value)].extent != shape[k]) return false;
    }
    return true;
  }

  /// The body of \p op at \p at, with \p value for what it reads of \p buffer.
  Scalar inlined(Stage &s, const TensorOp &op, const std::vector<Index> &at, int buffer, const Scalar &value) const {
    std::vector<Scalar> reads;
    for (const Access &access : op.reads) {
      if (access.buffer == buffer) {
        reads.push_back(value);
        continue;
      }
      Access there{access.buffer, moved(access.indices, at), access.outside};
      const bool mayHangOver = std::any_of(there.indices.begin(), there.indices.end(), [](const Index &i) {
        return i->kind != IndexKind::Dim && i->kind != IndexKind::Constant;
      });
      if (!there.outside && mayHangOver) there.outside = 0;
      const auto same =
          std::find_if(s.op.reads.begin(), s.op.reads.end(), [&](const Access &each) { return isSame(each, there); });
      const auto position = static_cast<int>(same - s.op.reads.begin());
      if (same == s.op.reads.end()) s.op.reads.push_back(std::move(there));
      reads.push_back(read(position, kernel_.buffers[access.buffer].dtype));
    }
    return substituteReads(substitute(op.body[0], at), reads);
  }

  Rewrite withoutUnusedBuffers() {
    Rewrite result;
    std::vector<int> positions(kernel_.buffers.size(), -1);
    for (size_t b = 0; b < kernel_.buffers.size(); ++b) {
      const auto isOfIt = [b](const Access &access) { return access.buffer == static_cast<int>(b); };
      const bool isUsed =
          kernel_.buffers[b].role == BufferRole::Output || kernel_.buffers[b].role == BufferRole::Input ||
          std::any_of(kernel_.stages.begin(), kernel_.stages.end(), [&](const TensorOp &op) {
            return std::any_of(op.reads.begin(), op.reads.end(), isOfIt) ||
                   std::any_of(op.writes.begin(), op.writes.end(), isOfIt) || loads(op, static_cast<int>(b));
          });
      if (!isUsed) continue;
      positions[b] = static_cast<int>(result.kernel.buffers.size());
      result.kernel.buffers.push_back(kernel_.buffers[b]);
      result.origins.push_back(b < oldBuffers_ ? static_cast<int>(b) : -1);
    }
    result.kernel.name = kernel_.name;
    result.kernel.stages = std::move(kernel_.stages);
    for (TensorOp &op : result.kernel.stages) renumberBuffers(op, positions);
    derived_.buffer = positions[derived_.buffer];
    result.derived = {derived_};
    return result;
  }

  const TensorOp op_;
  const WinogradMatch &match_;
  const int64_t tile_, points_;
  const int stage_;
  Kernel kernel_;
  const size_t oldBuffers_ = kernel_.buffers.size();
  DType dtype_ = DType::F32;
  int u_ = 0, v_ = 0, m_ = 0;
  int followers_ = 0;  ///< stages after the convolution that its last transform does as well
  DerivedParameter derived_;
  std::vector<TensorOp> stages_;
};

}  // namespace

absl::StatusOr<Rewrite> winograd(const Kernel &kernel, int stage, int64_t tile) {
  if (stage < 0 || static_cast<size_t>(stage) >= kernel.stages.size()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no stage ", stage, " among ", kernel.stages.size()));
  }
  if (tile != 2 && tile != 4) return broken(AlgorithmRule::WinogradTileExists, tile);
  HONE_ASSIGN_OR_RETURN(const WinogradMatch found, matchWinograd(kernel, kernel.stages[stage]));
  return Builder(kernel, stage, found, tile).run();
}

int Rewrite::derivedReader() const {
  for (size_t s = 0; s < kernel.stages.size(); ++s)
    for (const Access &read : kernel.stages[s].reads)
      if (read.buffer == derived.front().buffer) return static_cast<int>(s);
  assert(false && "derived parameters are read");
  return 0;
}

}  // namespace hone::tensor
