// Element types that a model may have and a graph has not: integers of 2 and 4 bits, floats of 4 to 8. A graph holds
// their values in a wider integer, one element in each: of integers the number, of floats the bits. Pure functions;
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "compiler/base/dtype.h"

namespace hone::frontend {

// clang-format off: one line for each kind
enum class NarrowType : uint8_t {
  Int2, Int4, UInt2, UInt4,
  Float4E2M1, Float6E2M3, Float6E3M2, Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float8E8M0,
};
// clang-format on

/// Binary floats: a sign (Float8E8M0 has none), an exponent, a mantissa. Codes are the bits without the sign.
struct NarrowFloat {
  int mantissaBits, bias;
  int largest;         ///< the code of the largest finite number
  int overflow;        ///< the code for what is larger, unless it saturates
  int notANumber;      ///< the code for NaN; of types without NaN that of -0
  bool hasInfinity;    ///< `overflow` is infinity, not NaN
  bool isZeroWithout;  ///< there is no -0, whose bits are NaN
};

/// The type as ONNX spells it in lower case: "int4", "float8e4m3fn".
std::string_view name(NarrowType type);
int bitsOf(NarrowType type);
/// I8 for signed integers, U8 for all others.
DType containerOf(NarrowType type);
bool isFloat(NarrowType type);
/// Of a float type.
const NarrowFloat &formatOf(NarrowType type);
/// The number that the low bits of \p bits mean in a float type.
double valueOf(NarrowType type, uint8_t bits);

/// A type of the model's. `dtype` is the one that the graph has: of narrow types the container.
struct ElementType {
  DType dtype = DType::F32;
  std::optional<NarrowType> narrow;

  // Either kind of type is an element type without ceremony.
  // NOLINTNEXTLINE(google-explicit-constructor)
  ElementType(DType type) : dtype(type) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  ElementType(NarrowType type) : dtype(containerOf(type)), narrow(type) {}
  bool operator==(const ElementType &) const = default;
};

std::string_view name(ElementType type);
int bitsOf(ElementType type);
/// Whether its numbers are floats, however they are held.
bool isFloat(ElementType type);

}  // namespace hone::frontend
