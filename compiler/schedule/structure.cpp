#include "compiler/schedule/structure.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>

#include "compiler/tensor/affine.h"
#include "compiler/tensor/dims.h"
#include "compiler/tensor/rewrite.h"

namespace hone::schedule {

using tensor::DimKind;
using tensor::IndexKind;
using tensor::ScalarKind;
using tensor::TensorOp;

namespace {

/// The step of \p index between neighbours of the dim at \p position, as an aligned vector of \p lanes sees it.
std::optional<int64_t> slope(const tensor::Index &index, int position, int64_t lanes) {
  int64_t sum = 0;
  bool isEven = true;
  tensor::forEachTerm(index, [&](const tensor::IndexNode &term, int64_t factor) {
    if (!mentions(term, position)) return;
    if (term.kind == IndexKind::Dim) {
      sum += factor;
      return;
    }
    // An aligned vector does not cross a boundary that is a multiple of its lanes.
    const bool isPart = term.kind == IndexKind::FloorDiv || term.kind == IndexKind::Mod;
    isEven = isEven && isPart && tensor::isDim(term.args[0], position) && term.high % lanes == 0;
    if (term.kind == IndexKind::Mod) sum += factor;
  });
  return isEven ? std::optional(sum) : std::nullopt;
}

}  // namespace

std::optional<int64_t> laneStride(const tensor::Kernel &kernel, const tensor::Access &access, int position,
                                  int64_t lanes) {
  const tensor::Layout &layout = kernel.buffers[static_cast<size_t>(access.buffer)].layout;
  const std::vector<int64_t> &shape = kernel.buffers[static_cast<size_t>(access.buffer)].shape;
  int64_t sum = 0;
  for (size_t k = 0; k < access.indices.size(); ++k) {
    std::optional<int64_t> step = slope(access.indices[k], position, lanes);
    if (!step) return std::nullopt;
    if (*step == 0) continue;
    int64_t stride = 1;
    int64_t innermost = 0;
    int64_t block = 0;
    for (size_t a = layout.axes.size(); a-- > 0;) {
      const tensor::LayoutAxis &axis = layout.axes[a];
      if (axis.dim == static_cast<int>(k)) {
        if (innermost == 0) {
          innermost = stride;
          block = axis.extent;
        } else if (block % lanes != 0 && shape[k] > block) {
          return std::nullopt;
        }
      }
      stride *= axis.extent;
    }
    sum += *step * innermost;
  }
  return sum;
}

namespace {

/// What a stage finally writes, and which of its writer's dims corresponds to one of the stage's.
struct FinalWrite {
  const tensor::Access &write;
  int position;
};

FinalWrite finalWrite(const tensor::Kernel &kernel, const tensor::TensorOp &op, int position) {
  const tensor::Access &write = op.writes[0];
  bool isTemporary = kernel.buffers[static_cast<size_t>(write.buffer)].role == tensor::BufferRole::Temporary;
  bool isBehind = false;  // stages of a scan may also read what is written behind them
  for (size_t s = 0; isTemporary && s < kernel.stages.size(); ++s) {
    const TensorOp &reader = kernel.stages[s];
    const bool reads = std::any_of(reader.reads.begin(), reader.reads.end(),
                                   [&](const tensor::Access &read) { return read.buffer == write.buffer; });
    const int dim = dimPosition(reader, op.dims[static_cast<size_t>(position)].name);
    if (isBehind && reads && !reduces(reader) && dim >= 0) return finalWrite(kernel, reader, dim);
    isBehind = isBehind || &reader == &op;
  }
  return {write, position};
}

/// A number that divides \p index wherever the dim at \p position is a multiple of \p step; 0 where it is always 0.
int64_t divisorOf(const tensor::Index &index, int position, int64_t step) {
  int64_t divisor = 0;
  tensor::forEachTerm(index, [&](const tensor::IndexNode &term, int64_t factor) {
    int64_t ofTerm = 1;
    if (term.kind == IndexKind::Constant) ofTerm = term.value;
    if (term.kind == IndexKind::Dim && term.value == position) ofTerm = step;
    if (term.kind == IndexKind::Mod) ofTerm = std::gcd(divisorOf(term.args[0], position, step), term.high);
    divisor = std::gcd(divisor, ofTerm * factor);
  });
  return divisor;
}

}  // namespace

std::optional<int64_t> outputStride(const tensor::Kernel &kernel, const tensor::TensorOp &op, int position,
                                    int64_t lanes) {
  const FinalWrite final = finalWrite(kernel, op, position);
  return laneStride(kernel, final.write, final.position, lanes);
}

bool keepsMultiples(const tensor::Index &index, int position, int64_t step) {
  return divisorOf(index, position, step) % step == 0;
}

int64_t lanesWithinBlocks(const tensor::Kernel &kernel, const tensor::TensorOp &op, int position, int64_t lanes) {
  const FinalWrite final = finalWrite(kernel, op, position);
  const tensor::Layout &layout = kernel.buffers[static_cast<size_t>(final.write.buffer)].layout;
  for (size_t k = 0; k < final.write.indices.size(); ++k) {
    const tensor::Index &index = final.write.indices[k];
    if (!mentions(index, final.position)) continue;
    for (const tensor::LayoutAxis &axis : layout.axes) {
      if (axis.dim != static_cast<int>(k) || axis.divisor == 1) continue;
      while (lanes > 1 && (axis.divisor % lanes != 0 || !keepsMultiples(index, final.position, lanes))) lanes /= 2;
    }
  }
  return lanes;
}

int64_t layoutBlock(const tensor::Kernel &kernel, const tensor::Access &access, int position) {
  const tensor::Layout &layout = kernel.buffers[static_cast<size_t>(access.buffer)].layout;
  for (size_t k = 0; k < access.indices.size(); ++k) {
    if (!tensor::isDim(access.indices[k], position)) continue;
    for (const tensor::LayoutAxis &axis : layout.axes) {
      if (axis.dim == static_cast<int>(k) && axis.divisor > 1) return axis.divisor;
    }
  }
  return 1;
}

namespace {

// The two reads whose product the body is, through casts.
std::optional<std::pair<int, int>> productOfReads(const tensor::Scalar &body) {
  auto strip = [](tensor::Scalar s) {
    while (s->kind == ScalarKind::Cast) s = s->args[0];
    return s;
  };
  tensor::Scalar product = strip(body);
  if (product->kind != ScalarKind::Apply || product->op != ScalarOp::Mul) return std::nullopt;
  tensor::Scalar a = strip(product->args[0]);
  tensor::Scalar b = strip(product->args[1]);
  if (a->kind != ScalarKind::Read || b->kind != ScalarKind::Read) return std::nullopt;
  return std::make_pair(a->position, b->position);
}

// How well `operand` can be loaded in vectors along `dim`, or -1 if it cannot: parameters are packed so that they can.
int vectorScore(const tensor::Kernel &kernel, const tensor::TensorOp &op, int operand, int dim, int64_t lanes) {
  const tensor::Access &access = op.reads[static_cast<size_t>(operand)];
  int score = 0;
  bool isParameter = kernel.buffers[static_cast<size_t>(access.buffer)].role == tensor::BufferRole::Parameter;
  if (!isParameter && laneStride(kernel, access, dim, lanes) != 1) return -1;
  if (isParameter) score += 1;
  if (outputStride(kernel, op, dim, lanes) == 1) score += 2;
  if (op.dims[static_cast<size_t>(dim)].extent >= lanes) score += 2;
  return score;
}

}  // namespace

std::optional<Contraction> findContraction(const tensor::Kernel &kernel, const tensor::TensorOp &op, int64_t lanes) {
  if (op.combiner.kind != tensor::CombinerKind::Sum || op.body.size() != 1) return std::nullopt;
  std::optional<std::pair<int, int>> reads = productOfReads(op.body[0]);
  if (!reads) return std::nullopt;
  std::optional<Contraction> best;
  int bestScore = -1;
  for (auto [vector, row] : {*reads, std::make_pair(reads->second, reads->first)}) {
    const tensor::Access &vectorAccess = op.reads[static_cast<size_t>(vector)];
    const tensor::Access &rowAccess = op.reads[static_cast<size_t>(row)];
    for (int dim : dimsOfKind(op, DimKind::Parallel)) {
      if (tensor::mentionsInsideLoad(vectorAccess, dim) || !mentions(vectorAccess, dim) || mentions(rowAccess, dim))
        continue;
      int score = vectorScore(kernel, op, vector, dim, lanes);
      if (score <= bestScore) continue;
      bestScore = score;
      best = Contraction{vector, row, dim, {}};
    }
  }
  if (!best) return std::nullopt;
  for (int dim : dimsOfKind(op, DimKind::Parallel)) {
    bool ofRow = mentions(op.reads[static_cast<size_t>(best->rowOperand)], dim);
    if (ofRow && !mentions(op.reads[static_cast<size_t>(best->vectorOperand)], dim)) best->rowDims.push_back(dim);
  }
  return best;
}

namespace {

/// Which index of \p indices is the dim at \p position itself; those found so far are in \p places.
void keepPlaces(const std::vector<tensor::Index> &indices, int position, std::optional<std::set<size_t>> &places) {
  std::set<size_t> plain;
  for (size_t k = 0; k < indices.size(); ++k) {
    if (tensor::isDim(indices[k], position) && (!places || places->contains(k))) plain.insert(k);
  }
  places = std::move(plain);
}

}  // namespace

bool isApartInScan(const tensor::Kernel &kernel, const std::string &name) {
  std::map<int, std::optional<std::set<size_t>>> places;  // by buffer that the scan writes
  for (const TensorOp &op : kernel.stages) {
    for (const tensor::Access &write : op.writes) {
      if (scans(op)) places[write.buffer] = std::nullopt;
    }
  }
  std::optional<int64_t> extent;
  for (const TensorOp &op : kernel.stages) {
    if (!scans(op)) continue;
    const int position = dimPosition(op, name);
    if (position < 0) return false;
    const tensor::Dim &dim = op.dims[static_cast<size_t>(position)];
    if (dim.kind != DimKind::Parallel || extent.value_or(dim.extent) != dim.extent) return false;
    extent = dim.extent;
    const auto keep = [&](int buffer, const std::vector<tensor::Index> &indices) {
      if (const auto written = places.find(buffer); written != places.end()) {
        keepPlaces(indices, position, written->second);
      }
    };
    const auto keepLoads = [&](const tensor::Index &index) {
      tensor::visit(index, [&](const tensor::IndexNode &node) {
        if (node.kind == IndexKind::Load) keep(node.buffer, node.args);
      });
    };
    for (const auto *accesses : {&op.reads, &op.writes}) {
      for (const tensor::Access &access : *accesses) {
        keep(access.buffer, access.indices);
        std::for_each(access.indices.begin(), access.indices.end(), keepLoads);
      }
    }
    for (const tensor::Scalar &body : op.body) tensor::visitIndices(body, keepLoads);
  }
  return extent && std::none_of(places.begin(), places.end(), [](const auto &entry) { return entry.second->empty(); });
}

std::optional<std::vector<int>> followedDims(const tensor::Kernel &kernel, int reader, int host,
                                             const Followers &followers) {
  const TensorOp &op = kernel.stages[static_cast<size_t>(reader)];
  const TensorOp &source = kernel.stages[static_cast<size_t>(host)];
  if (reduces(op) || scans(op) || scans(source)) return std::nullopt;
  std::vector<int> dims(op.dims.size(), -1);
  bool isReader = false;
  for (int from = host; from < reader; ++from) {
    const auto follower = followers.find(from);
    const bool isHeld = from == host || follower != followers.end();
    for (const tensor::Access &write : kernel.stages[static_cast<size_t>(from)].writes) {
      // An index may be loaded from anywhere: the whole buffer has to be there.
      if (tensor::loads(op, write.buffer)) return std::nullopt;
      for (const tensor::Access &read : op.reads) {
        if (read.buffer != write.buffer) continue;
        if (!isHeld) return std::nullopt;
        isReader = true;
        const std::optional<std::vector<int>> matched = tensor::matchedDims(write, read, dims.size());
        if (!matched) return std::nullopt;
        for (size_t d = 0; d < dims.size(); ++d) {
          const int written = (*matched)[d];
          if (written < 0) continue;
          const int hostDim = from == host ? written : follower->second[static_cast<size_t>(written)];
          if (dims[d] >= 0 && dims[d] != hostDim) return std::nullopt;
          dims[d] = hostDim;
        }
      }
    }
  }
  if (!isReader) return std::nullopt;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] < 0 || op.dims[d].extent != extent(source, dims[d])) return std::nullopt;
  }
  // Or elements would be computed several times.
  for (const int dim : dimsOfKind(source, DimKind::Parallel)) {
    const bool isShared = std::find(dims.begin(), dims.end(), dim) != dims.end();
    if (extent(source, dim) > 1 && !isShared) return std::nullopt;
  }
  return dims;
}

}  // namespace hone::schedule
