#include "compiler/frontend/build/conversion.h"

#include <cmath>
#include <utility>

#include "compiler/base/status.h"
#include "compiler/frontend/build/kernel_parts.h"
#include "compiler/graph/constants.h"

namespace hone::frontend {
namespace {

using tensor::Scalar;
using Op = ScalarOp;

// ------------------------------------------------------------------------------------------------ to narrow floats

/// The wide float that is cut: its elements, and integers of the same width for their bits.
struct Source {
  DType dtype, bits;
  int mantissaBits, bias;
};
constexpr Source kSingle = {DType::F32, DType::I32, 23, 127};
constexpr Source kDouble = {DType::F64, DType::I64, 52, 1023};

/// The arithmetic of one conversion, on the bits of a wide float.
class Encoder {
 public:
  Encoder(NarrowType type, const Source &from, Narrowing narrowing)
      : type_(type), format_(formatOf(type)), from_(from), narrowing_(narrowing) {}

  Scalar encode(const Scalar &x) const {
    const Scalar absolute = tensor::apply(Op::Abs, {x}), magnitude = tensor::bits(from_.bits, absolute);
    Scalar code = type_ == NarrowType::Float8E8M0 ? powerOfTwo(magnitude) : numberCode(absolute, magnitude);
    code = tensor::select(tensor::apply(Op::IsNan, {x}), integer(format_.notANumber), code);
    return type_ == NarrowType::Float8E8M0 ? code : withSign(code, x);
  }

 private:
  Scalar integer(double value) const { return tensor::number(value, from_.bits); }
  /// 2^exponent in the place of the wide float's exponent.
  Scalar exponent(int value) const { return integer(std::ldexp(value, from_.mantissaBits)); }

  /// \p code, with what is beyond the largest number in its place.
  Scalar limited(const Scalar &code) const {
    const int beyond = narrowing_.saturates ? format_.largest : format_.overflow;
    return tensor::select(tensor::less(integer(format_.largest), code), integer(beyond), code);
  }

  Scalar numberCode(const Scalar &absolute, const Scalar &magnitude) const {
    const int cut = from_.mantissaBits - format_.mantissaBits, rebased = from_.bias - format_.bias;
    // Adding half of the last place that stays, less one where that place is even, rounds half to even; a carry goes
    // into the exponent, where it belongs.
    const Scalar isOdd = tensor::apply(Op::BitAnd, {shifted(magnitude, cut), integer(1)});
    const Scalar rounded = magnitude + integer(std::ldexp(1.0, cut - 1) - 1) + isOdd;
    const Scalar normal = shifted(rounded - exponent(rebased), cut);
    // Numbers without an exponent are multiples of the smallest. That is the last place of `base`, so adding it rounds.
    const int baseExponent = from_.mantissaBits + 1 - format_.bias - format_.mantissaBits;
    const Scalar base = tensor::number(std::ldexp(1.0, baseExponent), from_.dtype);
    const Scalar subnormal = tensor::bits(from_.bits, absolute + base) - exponent(baseExponent + from_.bias);
    return limited(tensor::select(tensor::less(magnitude, exponent(rebased + 1)), subnormal, normal));
  }

  /// Codes are exponents; there is no 0, and nothing between powers of two.
  Scalar powerOfTwo(const Scalar &magnitude) const {
    const double one = std::ldexp(1.0, from_.mantissaBits);
    const double added = narrowing_.powersOfTwo == RoundMode::Up     ? one - 1
                         : narrowing_.powersOfTwo == RoundMode::Down ? 0
                                                                     : one / 2;
    const Scalar code = shifted(magnitude + integer(added) - exponent(from_.bias - format_.bias), from_.mantissaBits);
    const Scalar below = integer(narrowing_.saturates ? 0 : format_.overflow);
    return tensor::select(tensor::less(code, integer(0)), below, limited(code));
  }

  Scalar withSign(const Scalar &code, const Scalar &x) const {
    const Scalar isNegative = tensor::less(tensor::bits(from_.bits, x), integer(0));
    const Scalar negative = tensor::apply(Op::BitOr, {code, integer(1 << (bitsOf(type_) - 1))});
    Scalar takesSign = isNegative;
    if (format_.isZeroWithout) takesSign = tensor::both(isNegative, tensor::less(integer(0), code));
    return tensor::select(takesSign, negative, code);
  }

  Scalar shifted(const Scalar &value, int by) const { return tensor::apply(Op::ShiftRight, {value, integer(by)}); }

  NarrowType type_;
  const NarrowFloat &format_;
  const Source &from_;
  Narrowing narrowing_;
};

/// A kernel that computes each element of \p to from the one of \p data at the same place.
template <typename Function>
Result eachElement(Builder &build, const std::string &name, ValueId data, DType to, const Function &function) {
  const Shape shape = build.shape(data);
  tensor::KernelBuilder b(name);
  const int x = b.input("data", shape, build.dtype(data)), y = b.output("result", shape, to);
  const StageDims all = dimsOver(shape);
  b.begin("each", all.dims);
  b.put(tensor::cast(to, function(b.get(x, all.at))), y, all.at);
  return build.compute(b.finish(), {data});
}

Result encoded(Builder &build, Result data, NarrowType to, Narrowing narrowing) {
  if (!data.ok()) return data;
  const DType dtype = build.dtype(*data);
  // Whatever does not fit into float32 would be rounded twice; and powers of two reach below its smallest number.
  const bool isShort = sizeOf(dtype) <= 2 || dtype == DType::F32;
  const Source &source = isShort && to != NarrowType::Float8E8M0 ? kSingle : kDouble;
  HONE_ASSIGN_OR_RETURN(ValueId wide, build.cast(data, source.dtype));
  const Encoder encoder(to, source, narrowing);
  const std::string kernel = "to_" + std::string(name(to));
  return eachElement(build, kernel, wide, DType::U8, [&](const Scalar &x) { return encoder.encode(x); });
}

// ------------------------------------------------------------------------------------------------- narrow integers

/// The low bits of \p data, an integer, as a number of the narrow type.
Result wrapped(Builder &build, Result data, NarrowType to) {
  const DType container = containerOf(to);
  const int bits = bitsOf(to);
  Result low = build.cast(std::move(data), container);
  if (!isSigned(container)) return build.apply(Op::BitAnd, {low, build.integer(container, (1 << bits) - 1)});
  Result highest = build.apply(Op::ShiftLeft, {low, build.integer(container, 8 - bits)});
  return build.apply(Op::ShiftRight, {highest, build.integer(container, 8 - bits)});
}

/// The numbers of all 256 bytes.
Result decoded(Builder &build, Result codes, NarrowType from, DType dtype) {
  std::vector<double> values;
  for (int bits = 0; bits < 256; ++bits) values.push_back(valueOf(from, static_cast<uint8_t>(bits)));
  return build.gather(build.constant(graph::makeConstant({dtype, {256}}, values)), std::move(codes), 0);
}

}  // namespace

Result plainNumbers(Builder &build, Result data, DType dtype) {
  if (!data.ok()) return data;
  const std::optional<NarrowType> narrow = build.elementType(*data).narrow;
  if (!narrow) return data;
  Result held = build.relabelled(data, containerOf(*narrow));
  return isFloat(*narrow) ? decoded(build, held, *narrow, dtype) : held;
}

Result converted(Builder &build, Result data, ElementType to, Narrowing narrowing) {
  if (!data.ok() || build.elementType(*data) == to) return data;
  Result plain = plainNumbers(build, data, isFloat(to.dtype) ? to.dtype : DType::F32);
  if (!plain.ok() || !to.narrow) return build.cast(plain, to.dtype);
  if (isFloat(*to.narrow)) return build.relabelled(encoded(build, plain, *to.narrow, narrowing), to);
  if (isFloat(build.dtype(*plain))) plain = build.cast(plain, DType::I32);
  return build.relabelled(wrapped(build, plain, *to.narrow), to);
}

namespace {

DType unsignedOf(int64_t bytes) {
  return bytes == 1 ? DType::U8 : bytes == 2 ? DType::U16 : bytes == 4 ? DType::U32 : DType::U64;
}

/// Floats as the integers of the same bits, or the other way.
Result reinterpreted(Builder &build, Result data, DType to) {
  if (!data.ok() || build.dtype(*data) == to) return data;
  if (const graph::ConstantData *constant = build.constant(*data)) {
    auto same = std::make_shared<graph::ConstantData>(*constant);
    same->type.dtype = to;
    return build.constant(std::move(same));
  }
  return eachElement(build, "bits", *data, to, [&](const Scalar &x) { return tensor::bits(to, x); });
}

}  // namespace

Result bitsAs(Builder &build, Result data, ElementType to) {
  if (!data.ok()) return data;
  const ElementType from = build.elementType(*data);
  if (from == to) return data;
  const DType pattern = unsignedOf(sizeOf(from.dtype));
  Result bits = build.relabelled(data, from.dtype);
  bits = isFloat(from.dtype) ? reinterpreted(build, bits, pattern) : build.cast(bits, pattern);
  if (from.narrow) {
    bits = build.apply(Op::BitAnd, {bits, build.integer(pattern, (1 << bitsOf(*from.narrow)) - 1)});
  }
  if (!to.narrow) return isFloat(to.dtype) ? reinterpreted(build, bits, to.dtype) : build.cast(bits, to.dtype);
  return build.relabelled(isFloat(*to.narrow) ? bits : wrapped(build, bits, *to.narrow), to);
}

}  // namespace hone::frontend
