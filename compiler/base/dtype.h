// The element types of tensors: names, sizes, classes. Values only; everything here is thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hone {

// clang-format off: one line for each kind
enum class DType : uint8_t {
  Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64,
};
// clang-format on

/// The name as numpy, TVM and mod.json write it: "float32", "int64", "bool".
std::string_view name(DType dtype);
/// The short name that graphs and kernels print: "f32", "i64", "bool".
std::string_view shortName(DType dtype);
/// The inverse of name() and of shortName(); empty for an unknown name.
std::optional<DType> parseDType(std::string_view text);

/// Bytes of one element; bool takes one.
int64_t sizeOf(DType dtype);

bool isFloat(DType dtype);
bool isSigned(DType dtype);
/// Integer types without bool.
bool isInteger(DType dtype);

}  // namespace hone
