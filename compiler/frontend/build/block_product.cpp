#include "compiler/frontend/build/block_product.h"

#include "compiler/tensor/kernel_builder.h"

namespace hone::frontend {

using tensor::Index;
using tensor::Scalar;

tensor::Kernel blockProductKernel(const BlockProduct &product) {
  const int64_t perByte = 8 / product.bits, bytes = product.size / perByte;
  const int64_t tiles = product.tiles(), tile = product.tile(), blocks = product.blocks;
  tensor::KernelBuilder b("block_product");
  const int data = b.input("data", {product.rows, blocks * product.size}, product.dtype);
  const int packed = b.input("packed", {tiles, blocks, bytes, tile}, DType::U8);
  const int scales = b.input("scales", {tiles, blocks, tile}, product.dtype);
  const int zeros = b.input("zeros", {tiles, blocks, tile}, product.dtype);
  const int result = b.output("result", {product.rows, product.columns}, product.dtype);
  b.begin("product", {tensor::parallel("m", product.rows), tensor::parallel("tile", tiles), tensor::parallel("n", tile),
                      tensor::reduce("block", blocks), tensor::reduce("byte", bytes)});
  b.fold(tensor::CombinerKind::Sum);
  const Index m = tensor::dim(0), t = tensor::dim(1), n = tensor::dim(2), block = tensor::dim(3), at = tensor::dim(4);
  const auto byte = [](int64_t value) { return tensor::number(static_cast<double>(value), DType::U8); };
  const Scalar zero = b.get(zeros, {t, block, n});
  Scalar sum;
  for (int64_t i = 0; i < perByte; ++i) {
    Scalar weight = b.get(packed, {t, block, at, n});
    if (i > 0) weight = tensor::apply(ScalarOp::ShiftRight, {weight, byte(i * product.bits)});
    if (perByte > 1) weight = tensor::apply(ScalarOp::BitAnd, {weight, byte((1 << product.bits) - 1)});
    const Scalar element = b.get(data, {m, block * product.size + at * perByte + i});
    const Scalar term = element * (tensor::cast(product.dtype, weight) - zero);
    sum = sum ? sum + term : term;
  }
  b.put(sum * b.get(scales, {t, block, n}), result, {m, t * tile + n});
  return b.finish();
}

}  // namespace hone::frontend
