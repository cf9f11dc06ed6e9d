#include "tests/support/arguments.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "tests/support/random.h"

namespace hone::tensor::testing {
namespace {

using hone::testing::Random;

/// For every buffer the largest extent that an index loaded from it is used for; 0 when none is.
void noteLoads(const Index &index, int64_t extent, std::vector<int64_t> &indexed) {
  if (index->kind == IndexKind::Load) indexed[index->buffer] = std::max(indexed[index->buffer], extent);
  for (const Index &arg : index->args) noteLoads(arg, extent, indexed);
}

std::vector<int64_t> indexedExtents(const Kernel &kernel) {
  std::vector<int64_t> indexed(kernel.buffers.size(), 0);
  for (const TensorOp &op : kernel.stages) {
    for (const auto *accesses : {&op.reads, &op.writes}) {
      for (const Access &access : *accesses) {
        const std::vector<int64_t> &shape = kernel.buffers[access.buffer].shape;
        for (size_t d = 0; d < shape.size(); ++d) noteLoads(access.indices[d], shape[d], indexed);
      }
    }
  }
  return indexed;
}

template <typename Function>
void forEachIndex(const std::vector<int64_t> &shape, const Function &visit) {
  std::vector<int64_t> index(shape.size());
  const int64_t elements = elementsOf(shape);
  for (int64_t i = 0; i < elements; ++i) {
    int64_t rest = i;
    for (size_t d = shape.size(); d-- > 0; rest /= shape[d]) index[d] = rest % shape[d];
    visit(i, index);
  }
}

}  // namespace

std::vector<HostTensor> randomArguments(const Kernel &kernel, uint64_t seed) {
  Random random(seed);
  const std::vector<int64_t> indexed = indexedExtents(kernel);
  std::vector<HostTensor> result;
  for (size_t b = 0; b < kernel.buffers.size(); ++b) {
    const Buffer &buffer = kernel.buffers[b];
    if (buffer.role != BufferRole::Input && buffer.role != BufferRole::Parameter) continue;
    HostTensor tensor = HostTensor::zeros(buffer.dtype, buffer.shape);
    const int64_t lowest = isSigned(buffer.dtype) ? -10 : 0;
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      if (isFloat(buffer.dtype)) {
        tensor.setReal(i, random.real(-1, 1));
      } else if (indexed[b] > 0) {
        const bool inside = random.chance(80);
        tensor.setInteger(i, inside ? random.between(0, indexed[b] - 1)
                                    : random.between(isSigned(buffer.dtype) ? -3 : 0, indexed[b] + 3));
      } else {
        tensor.setInteger(i, buffer.dtype == DType::Bool ? random.between(0, 1) : random.between(lowest, 20 + lowest));
      }
    }
    result.push_back(std::move(tensor));
  }
  return result;
}

std::vector<char> toLayout(const HostTensor &tensor, const Layout &layout) {
  const int64_t size = sizeOf(tensor.dtype);
  std::vector<char> bytes(static_cast<size_t>(layout.elements() * size), 0);
  forEachIndex(tensor.shape, [&](int64_t i, const std::vector<int64_t> &index) {
    std::memcpy(bytes.data() + layout.offset(index) * size, tensor.bytes.data() + i * size, static_cast<size_t>(size));
  });
  return bytes;
}

HostTensor fromLayout(const std::vector<char> &bytes, DType dtype, const std::vector<int64_t> &shape,
                      const Layout &layout) {
  HostTensor tensor = HostTensor::zeros(dtype, shape);
  const int64_t size = sizeOf(dtype);
  forEachIndex(shape, [&](int64_t i, const std::vector<int64_t> &index) {
    std::memcpy(tensor.bytes.data() + i * size, bytes.data() + layout.offset(index) * size, static_cast<size_t>(size));
  });
  return tensor;
}

std::vector<HostTensor> argumentsOf(const Kernel &before, const Rewrite &rewrite,
                                    const std::vector<HostTensor> &arguments) {
  std::map<int, HostTensor> given;
  for (size_t b = 0; b < before.buffers.size(); ++b)
    if (before.buffers[b].role == BufferRole::Input || before.buffers[b].role == BufferRole::Parameter)
      given.emplace(static_cast<int>(b), arguments[given.size()]);
  std::vector<HostTensor> result;
  for (size_t b = 0; b < rewrite.kernel.buffers.size(); ++b) {
    const Buffer &buffer = rewrite.kernel.buffers[b];
    if (buffer.role != BufferRole::Input && buffer.role != BufferRole::Parameter) continue;
    if (rewrite.origins[b] >= 0) {
      result.push_back(given.at(rewrite.origins[b]));
      continue;
    }
    for (const DerivedParameter &derived : rewrite.derived) {
      if (derived.buffer != static_cast<int>(b)) continue;
      const HostTensor &source = given.at(derived.source);
      result.push_back({buffer.dtype, buffer.shape,
                        transformed(derived.transform, {source.bytes.data(), source.bytes.size()}, source.shape)});
    }
  }
  return result;
}

}  // namespace hone::tensor::testing
