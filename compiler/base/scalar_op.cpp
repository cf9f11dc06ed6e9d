#include "compiler/base/scalar_op.h"

#include <array>
#include <cstddef>

namespace hone {
namespace {

struct Row {
  std::string_view name;
  int arity;
  bool predicate = false;
  bool commutative = false;
};

// In the order of the enumeration.
constexpr std::array<Row, static_cast<size_t>(ScalarOp::Select) + 1> kRows = {{
    {"neg", 1},
    {"abs", 1},
    {"sign", 1},
    {"sqrt", 1},
    {"exp", 1},
    {"log", 1},
    {"sin", 1},
    {"cos", 1},
    {"tan", 1},
    {"tanh", 1},
    {"erf", 1},
    {"expm1", 1},
    {"log1p", 1},
    {"atan", 1},
    {"floor", 1},
    {"ceil", 1},
    {"round", 1},
    {"not", 1},
    {"bitnot", 1},
    {"isnan", 1, true},
    {"isinf", 1, true},
    {"add", 2, false, true},
    {"sub", 2},
    {"mul", 2, false, true},
    {"div", 2},
    {"floormod", 2},
    {"truncmod", 2},
    {"min", 2, false, true},
    {"max", 2, false, true},
    {"pow", 2},
    {"and", 2, false, true},
    {"or", 2, false, true},
    {"xor", 2, false, true},
    {"bitand", 2, false, true},
    {"bitor", 2, false, true},
    {"bitxor", 2, false, true},
    {"shl", 2},
    {"shr", 2},
    {"equal", 2, true, true},
    {"less", 2, true},
    {"lessequal", 2, true},
    {"select", 3},
}};

const Row &row(ScalarOp op) { return kRows.at(static_cast<size_t>(op)); }

}  // namespace

std::string_view name(ScalarOp op) { return row(op).name; }
int arity(ScalarOp op) { return row(op).arity; }
bool isPredicate(ScalarOp op) { return row(op).predicate; }
bool isCommutative(ScalarOp op) { return row(op).commutative; }

std::optional<ScalarOp> parseScalarOp(std::string_view name) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<ScalarOp>(i);
  }
  return std::nullopt;
}

}  // namespace hone
