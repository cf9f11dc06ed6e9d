// Weights as small integers, several to a byte, with a scale and a zero point for each block of a row.
#include <algorithm>

#include "compiler/base/status.h"
#include "compiler/frontend/build/block_product.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/frontend/onnx/microsoft_operators.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

/// The integers of \p bits bits that lie in the bytes \p packed, one behind the other in the last dim; the lower bits
/// come first.
Result unpacked(Builder &build, Result packed, int64_t bits) {
  if (!packed.ok() || bits == 8) return packed;
  const auto byte = [&](int64_t value) { return build.integer(DType::U8, value); };
  Shape single = build.shape(*packed), together = single;
  single.push_back(1);
  together.back() *= 8 / bits;
  std::vector<Result> parts;
  for (int64_t shift = 0; shift < 8; shift += bits) {
    Result moved = shift == 0 ? packed : build.apply(Op::ShiftRight, {packed, byte(shift)});
    parts.push_back(build.reshape(build.apply(Op::BitAnd, {moved, byte((1 << bits) - 1)}), single));
  }
  return build.reshape(build.concat(parts, static_cast<int64_t>(single.size()) - 1), together);
}

/// The first \p count elements of the last dim.
Result firstOfLast(Builder &build, const Result &data, int64_t count) {
  if (!data.ok()) return data;
  Shape shape = build.shape(*data);
  const Shape starts(shape.size(), 0), steps(shape.size(), 1);
  if (count > shape.back()) return invalid("shape ", graph::shapeText(shape), " holds fewer than ", count, " elements");
  shape.back() = count;
  return build.slice(data, starts, steps, shape);
}

/// Rows of blocks: integers [rows…, blocks * size or fewer], scales and zero points [rows…, blocks].
struct Blocks {
  Result integers, scales;
  std::optional<Result> zeros;  ///< otherwise the middle of the range
  int64_t bits = 4, size = 32;
};

/// (integer - zero) * scale; the integers of a last block that is not full belong to it all the same.
Result dequantised(Builder &build, const Blocks &blocks) {
  for (const Result *operand : {&blocks.integers, &blocks.scales}) {
    if (!operand->ok()) return *operand;
  }
  const DType dtype = build.dtype(*blocks.scales);
  const Shape given = build.shape(*blocks.integers);
  Shape factor = build.shape(*blocks.scales), whole = given, divided = factor;
  const int64_t count = factor.back();
  if (given.size() != factor.size() || count != (given.back() + blocks.size - 1) / blocks.size) {
    return invalid("scales ", graph::shapeText(factor), " are not those of ", graph::shapeText(given),
                   " integers in blocks of ", blocks.size);
  }
  graph::PadAttributes behind{Shape(2 * given.size(), 0), graph::PadMode::Constant, 0};
  behind.pads.back() = count * blocks.size - given.back();
  divided.push_back(blocks.size);
  factor.push_back(1);
  whole.back() = count * blocks.size;
  Result data = build.cast(build.reshape(build.pad(blocks.integers, behind), divided), dtype);
  Result zero = blocks.zeros ? build.reshape(build.cast(*blocks.zeros, dtype), factor)
                             : build.number(dtype, static_cast<double>(int64_t{1} << (blocks.bits - 1)));
  Result centred = build.apply(Op::Sub, {data, zero});
  Result real = build.apply(Op::Mul, {centred, build.reshape(blocks.scales, factor)});
  return firstOfLast(build, build.reshape(real, whole), given.back());
}

/// With this many rows of data, making numbers of the weights takes longer than the product.
constexpr int64_t kFewRows = 8;

int64_t dataRows(const Builder &build, ValueId data) {
  const Shape &shape = build.shape(data);
  return shape.empty() ? 0 : build.type(data).elements() / std::max<int64_t>(shape.back(), 1);
}

/// The extents of a matrix of weights.
struct WeightShape {
  int64_t rows, columns, blocks;
};

/// \p data times the weights [columns, blocks, bytes of a block], which stay as they are; see BlockProduct.
Result packedProduct(Builder &build, ValueId data, ValueId weights, const Blocks &blocks, const WeightShape &shape) {
  if (!blocks.scales.ok()) return blocks.scales;
  Shape result = build.shape(data);
  if (result.empty() || result.back() != shape.rows) {
    return invalid("data ", graph::shapeText(result), " does not have rows of ", shape.rows);
  }
  const DType given = build.dtype(data), dtype = accumulatorOf(given);
  BlockProduct product{dtype, dataRows(build, data), shape.columns, shape.blocks, blocks.size, blocks.bits};
  const int64_t tiles = product.tiles(), tile = product.tile(), bytes = blocks.size * blocks.bits / 8;
  const auto tiled = [&](const Result &factors) {
    return build.transpose(build.reshape(build.cast(factors, dtype), {tiles, tile, shape.blocks}), {0, 2, 1});
  };
  Result packed = build.transpose(build.reshape(weights, {tiles, tile, shape.blocks, bytes}), {0, 2, 3, 1});
  Result zeros = blocks.zeros ? tiled(*blocks.zeros)
                              : build.broadcast(build.number(dtype, static_cast<double>(1 << (blocks.bits - 1))),
                                                {tiles, shape.blocks, tile});
  graph::PadAttributes behind{{0, 0, 0, shape.blocks * blocks.size - shape.rows}, graph::PadMode::Constant, 0};
  Result rows = build.pad(build.cast(build.reshape(data, {product.rows, shape.rows}), dtype), behind);
  Result sums = build.compute(blockProductKernel(product), {rows, packed, tiled(blocks.scales), zeros});
  result.back() = shape.columns;
  return build.cast(build.reshape(sums, result), given);
}

absl::StatusOr<int64_t> readBits(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t bits, node.integer("bits", 4));
  if (bits == 2 || bits == 4 || bits == 8) return bits;
  return unsupported("weights of ", bits, " bits; 2, 4 and 8 are supported");
}

absl::StatusOr<int64_t> readBlockSize(const NodeContext &node, std::optional<int64_t> otherwise) {
  HONE_ASSIGN_OR_RETURN(int64_t size, node.integer("block_size", otherwise));
  if (size >= 1 && size <= (1 << 20)) return size;
  return invalid("attribute 'block_size' is ", size);
}

absl::Status checkBytes(const NodeContext &node, int position) {
  if (node.dtype(position) == DType::U8) return absl::OkStatus();
  return unsupported("operand ", position, " is ", graph::typeText(node.build.type(node.input(position))),
                     "; packed integers are supported in uint8");
}

}  // namespace

// The weights are [columns, blocks, bytes of a block]: the transposed matrix.
Result importMatMulNBits(NodeContext &node) {
  constexpr int kWeights = 1, kScales = 2, kZeros = 3, kGroups = 4, kBias = 5;
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t rows, node.integer("K"));
  HONE_ASSIGN_OR_RETURN(int64_t columns, node.integer("N"));
  Blocks blocks;
  HONE_ASSIGN_OR_RETURN(blocks.bits, readBits(node));
  HONE_ASSIGN_OR_RETURN(blocks.size, readBlockSize(node, std::nullopt));
  HONE_ASSIGN_OR_RETURN(int64_t prepacked, node.integer("weight_prepacked", 0));
  if (node.has(kGroups) || prepacked != 0) {
    return unsupported(prepacked != 0 ? "weights that are packed for a GPU" : "operand 4 (g_idx), an order of the rows",
                       "; quantise the model without it");
  }
  HONE_RETURN_IF_ERROR(checkBytes(node, kWeights));
  if (rows < 1 || columns < 1 || rows > build.type(node.input(kWeights)).elements() * 8) {
    return invalid("attributes 'K' and 'N' are ", rows, " and ", columns);
  }
  const int64_t count = (rows + blocks.size - 1) / blocks.size;
  Result packed = build.reshape(node.input(kWeights), {columns, count * blocks.size * blocks.bits / 8});
  blocks.integers = firstOfLast(build, unpacked(build, packed, blocks.bits), rows);
  blocks.scales = build.reshape(node.input(kScales), {columns, count});
  if (node.has(kZeros) && isFloat(node.dtype(kZeros))) {
    blocks.zeros = build.reshape(node.input(kZeros), {columns, count});
  } else if (node.has(kZeros)) {
    HONE_RETURN_IF_ERROR(checkBytes(node, kZeros));
    Result bytes = build.reshape(node.input(kZeros), {columns, (count * blocks.bits + 7) / 8});
    blocks.zeros = firstOfLast(build, unpacked(build, bytes, blocks.bits), count);
  }
  Result product;
  if (dataRows(build, node.input(0)) <= kFewRows) {
    product = packedProduct(build, node.input(0), node.input(kWeights), blocks, {rows, columns, count});
  } else {
    HONE_ASSIGN_OR_RETURN(ValueId weights, dequantised(build, blocks));
    product = build.matMul(node.input(0), build.cast(weights, node.dtype(0)), false, true);
  }
  return node.has(kBias) ? build.apply(Op::Add, {product, node.input(kBias)}) : product;
}

// Rows of a table, of which only those are made numbers that are asked for.
Result importGatherBlockQuantized(NodeContext &node) {
  constexpr int kScales = 2, kZeros = 3;
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(int64_t gatherAxis, node.integer("gather_axis", 0));
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("quantize_axis", 1));
  HONE_ASSIGN_OR_RETURN(axis, normalizeAxis(axis, node.rank(0)));
  Blocks blocks;
  HONE_ASSIGN_OR_RETURN(blocks.bits, readBits(node));
  HONE_ASSIGN_OR_RETURN(blocks.size, readBlockSize(node, 128));
  HONE_RETURN_IF_ERROR(checkBytes(node, 0));
  if (gatherAxis != 0 || axis != node.rank(0) - 1 || axis == 0) {
    return unsupported("axis ", gatherAxis, " is gathered and axis ", axis, " of ", node.rank(0),
                       " quantised; the first and the last one are supported");
  }
  const auto rows = [&](int position) { return build.gather(node.input(position), node.input(1), 0); };
  blocks.integers = unpacked(build, rows(0), blocks.bits);
  blocks.scales = rows(kScales);
  if (node.has(kZeros)) {
    HONE_RETURN_IF_ERROR(checkBytes(node, kZeros));
    blocks.zeros = firstOfLast(build, unpacked(build, rows(kZeros), blocks.bits), node.shape(kScales).back());
  }
  return dequantised(build, blocks);
}

}  // namespace hone::frontend
