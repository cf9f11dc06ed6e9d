#include "compiler/tensor/rewrite.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

namespace hone::tensor {
namespace {

/// \p node with other operands, through the constructors, which fold constants.
Index rebuild(const IndexNode &node, std::vector<Index> args) {
  switch (node.kind) {
    case IndexKind::Constant:
      return constant(node.value);
    case IndexKind::Dim:
      return dim(static_cast<int>(node.value));
    case IndexKind::Add:
      return args[0] + args[1];
    case IndexKind::Mul:
      if (args[1]->kind == IndexKind::Constant) return args[0] * args[1]->value;
      assert(args[0]->kind == IndexKind::Constant && "verify() wants a constant factor");
      return args[1] * args[0]->value;
    case IndexKind::FloorDiv:
      return floorDiv(args[0], node.high);
    case IndexKind::Mod:
      return mod(args[0], node.high);
    case IndexKind::Clamp:
      return clamp(args[0], node.low, node.high);
    case IndexKind::Load:
      return load(node.buffer, std::move(args));
  }
  return constant(0);
}

Scalar transform(const Scalar &scalar, const std::function<Index(const Index &)> &change) {
  ScalarNode node = *scalar;
  if (node.kind == ScalarKind::IndexValue) node.index = transform(node.index, change);
  for (Scalar &arg : node.args) arg = transform(arg, change);
  return std::make_shared<const ScalarNode>(std::move(node));
}

/// \p scalar with its reads renumbered; \p position gives a read's new position at its first use.
Scalar renumbered(const Scalar &scalar, const std::function<int(int)> &position) {
  ScalarNode node = *scalar;
  if (node.kind == ScalarKind::Read) node.position = position(node.position);
  for (Scalar &arg : node.args) arg = renumbered(arg, position);
  return std::make_shared<const ScalarNode>(std::move(node));
}

}  // namespace

Index transform(const Index &index, const std::function<Index(const Index &)> &change) {
  std::vector<Index> args;
  for (const Index &arg : index->args) args.push_back(transform(arg, change));
  return change(rebuild(*index, std::move(args)));
}

void transform(TensorOp &op, const std::function<Index(const Index &)> &change) {
  for (auto *accesses : {&op.reads, &op.writes}) {
    for (Access &access : *accesses) {
      for (Index &index : access.indices) index = transform(index, change);
    }
  }
  for (Scalar &scalar : op.body) scalar = transform(scalar, change);
}

Index substitute(const Index &index, const std::vector<Index> &dims) {
  // Not by transform(): what is put in must not be looked at again.
  if (index->kind == IndexKind::Dim) return dims[index->value];
  std::vector<Index> args;
  for (const Index &arg : index->args) args.push_back(substitute(arg, dims));
  return rebuild(*index, std::move(args));
}

Scalar substitute(const Scalar &scalar, const std::vector<Index> &dims) {
  ScalarNode node = *scalar;
  if (node.kind == ScalarKind::IndexValue) node.index = substitute(node.index, dims);
  for (Scalar &arg : node.args) arg = substitute(arg, dims);
  return std::make_shared<const ScalarNode>(std::move(node));
}

void substitute(TensorOp &op, const std::vector<Index> &dims) {
  for (auto *accesses : {&op.reads, &op.writes}) {
    for (Access &access : *accesses) {
      for (Index &index : access.indices) index = substitute(index, dims);
    }
  }
  for (Scalar &scalar : op.body) scalar = substitute(scalar, dims);
}

void visit(const Index &index, const std::function<void(const IndexNode &)> &function) {
  function(*index);
  for (const Index &arg : index->args) visit(arg, function);
}

void visitIndices(const Scalar &scalar, const std::function<void(const Index &)> &function) {
  if (scalar->kind == ScalarKind::IndexValue) function(scalar->index);
  for (const Scalar &arg : scalar->args) visitIndices(arg, function);
}

bool loads(const TensorOp &op, int buffer) {
  bool result = false;
  const auto look = [&](const Index &index) {
    visit(index, [&](const IndexNode &node) { result |= node.kind == IndexKind::Load && node.buffer == buffer; });
  };
  for (const auto *accesses : {&op.reads, &op.writes}) {
    for (const Access &access : *accesses) std::for_each(access.indices.begin(), access.indices.end(), look);
  }
  for (const Scalar &scalar : op.body) visitIndices(scalar, look);
  return result;
}

bool isSame(const Index &a, const Index &b) {
  if (a == b) return true;
  return a->kind == b->kind && a->value == b->value && a->low == b->low && a->high == b->high &&
         a->buffer == b->buffer &&
         std::equal(a->args.begin(), a->args.end(), b->args.begin(), b->args.end(),
                    [](const Index &x, const Index &y) { return isSame(x, y); });
}

bool isSame(const Access &a, const Access &b) {
  // By bits: NaN is itself, and 0 is not -0.
  const auto bitsOf = [](double value) { return std::bit_cast<uint64_t>(value); };
  return a.buffer == b.buffer && a.outside.has_value() == b.outside.has_value() &&
         (!a.outside || bitsOf(*a.outside) == bitsOf(*b.outside)) &&
         std::equal(a.indices.begin(), a.indices.end(), b.indices.begin(), b.indices.end(),
                    [](const Index &x, const Index &y) { return isSame(x, y); });
}

void orderReads(TensorOp &op) {
  std::vector<Access> ordered;
  std::vector<int> positions(op.reads.size(), -1);
  for (Scalar &scalar : op.body) {
    scalar = renumbered(scalar, [&](int old) {
      if (positions[old] >= 0) return positions[old];
      const Access &read = op.reads[old];
      const auto same =
          std::find_if(ordered.begin(), ordered.end(), [&](const Access &each) { return isSame(each, read); });
      positions[old] = static_cast<int>(same - ordered.begin());
      if (same == ordered.end()) ordered.push_back(read);
      return positions[old];
    });
  }
  op.reads = std::move(ordered);
}

Scalar substituteReads(const Scalar &scalar, const std::vector<Scalar> &reads) {
  if (scalar->kind == ScalarKind::Read) return reads[static_cast<size_t>(scalar->position)];
  if (scalar->args.empty()) return scalar;
  ScalarNode node = *scalar;
  for (Scalar &arg : node.args) arg = substituteReads(arg, reads);
  return std::make_shared<const ScalarNode>(std::move(node));
}

void renumberBuffers(TensorOp &op, const std::vector<int> &positions) {
  for (auto *accesses : {&op.reads, &op.writes})
    for (Access &access : *accesses) access.buffer = positions[static_cast<size_t>(access.buffer)];
  transform(op, [&](const Index &index) {
    return index->kind == IndexKind::Load ? load(positions[static_cast<size_t>(index->buffer)], index->args) : index;
  });
}

std::vector<Index> identityDims(size_t count) {
  std::vector<Index> result;
  for (size_t d = 0; d < count; ++d) result.push_back(dim(static_cast<int>(d)));
  return result;
}

std::string freshName(std::string wanted, const std::function<bool(const std::string &)> &taken) {
  while (taken(wanted)) wanted.push_back('_');
  return wanted;
}

std::string freshBufferName(const Kernel &kernel, std::string wanted) {
  return freshName(std::move(wanted), [&](const std::string &name) {
    return std::any_of(kernel.buffers.begin(), kernel.buffers.end(), [&](const Buffer &b) { return b.name == name; });
  });
}

std::string freshStageName(const Kernel &kernel, std::string wanted) {
  return freshName(std::move(wanted), [&](const std::string &name) {
    return std::any_of(kernel.stages.begin(), kernel.stages.end(), [&](const TensorOp &s) { return s.name == name; });
  });
}

std::string freshDimName(const TensorOp &op, std::string wanted) {
  return freshName(std::move(wanted), [&](const std::string &name) {
    return std::any_of(op.dims.begin(), op.dims.end(), [&](const Dim &d) { return d.name == name; });
  });
}

int addBuffer(Kernel &kernel, std::string wantedName, DType dtype, std::vector<int64_t> shape, BufferRole role) {
  Buffer buffer;
  buffer.name = freshBufferName(kernel, std::move(wantedName));
  buffer.dtype = dtype;
  buffer.layout = Layout::rowMajor(shape);
  buffer.shape = std::move(shape);
  buffer.role = role;
  kernel.buffers.push_back(std::move(buffer));
  return static_cast<int>(kernel.buffers.size()) - 1;
}

}  // namespace hone::tensor
