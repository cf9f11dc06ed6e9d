#include "measure/seeded_arguments.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "compiler/artifact/pack_parameter.h"

namespace hone::measure {

namespace {

using tensor::BufferRole;
using tensor::HostTensor;

/// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// In [-1, 1), a multiple of 2^-23: exact as a float, and 0 or far from a denormal.
  float real() { return static_cast<float>(static_cast<int64_t>(next() >> 40) - (int64_t{1} << 23)) * 0x1p-23F; }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
  }

 private:
  uint64_t state_;
};

/// For each buffer the least extent that an index loaded from it is used for; 0: none is.
void noteLoads(const tensor::Index &index, int64_t extent, std::vector<int64_t> &indexed) {
  if (index->kind == tensor::IndexKind::Load) {
    int64_t &least = indexed[static_cast<size_t>(index->buffer)];
    least = least == 0 ? extent : std::min(least, extent);
  }
  for (const tensor::Index &arg : index->args) noteLoads(arg, extent, indexed);
}

std::vector<int64_t> indexedExtents(const tensor::Kernel &kernel) {
  std::vector<int64_t> indexed(kernel.buffers.size(), 0);
  for (const tensor::TensorOp &stage : kernel.stages) {
    for (const auto *accesses : {&stage.reads, &stage.writes}) {
      for (const tensor::Access &access : *accesses) {
        const std::vector<int64_t> &shape = kernel.buffers[static_cast<size_t>(access.buffer)].shape;
        for (size_t d = 0; d < shape.size(); ++d) noteLoads(access.indices[d], std::max<int64_t>(shape[d], 1), indexed);
      }
    }
  }
  return indexed;
}

HostTensor fill(const tensor::Buffer &buffer, int64_t indexed, Random random) {
  HostTensor tensor = HostTensor::zeros(buffer.dtype, buffer.shape);
  const int64_t elements = tensor.elements();
  if (buffer.dtype == DType::F32) {
    for (int64_t i = 0; i < elements; ++i) {
      const float value = random.real();
      std::memcpy(tensor.bytes.data() + i * 4, &value, sizeof value);
    }
    return tensor;
  }
  int64_t low = isSigned(buffer.dtype) ? -8 : 0, high = low + 16;
  if (buffer.dtype == DType::Bool) high = 1;
  if (indexed > 0) low = 0, high = indexed - 1;
  for (int64_t i = 0; i < elements; ++i) {
    if (isFloat(buffer.dtype))
      tensor.setReal(i, random.real());
    else
      tensor.setInteger(i, random.between(low, high));
  }
  return tensor;
}

}  // namespace

std::vector<HostTensor> seededArguments(const tensor::Kernel &kernel, uint64_t seed) {
  const std::vector<int64_t> indexed = indexedExtents(kernel);
  std::vector<HostTensor> arguments(kernel.buffers.size());
  Random seeds(seed);
  for (size_t b = 0; b < kernel.buffers.size(); ++b) {
    const tensor::Buffer &buffer = kernel.buffers[b];
    const Random random(seeds.next());
    if (buffer.role != BufferRole::Input && buffer.role != BufferRole::Parameter) continue;
    arguments[b] = fill(buffer, indexed[b], random);
  }
  return arguments;
}

std::vector<char> inLayout(const std::vector<char> &data, const tensor::Buffer &buffer) {
  artifact::PackedParameter packed({data.data(), data.size()}, buffer.dtype, buffer.shape, buffer.layout);
  std::vector<char> bytes;
  bytes.reserve(static_cast<size_t>(packed.bytes()));
  for (int64_t piece = 0; piece < packed.pieces(); ++piece) {
    const std::string_view part = packed.piece(piece);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return bytes;
}

}  // namespace hone::measure
