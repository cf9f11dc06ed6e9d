#include "compiler/loop/region.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace hone::loop {
namespace {

// The box that `access` touches while the dims of its stage range over `region`.
Region accessedBox(Lowering &lowering, const tensor::Access &access, const Region &region) {
  std::set<int> inner;
  Point point;
  for (const Extent &extent : region) {
    IntExpr variable = lowering.freshVariable("u", 0, extent.size - 1);
    for (const IntExpr::Term &term : variable.terms()) inner.insert(term.atom->id);
    point.dims.push_back(extent.start + variable);
  }
  const std::vector<int64_t> &shape = lowering.buffer(access.buffer).shape;
  Region box;
  for (size_t k = 0; k < access.indices.size(); ++k) {
    IntExpr e = lowering.index(access.indices[k], point);
    IntExpr start = e.constant();
    IntExpr varying;
    bool linear = true;
    for (const IntExpr::Term &term : e.terms()) {
      bool isInner = term.atom->kind == AtomKind::Var && inner.contains(term.atom->id);
      (isInner ? varying : start) = (isInner ? varying : start) + fromAtom(term.atom) * term.coefficient;
      if (!isInner) {
        linear = linear && std::all_of(inner.begin(), inner.end(),
                                       [&](int id) { return coefficientOf(fromAtom(term.atom), id) == 0; });
      }
    }
    int64_t size = varying.high() - varying.low() + 1;
    if (!linear || size >= shape[k]) {
      box.push_back({0, shape[k]});
      continue;
    }
    // Near the buffer's ends the box is shifted inside: it then holds all of the part that exists.
    box.push_back({min(max(start + varying.low(), 0), shape[k] - size), size});
  }
  return box;
}

// The smallest box of the forms we can say that holds both.
void join(Region &box, const Region &other, const std::vector<int64_t> &shape) {
  for (size_t k = 0; k < box.size(); ++k) {
    if (box[k].start == other[k].start) {
      box[k].size = std::max(box[k].size, other[k].size);
    } else {
      box[k] = {0, shape[k]};
    }
  }
}

// The dim of the stage that `write` stores at buffer dim `k`, or -1 if the index is not a plain dim.
int writtenDim(const tensor::Access &write, size_t k) {
  const tensor::Index &index = write.indices[k];
  return index->kind == tensor::IndexKind::Dim ? static_cast<int>(index->value) : -1;
}

// Whether the places of all writes are plain dims and constants, and a part of the stage is one box of its buffer: the
// elements of a tuple lie at constants of one buffer.
bool writesPlainDims(const tensor::TensorOp &op) {
  const tensor::Access &first = op.writes[0];
  for (const tensor::Access &write : op.writes) {
    if (write.buffer != first.buffer) return false;
    for (size_t k = 0; k < write.indices.size(); ++k) {
      const bool isConstant = write.indices[k]->kind == tensor::IndexKind::Constant;
      if (writtenDim(write, k) != writtenDim(first, k) || (writtenDim(write, k) < 0 && !isConstant)) return false;
    }
  }
  return true;
}

}  // namespace

Region wholeRegion(const tensor::TensorOp &op) {
  Region region;
  for (const tensor::Dim &dim : op.dims) region.push_back({0, dim.extent});
  return region;
}

Point pointOfRegion(Lowering &lowering, const Region &region) {
  Point point;
  for (const Extent &extent : region) {
    point.dims.push_back(extent.start + lowering.freshVariable("u", 0, extent.size - 1));
  }
  return point;
}

std::vector<Region> requiredRegions(Lowering &lowering, const std::vector<int> &producers, int host,
                                    const Region &region) {
  std::vector<Region> regions(producers.size());
  // From the last to the first: each is asked by the host and by the producers after it.
  for (size_t i = producers.size(); i-- > 0;) {
    const tensor::TensorOp &op = lowering.stage(producers[i]);
    regions[i] = wholeRegion(op);
    for (const tensor::Access &write : op.writes) {
      const tensor::Buffer &buffer = lowering.buffer(write.buffer);
      std::optional<Region> box;
      auto ask = [&](const tensor::TensorOp &reader, const Region &part) {
        for (const tensor::Access &read : reader.reads) {
          if (read.buffer != write.buffer) continue;
          Region asked = accessedBox(lowering, read, part);
          if (box) {
            join(*box, asked, buffer.shape);
          } else {
            box = std::move(asked);
          }
        }
      };
      ask(lowering.stage(host), region);
      for (size_t j = i + 1; j < producers.size(); ++j) ask(lowering.stage(producers[j]), regions[j]);
      if (!writesPlainDims(op)) box = std::nullopt;
      for (size_t k = 0; box && k < box->size(); ++k) {
        const int dim = writtenDim(write, k);
        // The elements of a tuple are all computed, whichever of them is asked for.
        if (dim < 0) (*box)[k] = {0, buffer.shape[k]};
        if (dim >= 0) regions[i][static_cast<size_t>(dim)] = (*box)[k];
      }
      if (buffer.role == tensor::BufferRole::Temporary) {
        Region whole;
        for (int64_t extent : buffer.shape) whole.push_back({0, extent});
        lowering.placeInThreadScratch(write.buffer, box ? *box : whole);
      }
    }
  }
  return regions;
}

}  // namespace hone::loop
