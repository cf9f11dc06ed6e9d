#include "compiler/base/scalar_op.h"

#include <array>
#include <cstddef>

namespace hone {
namespace {

enum class Operands : uint8_t { Any, Numbers, Floats, Integers, Bools };
enum class Result : uint8_t { AsOperands, Bool };
enum class Order : uint8_t { Matters, Free };

struct Row {
  std::string_view name;
  int arity;
  Operands operands;
  Result result = Result::AsOperands;
  Order order = Order::Matters;
  ScalarCost cost = ScalarCost::Instruction;
};

constexpr auto kAny = Operands::Any;
constexpr auto kNumbers = Operands::Numbers;
constexpr auto kFloats = Operands::Floats;
constexpr auto kIntegers = Operands::Integers;
constexpr auto kBools = Operands::Bools;
constexpr auto kSame = Result::AsOperands;
constexpr auto kBool = Result::Bool;
constexpr auto kMatters = Order::Matters;
constexpr auto kFree = Order::Free;
constexpr auto kDivision = ScalarCost::Division;
constexpr auto kFunction = ScalarCost::Function;

// In the order of the enumeration. Name, arity, which operands, which result, whether their order is free, cost.
constexpr std::array<Row, kScalarOps> kRows = {{
    {"neg", 1, kNumbers},
    {"abs", 1, kNumbers},
    {"sign", 1, kNumbers},
    {"sqrt", 1, kFloats, kSame, kMatters, kDivision},
    {"exp", 1, kFloats, kSame, kMatters, kFunction},
    {"log", 1, kFloats, kSame, kMatters, kFunction},
    {"sin", 1, kFloats, kSame, kMatters, kFunction},
    {"cos", 1, kFloats, kSame, kMatters, kFunction},
    {"tan", 1, kFloats, kSame, kMatters, kFunction},
    {"tanh", 1, kFloats, kSame, kMatters, kFunction},
    {"erf", 1, kFloats, kSame, kMatters, kFunction},
    {"expm1", 1, kFloats, kSame, kMatters, kFunction},
    {"log1p", 1, kFloats, kSame, kMatters, kFunction},
    {"atan", 1, kFloats, kSame, kMatters, kFunction},
    {"floor", 1, kNumbers},
    {"ceil", 1, kNumbers},
    {"round", 1, kNumbers},
    {"not", 1, kBools},
    {"bitnot", 1, kIntegers},
    {"isnan", 1, kFloats, kBool},
    {"isinf", 1, kFloats, kBool},
    {"add", 2, kNumbers, kSame, kFree},
    {"sub", 2, kNumbers},
    {"mul", 2, kNumbers, kSame, kFree},
    {"div", 2, kNumbers, kSame, kMatters, kDivision},
    {"floormod", 2, kNumbers, kSame, kMatters, kDivision},
    {"truncmod", 2, kNumbers, kSame, kMatters, kDivision},
    {"min", 2, kAny, kSame, kFree},
    {"max", 2, kAny, kSame, kFree},
    {"pow", 2, kNumbers, kSame, kMatters, kFunction},
    {"and", 2, kBools, kSame, kFree},
    {"or", 2, kBools, kSame, kFree},
    {"xor", 2, kBools, kSame, kFree},
    {"bitand", 2, kIntegers, kSame, kFree},
    {"bitor", 2, kIntegers, kSame, kFree},
    {"bitxor", 2, kIntegers, kSame, kFree},
    {"shl", 2, kIntegers},
    {"shr", 2, kIntegers},
    {"equal", 2, kAny, kBool, kFree},
    {"less", 2, kAny, kBool},
    {"lessequal", 2, kAny, kBool},
    {"select", 3, kAny},
}};

const Row &row(ScalarOp op) { return kRows.at(static_cast<size_t>(op)); }

}  // namespace

std::string_view name(ScalarOp op) { return row(op).name; }
int arity(ScalarOp op) { return row(op).arity; }
bool isPredicate(ScalarOp op) { return row(op).result == Result::Bool; }
bool isCommutative(ScalarOp op) { return row(op).order == Order::Free; }
ScalarCost costOf(ScalarOp op) { return row(op).cost; }

bool accepts(ScalarOp op, DType dtype) {
  switch (row(op).operands) {
    case Operands::Any:
      return true;
    case Operands::Numbers:
      return dtype != DType::Bool;
    case Operands::Floats:
      return isFloat(dtype);
    case Operands::Integers:
      return isInteger(dtype);
    case Operands::Bools:
      return dtype == DType::Bool;
  }
  return false;
}

std::optional<ScalarOp> parseScalarOp(std::string_view name) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<ScalarOp>(i);
  }
  return std::nullopt;
}

}  // namespace hone
