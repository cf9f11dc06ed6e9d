// What rewrites of kernels share: substitution of dims, walks over indices, fresh names. Pure functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

/// \p index with every dim replaced by the expression of its position in \p dims.
Index substitute(const Index &index, const std::vector<Index> &dims);
/// The same for the indices inside a body.
Scalar substitute(const Scalar &scalar, const std::vector<Index> &dims);
/// The same for all reads, writes and bodies of \p op. Its dims are the caller's to replace.
void substitute(TensorOp &op, const std::vector<Index> &dims);

/// \p index with every node rebuilt bottom-up and then given to \p change, which returns what stands for it.
Index transform(const Index &index, const std::function<Index(const Index &)> &change);
/// The same for every index of \p op: of accesses, and inside bodies.
void transform(TensorOp &op, const std::function<Index(const Index &)> &change);

/// Calls \p visit for every node of \p index.
void visit(const Index &index, const std::function<void(const IndexNode &)> &visit);
/// Calls \p visit for every index in \p scalar (those of IndexValues, whole).
void visitIndices(const Scalar &scalar, const std::function<void(const Index &)> &visit);

/// Whether \p op loads an index from \p buffer, for an access or in its body.
bool loads(const TensorOp &op, int buffer);

/// Whether two expressions are the same tree.
bool isSame(const Index &a, const Index &b);
bool isSame(const Access &a, const Access &b);

/// Puts the reads of \p op into the order in which its body uses them, each once, and drops those that it does not use.
void orderReads(TensorOp &op);

/// \p scalar with the expression of its position in \p reads for every read. Nodes that stood in several places still
/// do.
Scalar substituteReads(const Scalar &scalar, const std::vector<Scalar> &reads);
/// \p op with every buffer at its new position; it uses none whose new position is negative.
void renumberBuffers(TensorOp &op, const std::vector<int> &positions);

/// dim(0) … dim(count - 1): the substitution that changes nothing.
std::vector<Index> identityDims(size_t count);

/// \p wanted, with underscores appended until \p taken says no.
std::string freshName(std::string wanted, const std::function<bool(const std::string &)> &taken);
std::string freshBufferName(const Kernel &kernel, std::string wanted);
std::string freshStageName(const Kernel &kernel, std::string wanted);
std::string freshDimName(const TensorOp &op, std::string wanted);

/// Appends a row-major buffer and returns its position.
int addBuffer(Kernel &kernel, std::string wantedName, DType dtype, std::vector<int64_t> shape, BufferRole role);

}  // namespace hone::tensor
