// Questions about the dims of a stage: which there are, where indices mention them, and which of them a reader shares
// with a writer. Pure functions; thread-safe.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

/// The position of the dim of that name, or -1.
int dimPosition(const TensorOp &op, std::string_view name);
std::vector<int> dimsOfKind(const TensorOp &op, DimKind kind);
bool reduces(const TensorOp &op);
bool scans(const TensorOp &op);

/// Whether the dim at \p position occurs in it, be it inside a load.
bool mentions(const IndexNode &index, int position);
bool mentions(const Index &index, int position);
bool mentions(const Access &access, int position);
/// Whether it occurs inside an index that is loaded from a buffer.
bool mentionsInsideLoad(const Index &index, int position);
bool mentionsInsideLoad(const Access &access, int position);
/// In any access or body.
bool mentionsInsideLoad(const TensorOp &op, int position);

/// Whether \p index is the dim at \p position and nothing else.
bool isDim(const Index &index, int position);
/// Whether \p index is a dim or a constant.
bool isPlain(const Index &index);
bool isPlain(const Access &access);

/// For each of a reader's \p count dims the dim of the writer whose elements it finds, -1 where \p read does not use
/// the dim; nothing unless the two accesses hold in every place the same constant, or each a dim, and always the same
/// two.
std::optional<std::vector<int>> matchedDims(const Access &write, const Access &read, size_t count);

}  // namespace hone::tensor
