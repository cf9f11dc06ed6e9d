#include "compiler/base/dtype.h"

#include <array>
#include <cstddef>

namespace hone {
namespace {

enum class Class : uint8_t { Bool, Signed, Unsigned, Float };

struct Row {
  std::string_view name;
  std::string_view shortName;
  int64_t size;
  Class kind;
};

// In the order of the enumeration.
constexpr std::array<Row, 13> kRows = {{
    {"bool", "bool", 1, Class::Bool},
    {"int8", "i8", 1, Class::Signed},
    {"int16", "i16", 2, Class::Signed},
    {"int32", "i32", 4, Class::Signed},
    {"int64", "i64", 8, Class::Signed},
    {"uint8", "u8", 1, Class::Unsigned},
    {"uint16", "u16", 2, Class::Unsigned},
    {"uint32", "u32", 4, Class::Unsigned},
    {"uint64", "u64", 8, Class::Unsigned},
    {"float16", "f16", 2, Class::Float},
    {"bfloat16", "bf16", 2, Class::Float},
    {"float32", "f32", 4, Class::Float},
    {"float64", "f64", 8, Class::Float},
}};

const Row &row(DType dtype) { return kRows.at(static_cast<size_t>(dtype)); }

}  // namespace

std::string_view name(DType dtype) { return row(dtype).name; }
std::string_view shortName(DType dtype) { return row(dtype).shortName; }

std::optional<DType> parseDType(std::string_view text) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == text || kRows[i].shortName == text) return static_cast<DType>(i);
  }
  return std::nullopt;
}

int64_t sizeOf(DType dtype) { return row(dtype).size; }
bool isFloat(DType dtype) { return row(dtype).kind == Class::Float; }
bool isSigned(DType dtype) { return row(dtype).kind == Class::Signed || isFloat(dtype); }
bool isInteger(DType dtype) { return row(dtype).kind == Class::Signed || row(dtype).kind == Class::Unsigned; }

}  // namespace hone
