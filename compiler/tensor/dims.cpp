#include "compiler/tensor/dims.h"

#include <algorithm>

namespace hone::tensor {

int dimPosition(const TensorOp &op, std::string_view name) {
  for (size_t d = 0; d < op.dims.size(); ++d) {
    if (op.dims[d].name == name) return static_cast<int>(d);
  }
  return -1;
}

std::vector<int> dimsOfKind(const TensorOp &op, DimKind kind) {
  std::vector<int> dims;
  for (size_t d = 0; d < op.dims.size(); ++d) {
    if (op.dims[d].kind == kind) dims.push_back(static_cast<int>(d));
  }
  return dims;
}

bool reduces(const TensorOp &op) { return op.combiner.kind != CombinerKind::None; }

bool scans(const TensorOp &op) {
  return std::any_of(op.dims.begin(), op.dims.end(), [](const Dim &dim) { return dim.kind == DimKind::Scan; });
}

bool mentions(const IndexNode &index, int position) {
  if (index.kind == IndexKind::Dim) return index.value == position;
  return std::any_of(index.args.begin(), index.args.end(), [&](const Index &arg) { return mentions(*arg, position); });
}

bool mentions(const Index &index, int position) { return mentions(*index, position); }

bool mentions(const Access &access, int position) {
  return std::any_of(access.indices.begin(), access.indices.end(),
                     [&](const Index &index) { return mentions(*index, position); });
}

bool mentionsInsideLoad(const Index &index, int position) {
  if (index->kind == IndexKind::Load) return mentions(index, position);
  return std::any_of(index->args.begin(), index->args.end(),
                     [&](const Index &arg) { return mentionsInsideLoad(arg, position); });
}

bool mentionsInsideLoad(const Access &access, int position) {
  return std::any_of(access.indices.begin(), access.indices.end(),
                     [&](const Index &index) { return mentionsInsideLoad(index, position); });
}

namespace {

bool mentionsInsideLoad(const Scalar &scalar, int position) {
  if (scalar->kind == ScalarKind::IndexValue) return tensor::mentionsInsideLoad(scalar->index, position);
  return std::any_of(scalar->args.begin(), scalar->args.end(),
                     [&](const Scalar &arg) { return mentionsInsideLoad(arg, position); });
}

}  // namespace

bool mentionsInsideLoad(const TensorOp &op, int position) {
  const auto inAccess = [&](const Access &access) { return mentionsInsideLoad(access, position); };
  return std::any_of(op.reads.begin(), op.reads.end(), inAccess) ||
         std::any_of(op.writes.begin(), op.writes.end(), inAccess) ||
         std::any_of(op.body.begin(), op.body.end(),
                     [&](const Scalar &body) { return mentionsInsideLoad(body, position); });
}

bool isDim(const Index &index, int position) { return index->kind == IndexKind::Dim && index->value == position; }

bool isPlain(const Index &index) { return index->kind == IndexKind::Dim || index->kind == IndexKind::Constant; }

bool isPlain(const Access &access) {
  return std::all_of(access.indices.begin(), access.indices.end(), [](const Index &index) { return isPlain(index); });
}

std::optional<std::vector<int>> matchedDims(const Access &write, const Access &read, size_t count) {
  std::vector<int> dims(count, -1);
  for (size_t k = 0; k < read.indices.size(); ++k) {
    const IndexNode &from = *write.indices[k], &to = *read.indices[k];
    if (from.kind == IndexKind::Constant && to.kind == IndexKind::Constant && from.value == to.value) continue;
    if (from.kind != IndexKind::Dim || to.kind != IndexKind::Dim) return std::nullopt;
    int &dim = dims[static_cast<size_t>(to.value)];
    if (dim >= 0 && dim != from.value) return std::nullopt;
    dim = static_cast<int>(from.value);
  }
  return dims;
}

}  // namespace hone::tensor
