// Winograd's minimal filtering, F(m, 3) in both directions, as a rewrite of one stage into four.
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/index_range.h"
#include "compiler/tensor/rewrite.h"

namespace hone::tensor {
namespace {

constexpr int64_t kTaps = 3;

/// The three matrices of F(m, 3), row by row.
struct Matrices {
  std::vector<double> g, bt, at;
};

Matrices matricesOf(int64_t tile) {
  if (tile == 2) {
    return {{1, 0, 0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0, 0, 1},
            {1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, 1, 0, -1},
            {1, 1, 1, 0, 0, 1, -1, -1}};
  }
  return {{1.0 / 4, 0, 0, -1.0 / 6, -1.0 / 6, -1.0 / 6, -1.0 / 6, 1.0 / 6, -1.0 / 6, 1.0 / 24, 1.0 / 12, 1.0 / 6,
           1.0 / 24, -1.0 / 12, 1.0 / 6, 0, 0, 1},
          {4, 0,  -5, 0, 1, 0, 0, -4, -4, 1,  1, 0, 0, 4, -4, -1, 1, 0,
           0, -2, -1, 2, 1, 0, 0, 2,  -1, -2, 1, 0, 0, 4, 0,  -5, 0, 1},
          {1, 1, 1, 1, 1, 0, 0, 1, -1, 2, -2, 0, 0, 1, 1, 4, 4, 0, 0, 1, -1, 8, -8, 1}};
}

/// constant + sum of coefficient x dim; empty for indices that are not linear.
struct Linear {
  int64_t constant = 0;
  std::map<int, int64_t> coefficients;
};

std::optional<Linear> linear(const Index &index) {
  switch (index->kind) {
    case IndexKind::Constant:
      return Linear{index->value, {}};
    case IndexKind::Dim:
      return Linear{0, {{static_cast<int>(index->value), 1}}};
    case IndexKind::Add: {
      std::optional<Linear> a = linear(index->args[0]);
      const std::optional<Linear> b = linear(index->args[1]);
      if (!a || !b) return std::nullopt;
      a->constant += b->constant;
      for (const auto &[d, coefficient] : b->coefficients) a->coefficients[d] += coefficient;
      return a;
    }
    case IndexKind::Mul: {
      const std::optional<Linear> a = linear(index->args[0]), b = linear(index->args[1]);
      if (!a || !b || (!a->coefficients.empty() && !b->coefficients.empty())) return std::nullopt;
      Linear result = a->coefficients.empty() ? *b : *a;
      const int64_t factor = a->coefficients.empty() ? a->constant : b->constant;
      result.constant *= factor;
      for (auto &[d, coefficient] : result.coefficients) coefficient *= factor;
      return result;
    }
    default:
      return std::nullopt;
  }
}

/// A spatial direction: data is read at out + tap + offset.
struct Direction {
  size_t dataDim = 0;  // of the data buffer
  int out = 0;         // dim of the stage
  int tap = 0;
  int64_t offset = 0;
};

/// What a convolution-shaped stage consists of.
struct Match {
  int data = 0, weight = 0;  // positions among the stage's reads
  Direction y, x;
  std::vector<int> parallel;   // the other parallel dims
  std::vector<int> reduction;  // the other reduction dims
};

absl::Status mismatch(const TensorOp &op, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("stage '", op.name, "' is not a convolution that winograd fits: ", std::string(why)));
}

bool isPlainAccess(const Access &access) {
  return !access.outside && std::all_of(access.indices.begin(), access.indices.end(), [](const Index &i) {
    return i->kind == IndexKind::Dim || i->kind == IndexKind::Constant;
  });
}

bool uses(const Access &access, int d) {
  return std::any_of(access.indices.begin(), access.indices.end(), [&](const Index &i) { return usesDim(i, d); });
}

/// The directions of the data's indices; empty when one of them is neither a direction nor plain.
std::optional<std::vector<Direction>> directions(const TensorOp &op, const Access &data) {
  std::vector<Direction> result;
  for (size_t i = 0; i < data.indices.size(); ++i) {
    const Index &index = data.indices[i];
    if (index->kind == IndexKind::Dim || index->kind == IndexKind::Constant) continue;
    const std::optional<Linear> form = linear(index);
    if (!form || form->coefficients.size() != 2) return std::nullopt;
    Direction direction;
    direction.dataDim = i;
    direction.offset = form->constant;
    bool hasOut = false, hasTap = false;
    for (const auto &[d, coefficient] : form->coefficients) {
      if (coefficient != 1) return std::nullopt;
      if (op.dims[d].kind == DimKind::Parallel) direction.out = d, hasOut = true;
      if (op.dims[d].kind == DimKind::Reduction && op.dims[d].extent == kTaps) direction.tap = d, hasTap = true;
    }
    if (!hasOut || !hasTap) return std::nullopt;
    result.push_back(direction);
  }
  return result;
}

/// What else must hold of a direction: nothing but the sliding depends on it, and tiles may hang over.
absl::Status checkDirection(const Kernel &kernel, const TensorOp &op, const Access &data, const Access &weight,
                            const Direction &direction) {
  for (size_t i = 0; i < data.indices.size(); ++i) {
    const bool again = usesDim(data.indices[i], direction.out) || usesDim(data.indices[i], direction.tap);
    if (i != direction.dataDim && again) return mismatch(op, "a direction occurs twice in the data's indices");
  }
  if (uses(weight, direction.out)) return mismatch(op, "its weights must not depend on the place");
  if (!uses(weight, direction.tap)) return mismatch(op, "its weights must depend on the taps");
  // Where tiles hang over the edge, what they write there must fall outside the buffer.
  const Access &write = op.writes[0];
  const std::vector<int64_t> &shape = kernel.buffers[write.buffer].shape;
  for (size_t i = 0; i < write.indices.size(); ++i) {
    if (!usesDim(write.indices[i], direction.out)) continue;
    if (write.indices[i]->kind != IndexKind::Dim || shape[i] != op.dims[direction.out].extent) {
      return mismatch(op, "its output must be written whole, at plain dims");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Match> match(const Kernel &kernel, const TensorOp &op) {
  if (op.combiner.kind != CombinerKind::Sum || op.body.size() != 1 || !isFloat(op.body[0]->dtype)) {
    return mismatch(op, "it must be one sum of floats");
  }
  const ScalarNode &body = *op.body[0];
  const bool isProduct = body.kind == ScalarKind::Apply && body.op == ScalarOp::Mul &&
                         body.args[0]->kind == ScalarKind::Read && body.args[1]->kind == ScalarKind::Read;
  if (!isProduct || body.args[0]->position == body.args[1]->position) {
    return mismatch(op, "its terms must be products of two reads");
  }
  if (op.dims.front().kind == DimKind::Scan) return mismatch(op, "it has a scan dim");
  Match result;
  result.data = body.args[0]->position;
  result.weight = body.args[1]->position;
  if (isPlainAccess(op.reads[result.data])) std::swap(result.data, result.weight);
  const Access &data = op.reads[result.data], &weight = op.reads[result.weight];
  if (!isPlainAccess(weight)) return mismatch(op, "the weights must be read at plain dims");
  if (data.outside.value_or(0) != 0) return mismatch(op, "data outside must be 0");
  const std::optional<std::vector<Direction>> found = directions(op, data);
  if (!found || found->size() != 2 || (*found)[0].out == (*found)[1].out || (*found)[0].tap == (*found)[1].tap) {
    return mismatch(op, "it must slide in two directions with stride 1, dilation 1 and 3 taps each");
  }
  result.y = (*found)[0];
  result.x = (*found)[1];
  for (const Direction *direction : {&result.y, &result.x}) {
    HONE_RETURN_IF_ERROR(checkDirection(kernel, op, data, weight, *direction));
  }
  for (int d = 0; d < static_cast<int>(op.dims.size()); ++d) {
    if (d == result.y.out || d == result.x.out || d == result.y.tap || d == result.x.tap) continue;
    (op.dims[d].kind == DimKind::Reduction ? result.reduction : result.parallel).push_back(d);
  }
  if (result.reduction.empty()) return mismatch(op, "it needs input channels to sum over");
  return result;
}

/// Builds the four stages. A stage's dims are given as dims of the convolution (by position) or as new ones.
class Builder {
 public:
  Builder(const Kernel &kernel, int stage, const Match &match, int64_t tile)
      : op_(kernel.stages[stage]), match_(match), tile_(tile), points_(tile + kTaps - 1), stage_(stage) {
    result_.kernel = kernel;
    dtype_ = op_.body[0]->dtype;
    tilesX_ = (op_.dims[match.x.out].extent + tile - 1) / tile;
    tiles_ = (op_.dims[match.y.out].extent + tile - 1) / tile * tilesX_;
  }

  Rewrite run() && {
    const Matrices matrices = matricesOf(tile_);
    g_ = addMatrix("g", {points_, kTaps}, matrices.g);
    bt_ = addMatrix("bt", {points_, points_}, matrices.bt);
    at_ = addMatrix("at", {tile_, points_}, matrices.at);
    transformWeight();
    transformData();
    multiply();
    transformBack();
    std::vector<TensorOp> &stages = result_.kernel.stages;
    stages.erase(stages.begin() + stage_);
    stages.insert(stages.begin() + stage_, stages_.begin(), stages_.end());
    return std::move(result_);
  }

 private:
  /// A stage in the making: `at` says what stands for each dim of the convolution.
  struct Stage {
    TensorOp op;
    std::vector<Index> at;
    std::vector<Scalar> factors;
  };

  int addMatrix(const char *name, std::vector<int64_t> shape, const std::vector<double> &values) {
    HostTensor data = HostTensor::zeros(dtype_, shape);
    for (size_t i = 0; i < values.size(); ++i) data.setReal(static_cast<int64_t>(i), values[i]);
    const int buffer =
        addBuffer(result_.kernel, absl::StrCat(op_.name, "_", name), dtype_, std::move(shape), BufferRole::Parameter);
    result_.parameters.push_back({buffer, std::move(data)});
    return buffer;
  }

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

  void multiplyBy(Stage &stage, int buffer, std::vector<Index> indices, std::optional<double> outside = {}) const {
    const DType dtype = result_.kernel.buffers[buffer].dtype;
    stage.factors.push_back(cast(dtype_, read(static_cast<int>(stage.op.reads.size()), dtype)));
    stage.op.reads.push_back({buffer, std::move(indices), outside});
  }

  /// Writes the stage's parallel dims, in order, into a new temporary, and returns it.
  int finishInto(Stage stage, const char *name) {
    std::vector<int64_t> shape;
    std::vector<Index> indices;
    for (size_t d = 0; d < stage.op.dims.size(); ++d) {
      if (stage.op.dims[d].kind != DimKind::Parallel) continue;
      shape.push_back(stage.op.dims[d].extent);
      indices.push_back(dim(static_cast<int>(d)));
    }
    const int buffer =
        addBuffer(result_.kernel, absl::StrCat(op_.name, "_", name), dtype_, std::move(shape), BufferRole::Temporary);
    finish(std::move(stage), {buffer, std::move(indices), std::nullopt});
    return buffer;
  }

  void finish(Stage stage, Access write) {
    Scalar body = stage.factors[0];
    for (size_t i = 1; i < stage.factors.size(); ++i) body = apply(ScalarOp::Mul, {body, stage.factors[i]});
    stage.op.body = {body};
    stage.op.combiner.kind = CombinerKind::Sum;
    stage.op.writes = {std::move(write)};
    stages_.push_back(std::move(stage.op));
  }

  std::vector<Index> moved(const Access &access, const std::vector<Index> &at) const {
    std::vector<Index> result;
    for (const Index &index : access.indices) result.push_back(substitute(index, at));
    return result;
  }

  std::string stageName(const char *suffix) const {
    return freshStageName(result_.kernel, absl::StrCat(op_.name, "_", suffix));
  }

  /// What the dims of u are, after its two points: the dims of the convolution that the weights depend on.
  bool inWeight(int d) const { return uses(op_.reads[match_.weight], d); }
  bool inData(int d) const { return uses(op_.reads[match_.data], d); }

  void transformWeight() {
    Stage s = begin(stageName("u"));
    const Index a = addDim(s, "a", points_, DimKind::Parallel), b = addDim(s, "b", points_, DimKind::Parallel);
    addOldDims(s, match_.parallel, DimKind::Parallel, [&](int d) { return inWeight(d); });
    addOldDims(s, match_.reduction, DimKind::Parallel, [&](int d) { return inWeight(d); });
    const Index i = addDim(s, "i", kTaps, DimKind::Reduction), j = addDim(s, "j", kTaps, DimKind::Reduction);
    s.at[match_.y.tap] = i;
    s.at[match_.x.tap] = j;
    multiplyBy(s, g_, {a, i});
    multiplyBy(s, g_, {b, j});
    const Access &weight = op_.reads[match_.weight];
    multiplyBy(s, weight.buffer, moved(weight, s.at));
    u_ = finishInto(std::move(s), "u");
  }

  void transformData() {
    Stage s = begin(stageName("v"));
    const Index a = addDim(s, "a", points_, DimKind::Parallel), b = addDim(s, "b", points_, DimKind::Parallel);
    addOldDims(s, match_.parallel, DimKind::Parallel, [&](int d) { return inData(d); });
    addOldDims(s, match_.reduction, DimKind::Parallel, [&](int d) { return inData(d); });
    const Index t = addDim(s, "t", tiles_, DimKind::Parallel);
    const Index i = addDim(s, "i", points_, DimKind::Reduction), j = addDim(s, "j", points_, DimKind::Reduction);
    multiplyBy(s, bt_, {a, i});
    multiplyBy(s, bt_, {b, j});
    const Access &data = op_.reads[match_.data];
    std::vector<Index> indices = moved(data, s.at);
    indices[match_.y.dataDim] = floorDiv(t, tilesX_) * tile_ + i + match_.y.offset;
    indices[match_.x.dataDim] = mod(t, tilesX_) * tile_ + j + match_.x.offset;
    // Also without padding: the last tiles hang over.
    multiplyBy(s, data.buffer, std::move(indices), 0);
    v_ = finishInto(std::move(s), "v");
  }

  void multiply() {
    Stage s = begin(stageName("m"));
    const Index a = addDim(s, "a", points_, DimKind::Parallel), b = addDim(s, "b", points_, DimKind::Parallel);
    addOldDims(s, match_.parallel, DimKind::Parallel, [](int) { return true; });
    const Index t = addDim(s, "t", tiles_, DimKind::Parallel);
    addOldDims(s, match_.reduction, DimKind::Reduction, [](int) { return true; });
    std::vector<Index> fromU = {a, b}, fromV = {a, b};
    for (const auto *group : {&match_.parallel, &match_.reduction}) {
      for (int d : *group) {
        if (inWeight(d)) fromU.push_back(s.at[d]);
        if (inData(d)) fromV.push_back(s.at[d]);
      }
    }
    fromV.push_back(t);
    multiplyBy(s, u_, std::move(fromU));
    multiplyBy(s, v_, std::move(fromV));
    m_ = finishInto(std::move(s), "m");
  }

  void transformBack() {
    Stage s = begin(op_.name);
    addOldDims(s, match_.parallel, DimKind::Parallel, [](int) { return true; });
    const Index t = addDim(s, "t", tiles_, DimKind::Parallel);
    const Index p = addDim(s, "p", tile_, DimKind::Parallel), q = addDim(s, "q", tile_, DimKind::Parallel);
    const Index a = addDim(s, "a", points_, DimKind::Reduction), b = addDim(s, "b", points_, DimKind::Reduction);
    s.at[match_.y.out] = floorDiv(t, tilesX_) * tile_ + p;
    s.at[match_.x.out] = mod(t, tilesX_) * tile_ + q;
    multiplyBy(s, at_, {p, a});
    multiplyBy(s, at_, {q, b});
    std::vector<Index> indices = {a, b};
    for (int d : match_.parallel) indices.push_back(s.at[d]);
    indices.push_back(t);
    multiplyBy(s, m_, std::move(indices));
    const Access &write = op_.writes[0];
    std::vector<Index> written = moved(write, s.at);
    finish(std::move(s), {write.buffer, std::move(written), std::nullopt});
  }

  const TensorOp op_;
  const Match &match_;
  const int64_t tile_, points_;
  const int stage_;
  DType dtype_ = DType::F32;
  int64_t tilesX_ = 0, tiles_ = 0;
  int g_ = 0, bt_ = 0, at_ = 0, u_ = 0, v_ = 0, m_ = 0;
  std::vector<TensorOp> stages_;
  Rewrite result_;
};

}  // namespace

absl::StatusOr<Rewrite> winograd(const Kernel &kernel, int stage, int64_t tile) {
  if (stage < 0 || static_cast<size_t>(stage) >= kernel.stages.size()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no stage ", stage, " among ", kernel.stages.size()));
  }
  if (tile != 2 && tile != 4) {
    return absl::InvalidArgumentError(absl::StrCat("winograd has no tiles of ", tile, "; use 2 or 4"));
  }
  HONE_ASSIGN_OR_RETURN(const Match found, match(kernel, kernel.stages[stage]));
  return Builder(kernel, stage, found, tile).run();
}

}  // namespace hone::tensor
