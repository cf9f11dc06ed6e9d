#include "compiler/tensor/untyped.h"

#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"

namespace hone::tensor {

absl::StatusOr<Scalar> constantOf(const TextReader &in, const std::string &text, DType type) {
  const auto refuse = [&] {
    return in.expected(absl::StrCat("a number of type ", std::string(shortName(type)), ", not '", text, "'"));
  };
  const auto parsed = [&](auto value) -> std::optional<decltype(value)> {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
  };
  if (type == DType::Bool) {
    if (text != "true" && text != "false") return refuse();
    return number(text == "true" ? 1 : 0, type);
  }
  if (isFloat(type)) {
    // Rounded once, from the decimals: by way of double it would be twice.
    const std::optional<float> narrow = parsed(0.0F);
    std::optional<double> value = parsed(0.0);
    if (type != DType::F64) value = narrow;
    return value ? absl::StatusOr<Scalar>(number(*value, type)) : refuse();
  }
  ScalarNode node{.kind = ScalarKind::Constant, .dtype = type, .index = nullptr, .args = {}};
  if (isSigned(type)) {
    const std::optional<int64_t> value = parsed(int64_t{0});
    const int spare = 64 - static_cast<int>(8 * sizeOf(type));
    if (!value || *value != (*value << spare) >> spare) return refuse();
    node.integer = *value;
  } else {
    const std::optional<uint64_t> value = parsed(uint64_t{0});
    if (!value || (sizeOf(type) < 8 && *value >> (8 * sizeOf(type)) != 0)) return refuse();
    node.integer = static_cast<int64_t>(*value);
  }
  return std::make_shared<const ScalarNode>(std::move(node));
}

namespace {

absl::StatusOr<Scalar> typedTree(const TextReader &in, const Untyped &expression, DType type) {
  if (expression.made) return *expression.made;
  if (!expression.number.empty()) return constantOf(in, expression.number, type);
  std::vector<Scalar> args;
  for (const Untyped &arg : expression.args) {
    HONE_ASSIGN_OR_RETURN(Scalar each, typedTree(in, arg, type));
    args.push_back(std::move(each));
  }
  return tensor::apply(expression.op, std::move(args));
}

}  // namespace

absl::StatusOr<Scalar> typed(const TextReader &in, const Expression &expression, DType type) {
  if (const Scalar *made = std::get_if<Scalar>(&expression)) return *made;
  return typedTree(in, std::get<Untyped>(expression), type);
}

absl::StatusOr<Expression> applied(const TextReader &in, ScalarOp op, std::vector<Expression> args) {
  const size_t first = op == ScalarOp::Select ? 1 : 0;
  std::optional<DType> type;
  for (size_t i = args.size(); i-- > first;)
    if (const Scalar *made = std::get_if<Scalar>(&args[i])) type = (*made)->dtype;
  if (!type) {
    if (isPredicate(op)) return in.expected("operands with their type, such as 1:f32");
    Untyped result{.number = {}, .op = op, .args = {}, .made = {}};
    for (Expression &arg : args) {
      if (Scalar *made = std::get_if<Scalar>(&arg)) {
        result.args.push_back({.number = {}, .op = op, .args = {}, .made = std::move(*made)});
      } else {
        result.args.push_back(std::move(std::get<Untyped>(arg)));
      }
    }
    return result;
  }
  std::vector<Scalar> scalars;
  for (size_t i = 0; i < args.size(); ++i) {
    HONE_ASSIGN_OR_RETURN(Scalar each, typed(in, args[i], i < first ? DType::Bool : *type));
    scalars.push_back(std::move(each));
  }
  return tensor::apply(op, std::move(scalars));
}

}  // namespace hone::tensor
