// collapseDims(): first dims of extent 1 go, then pairs of neighbours merge until none is left that can.
#include <algorithm>
#include <cassert>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/dims.h"
#include "compiler/tensor/index_range.h"
#include "compiler/tensor/rewrite.h"

namespace hone::tensor {
namespace {

template <typename Function>
void forEachAccess(TensorOp &op, const Function &function) {
  for (Access &access : op.reads) function(access, true);
  for (Access &access : op.writes) function(access, false);
}

template <typename Function>
void forEachAccess(const TensorOp &op, const Function &function) {
  for (const Access &access : op.reads) function(access, true);
  for (const Access &access : op.writes) function(access, false);
}

// ------------------------------------------------------------------------------------------------ extent 1

void dropStageDims(TensorOp &op) {
  size_t left = op.dims.size();
  std::vector<Index> replaced;
  std::vector<Dim> kept;
  for (const Dim &d : op.dims) {
    if (d.extent == 1 && d.kind != DimKind::Scan && left > 1) {
      replaced.push_back(constant(0));
      --left;
    } else {
      replaced.push_back(dim(static_cast<int>(kept.size())));
      kept.push_back(d);
    }
  }
  if (kept.size() == op.dims.size()) return;
  substitute(op, replaced);
  op.dims = std::move(kept);
  const bool reduces =
      std::any_of(op.dims.begin(), op.dims.end(), [](const Dim &d) { return d.kind == DimKind::Reduction; });
  // A fold of one value, from a neutral start, is the value.
  if (!reduces) op.combiner = {};
}

/// Whether every access finds index 0 in dim \p d of buffer \p b.
bool isAlwaysZero(const Kernel &kernel, int b, size_t d) {
  bool result = true;
  for (const TensorOp &op : kernel.stages) {
    forEachAccess(op, [&](const Access &access, bool isRead) {
      if (access.buffer != b) return;
      // Reads that have no value for outside stay inside.
      const bool promised = isRead && !access.outside;
      result = result && (promised || staysInside(kernel, op, access.indices[d], 1));
    });
  }
  return result;
}

void dropBufferDim(Kernel &kernel, int b, size_t d) {
  Buffer &buffer = kernel.buffers[b];
  const auto position = static_cast<std::ptrdiff_t>(d);
  buffer.shape.erase(buffer.shape.begin() + position);
  std::erase_if(buffer.layout.axes, [&](const LayoutAxis &axis) { return axis.dim == static_cast<int>(d); });
  for (LayoutAxis &axis : buffer.layout.axes) axis.dim -= axis.dim > static_cast<int>(d) ? 1 : 0;
  for (TensorOp &op : kernel.stages) {
    transform(op, [&](const Index &index) {
      if (index->kind != IndexKind::Load || index->buffer != b) return index;
      std::vector<Index> args = index->args;
      args.erase(args.begin() + position);
      return load(b, std::move(args));
    });
    forEachAccess(op, [&](Access &access, bool) {
      if (access.buffer == b) access.indices.erase(access.indices.begin() + position);
    });
  }
}

void dropUnitDims(Kernel &kernel) {
  for (TensorOp &op : kernel.stages) dropStageDims(op);
  for (int b = 0; b < static_cast<int>(kernel.buffers.size()); ++b) {
    for (size_t d = kernel.buffers[b].shape.size(); d-- > 0;) {
      const Buffer &buffer = kernel.buffers[b];
      if (buffer.shape.size() == 1 || buffer.layout.allocated(static_cast<int>(d)) != 1) continue;
      if (isAlwaysZero(kernel, b, d)) dropBufferDim(kernel, b, d);
    }
  }
}

/// Reads that stay inside need no value for outside.
void dropOutside(Kernel &kernel) {
  for (TensorOp &op : kernel.stages) {
    for (Access &access : op.reads) {
      bool inside = true;
      for (size_t d = 0; d < access.indices.size() && inside && access.outside; ++d) {
        inside = staysInside(kernel, op, access.indices[d], kernel.buffers[access.buffer].shape[d]);
      }
      if (inside) access.outside.reset();
    }
  }
}

// ------------------------------------------------------------------------------------------------- merging

/// Positions in the layout of the innermost axis of dim \p outer and the outermost of dim \p inner, if the two
/// dims lie in memory as one would.
std::optional<std::pair<size_t, size_t>> seam(const Layout &layout, int outer, int inner, int64_t innerExtent) {
  if (layout.allocated(inner) != innerExtent) return std::nullopt;
  std::optional<size_t> left, right;
  for (size_t i = 0; i < layout.axes.size(); ++i) {
    const LayoutAxis &axis = layout.axes[i];
    if (axis.dim == outer && axis.divisor == 1) left = i;
    if (axis.dim == inner && (!right || axis.divisor > layout.axes[*right].divisor)) right = i;
  }
  if (!left || !right || *left + 1 != *right) return std::nullopt;
  return std::pair(*left, *right);
}

Layout mergedLayout(const Layout &layout, int outer, int64_t innerExtent) {
  const auto at = seam(layout, outer, outer + 1, innerExtent);
  assert(at);
  Layout result;
  for (size_t i = 0; i < layout.axes.size(); ++i) {
    LayoutAxis axis = layout.axes[i];
    if (i == at->first) continue;
    if (i == at->second) axis.extent *= layout.axes[at->first].extent;
    if (axis.dim == outer) axis.divisor *= innerExtent;
    if (axis.dim > outer) --axis.dim;
    result.axes.push_back(axis);
  }
  return result;
}

/// One merge: pairs of neighbouring buffer dims and pairs of stage dims that must become one together. It starts from
/// one pair of a buffer and grows by what that demands.
class Merge {
 public:
  /// Empty when the pair (\p buffer, \p d, \p d + 1) cannot merge.
  static std::optional<Merge> from(const Kernel &kernel, int buffer, int d) {
    Merge merge(kernel);
    return merge.demandBufferPair(buffer, d) ? std::optional(std::move(merge)) : std::nullopt;
  }

  Kernel applied() const {
    Kernel result = kernel_;
    for (const auto &[stage, pair] : stagePairs_) mergeStageDims(result.stages[stage], pair);
    for (const auto &[b, positions] : bufferPairs_) {
      // From the last pair on, so that positions before it stay right.
      for (auto d = positions.rbegin(); d != positions.rend(); ++d) mergeBufferDims(result, b, *d);
    }
    return result;
  }

 private:
  /// Positions of the outer and the inner dim of a stage.
  using Pair = std::pair<int, int>;

  explicit Merge(const Kernel &kernel) : kernel_(kernel) {}

  bool demandBufferPair(int b, int d) {
    std::set<int> &positions = bufferPairs_[b];
    if (positions.contains(d)) return true;
    if (positions.contains(d - 1) || positions.contains(d + 1)) return false;
    const Buffer &buffer = kernel_.buffers[b];
    if (!seam(buffer.layout, d, d + 1, buffer.shape[d + 1])) return false;
    positions.insert(d);
    bool possible = true;
    for (size_t s = 0; s < kernel_.stages.size() && possible; ++s) {
      if (loads(kernel_.stages[s], b)) return false;
      forEachAccess(kernel_.stages[s], [&](const Access &access, bool) {
        possible = possible && (access.buffer != b || demandStagePair(static_cast<int>(s), access, d));
      });
    }
    return possible;
  }

  bool isWholeDim(const TensorOp &op, const Index &index, int64_t extent) const {
    return index->kind == IndexKind::Dim && op.dims[index->value].extent == extent;
  }

  bool demandStagePair(int s, const Access &access, int d) {
    const TensorOp &op = kernel_.stages[s];
    const std::vector<int64_t> &shape = kernel_.buffers[access.buffer].shape;
    const Index &outer = access.indices[d], &inner = access.indices[d + 1];
    if (!isWholeDim(op, outer, shape[d]) || !isWholeDim(op, inner, shape[d + 1])) return false;
    const Pair pair(static_cast<int>(outer->value), static_cast<int>(inner->value));
    const auto known = stagePairs_.find(s);
    if (known != stagePairs_.end()) return known->second == pair;
    if (pair.first == pair.second || op.dims[pair.first].kind != op.dims[pair.second].kind) return false;
    if (op.dims[pair.first].kind == DimKind::Scan) return false;
    stagePairs_[s] = pair;
    return demandAccesses(op, pair);
  }

  /// Every use of the stage's two dims must be as neighbours in some access.
  bool demandAccesses(const TensorOp &op, const Pair &pair) {
    bool possible = true;
    for (const Scalar &scalar : op.body) {
      visitIndices(scalar, [&](const Index &i) { possible &= !mentions(i, pair.first) && !mentions(i, pair.second); });
    }
    forEachAccess(op, [&](const Access &access, bool) {
      std::vector<int> uses;
      for (size_t d = 0; d < access.indices.size(); ++d) {
        if (mentions(access.indices[d], pair.first) || mentions(access.indices[d], pair.second)) {
          uses.push_back(static_cast<int>(d));
        }
      }
      if (uses.empty() || !possible) return;
      const auto isPlain = [&](int d, int position) {
        return access.indices[d]->kind == IndexKind::Dim && access.indices[d]->value == position;
      };
      possible = uses.size() == 2 && uses[0] + 1 == uses[1] && isPlain(uses[0], pair.first) &&
                 isPlain(uses[1], pair.second) && demandBufferPair(access.buffer, uses[0]);
    });
    return possible;
  }

  /// The inner dim goes; the outer one becomes both. Accesses then repeat it until mergeBufferDims.
  static void mergeStageDims(TensorOp &op, const Pair &pair) {
    Dim &outer = op.dims[pair.first];
    const Dim inner = op.dims[pair.second];
    outer.extent *= inner.extent;
    const std::string name = absl::StrCat(outer.name, inner.name);
    std::vector<Index> replaced;
    for (int d = 0; d < static_cast<int>(op.dims.size()); ++d) {
      const int source = d == pair.second ? pair.first : d;
      replaced.push_back(dim(source - (source > pair.second ? 1 : 0)));
    }
    substitute(op, replaced);
    outer.name.clear();
    op.dims[pair.first].name = freshDimName(op, name);
    op.dims.erase(op.dims.begin() + pair.second);
  }

  static void mergeBufferDims(Kernel &kernel, int b, int d) {
    Buffer &buffer = kernel.buffers[b];
    buffer.layout = mergedLayout(buffer.layout, d, buffer.shape[d + 1]);
    buffer.shape[d] *= buffer.shape[d + 1];
    buffer.shape.erase(buffer.shape.begin() + d + 1);
    for (TensorOp &op : kernel.stages) {
      forEachAccess(op, [&](Access &access, bool) {
        if (access.buffer == b) access.indices.erase(access.indices.begin() + d + 1);
      });
    }
  }

  const Kernel &kernel_;
  std::map<int, std::set<int>> bufferPairs_;  // by buffer: positions of the outer dims
  std::map<int, Pair> stagePairs_;            // by stage
};

std::optional<Kernel> mergedOnce(const Kernel &kernel) {
  for (int b = 0; b < static_cast<int>(kernel.buffers.size()); ++b) {
    for (int d = 0; d + 1 < static_cast<int>(kernel.buffers[b].shape.size()); ++d) {
      if (const std::optional<Merge> merge = Merge::from(kernel, b, d)) return merge->applied();
    }
  }
  return std::nullopt;
}

}  // namespace

Kernel collapseDims(const Kernel &kernel) {
  Kernel result = kernel;
  dropUnitDims(result);
  dropOutside(result);
  while (std::optional<Kernel> merged = mergedOnce(result)) result = *std::move(merged);
  assert(verify(result).empty());
  return result;
}

}  // namespace hone::tensor
