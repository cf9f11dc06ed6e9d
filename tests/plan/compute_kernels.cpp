#include "tests/plan/compute_kernels.h"

#include "absl/strings/str_cat.h"
#include "compiler/tensor/kernel_builder.h"
#include "compiler/tensor/rewrite.h"

namespace hone::plan {
namespace {

using tensor::Dim;
using tensor::Index;
using tensor::KernelBuilder;
using tensor::Scalar;
using Shape = std::vector<int64_t>;

std::vector<Dim> parallelDims(const Shape &shape, const char *name = "d") {
  std::vector<Dim> dims;
  for (size_t i = 0; i < shape.size(); ++i) dims.push_back(tensor::parallel(absl::StrCat(name, i), shape[i]));
  return dims;
}

}  // namespace

tensor::Kernel runningSum(const Shape &shape) {
  const Shape rows(shape.begin(), shape.end() - 1);
  KernelBuilder b("running_sum");
  const int x = b.input("x", shape), total = b.temporary("total", rows), y = b.output("y", shape);
  std::vector<Dim> dims = parallelDims(rows);
  b.begin("start", dims);
  b.put(tensor::f32(0), total, tensor::identityDims(rows.size()));
  dims.insert(dims.begin(), tensor::scan("t", shape.back()));
  std::vector<Index> row;
  for (size_t i = 0; i < rows.size(); ++i) row.push_back(tensor::dim(static_cast<int>(i) + 1));
  std::vector<Index> element = row;
  element.push_back(tensor::dim(0));
  b.begin("add", dims);
  b.put(b.get(total, row) + b.get(x, element), total, row);
  b.begin("keep", dims);
  b.put(b.get(total, row), y, element);
  return b.finish();
}

tensor::Kernel scatterAdd(const Shape &shape, const Shape &indices) {
  Shape updated(shape.begin() + 1, shape.end());
  updated.insert(updated.begin(), indices.begin(), indices.end());
  KernelBuilder b("scatter_add");
  const int x = b.input("x", shape), i = b.input("indices", indices, DType::I64), u = b.input("updates", updated);
  const int y = b.output("y", shape);
  b.begin("copy", parallelDims(shape));
  b.put(b.get(x, tensor::identityDims(shape.size())), y, tensor::identityDims(shape.size()));
  std::vector<Dim> dims;
  for (size_t d = 0; d < updated.size(); ++d) {
    const bool isScan = d < indices.size();
    dims.push_back({absl::StrCat("u", d), updated[d], isScan ? tensor::DimKind::Scan : tensor::DimKind::Parallel});
  }
  std::vector<Index> place = tensor::identityDims(updated.size());
  place.erase(place.begin(), place.begin() + static_cast<std::ptrdiff_t>(indices.size()));
  place.insert(place.begin(), tensor::mod(tensor::load(i, tensor::identityDims(indices.size())), shape[0]));
  b.begin("add", dims);
  b.put(b.get(y, place) + b.get(u, tensor::identityDims(updated.size())), y, place);
  return b.finish();
}

tensor::Kernel neighbours(const Shape &shape) {
  const Shape rows(shape.begin(), shape.end() - 1);
  const size_t last = rows.size();
  KernelBuilder b("neighbours");
  const int x = b.input("x", shape), least = b.temporary("least", rows), y = b.output("y", shape);
  std::vector<Dim> dims = parallelDims(shape);
  std::vector<Index> element = tensor::identityDims(shape.size()), next = element;
  const std::vector<Index> row = tensor::identityDims(last);
  next[last] = next[last] + 1;
  dims[last].kind = tensor::DimKind::Reduction;
  b.begin("least", dims);
  b.fold(tensor::CombinerKind::Min);
  b.put(b.get(x, element), least, row);
  dims[last].kind = tensor::DimKind::Parallel;
  b.begin("larger", dims);
  const Scalar larger = tensor::maximum(b.get(x, element), b.get(x, next, -1));
  b.put(larger - b.get(least, row), y, element);
  return b.finish();
}

tensor::Kernel clampedGather(const Shape &shape, const Shape &indices) {
  Shape gathered(shape.begin() + 1, shape.end());
  gathered.insert(gathered.begin(), indices.begin(), indices.end());
  KernelBuilder b("clamped_gather");
  const int i = b.input("indices", indices, DType::I64), x = b.input("x", shape);
  const int place = b.temporary("place", indices, DType::I32), y = b.output("y", gathered);
  b.begin("place", parallelDims(indices));
  const std::vector<Index> from = tensor::identityDims(indices.size());
  const Index clamped = tensor::clamp(tensor::load(i, from), 0, shape[0] - 1);
  b.put(tensor::cast(DType::I32, tensor::indexValue(clamped)), place, from);
  b.begin("take", parallelDims(gathered));
  std::vector<Index> to = tensor::identityDims(gathered.size()), source = to;
  source.erase(source.begin(), source.begin() + static_cast<std::ptrdiff_t>(indices.size()));
  source.insert(source.begin(), tensor::clamp(tensor::load(place, from), 0, shape[0] - 1));
  b.put(b.get(x, source), y, to);
  return b.finish();
}

}  // namespace hone::plan
