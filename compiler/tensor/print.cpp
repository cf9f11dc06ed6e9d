// The canonical text of kernels. Types of constants are printed only where no operand beside them tells.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {
namespace {

// Binding strength of infix operators; a weaker operand gets parentheses.
constexpr int kWeakest = 0;
constexpr int kSum = 1;
constexpr int kProduct = 2;
constexpr int kOperand = 3;

std::string view(std::string_view text) { return std::string(text); }

std::string parenthesised(std::string text, int strength, int required) {
  return strength < required ? absl::StrCat("(", text, ")") : text;
}

class Printer {
 public:
  Printer(const Kernel &kernel, const TensorOp &op) : kernel_(kernel), op_(op) {}

  std::string stage() const {
    std::string text =
        absl::StrCat(op_.name, "(", dims(),
                     ") : ", tuple(op_.body.size(), [&](size_t i) { return view(shortName(op_.body[i]->dtype)); }));
    absl::StrAppend(&text, "\n    = ", combinerWord());
    absl::StrAppend(&text, tuple(op_.body.size(), [&](size_t i) { return scalar(op_.body[i], kWeakest, true); }));
    if (op_.combiner.kind == CombinerKind::Custom) {
      const Combiner &c = op_.combiner;
      absl::StrAppend(&text, "\n    from ",
                      tuple(c.identity.size(), [&](size_t i) { return scalar(c.identity[i], kWeakest, true); }));
      absl::StrAppend(&text, "\n    by ",
                      tuple(c.combine.size(), [&](size_t i) { return scalar(c.combine[i], kWeakest, true); }));
    }
    absl::StrAppend(&text, "\n    -> ", tuple(op_.writes.size(), [&](size_t i) { return access(op_.writes[i]); }));
    return text + "\n";
  }

 private:
  template <typename Function>
  static std::string tuple(size_t count, Function element) {
    std::vector<std::string> parts;
    for (size_t i = 0; i < count; ++i) parts.push_back(element(i));
    return count == 1 ? parts[0] : absl::StrCat("(", absl::StrJoin(parts, ", "), ")");
  }

  std::string dims() const {
    std::string text;
    DimKind group = DimKind::Parallel;
    for (size_t i = 0; i < op_.dims.size(); ++i) {
      const Dim &d = op_.dims[i];
      const bool opensGroup = d.kind != group || i == 0;
      if (i > 0) text += opensGroup ? "; " : ", ";
      if (opensGroup && d.kind == DimKind::Reduction) text += "reduce ";
      if (opensGroup && d.kind == DimKind::Scan) text += "scan ";
      absl::StrAppend(&text, d.name, " ", d.extent);
      group = d.kind;
    }
    return text;
  }

  std::string combinerWord() const {
    switch (op_.combiner.kind) {
      case CombinerKind::None:
        return "";
      case CombinerKind::Sum:
        return "sum ";
      case CombinerKind::Product:
        return "product ";
      case CombinerKind::Min:
        return "min ";
      case CombinerKind::Max:
        return "max ";
      case CombinerKind::Custom:
        return "fold ";
    }
    return "";
  }

  std::string bufferName(int buffer) const {
    const auto position = static_cast<size_t>(buffer);
    return position < kernel_.buffers.size() ? kernel_.buffers[position].name : absl::StrCat("?", buffer);
  }

  std::string element(int buffer, const std::vector<Index> &indices) const {
    return absl::StrCat(
        bufferName(buffer), "[",
        absl::StrJoin(indices, ", ", [&](std::string *out, const Index &i) { *out += index(i, kWeakest); }), "]");
  }

  std::string access(const Access &access) const {
    std::string text = element(access.buffer, access.indices);
    if (access.outside) {
      const auto position = static_cast<size_t>(access.buffer);
      const DType dtype = position < kernel_.buffers.size() ? kernel_.buffers[position].dtype : DType::F64;
      absl::StrAppend(&text, " (", scalar(number(*access.outside, dtype), kWeakest, true), " outside)");
    }
    return text;
  }

  std::string index(const Index &i, int required) const {
    switch (i->kind) {
      case IndexKind::Constant:
        return std::to_string(i->value);
      case IndexKind::Dim: {
        const auto position = static_cast<size_t>(i->value);
        return position < op_.dims.size() ? op_.dims[position].name : absl::StrCat("?", i->value);
      }
      case IndexKind::Add: {
        const Index &right = i->args[1];
        std::string text = index(i->args[0], kSum);
        if (right->kind == IndexKind::Constant && right->value < 0) {
          absl::StrAppend(
              &text, " - ",
              absl::StrCat(-static_cast<__int128>(right->value) > INT64_MAX ? uint64_t{1} << 63
                                                                            : static_cast<uint64_t>(-right->value)));
        } else {
          absl::StrAppend(&text, " + ", index(right, kSum));
        }
        return parenthesised(text, kSum, required);
      }
      case IndexKind::Mul: {
        // The factor is written first, as people do: 4 * (t / 14).
        const bool swap = i->args[1]->kind == IndexKind::Constant;
        std::string text =
            absl::StrCat(index(i->args[swap ? 1 : 0], kOperand), " * ", index(i->args[swap ? 0 : 1], kOperand));
        return parenthesised(text, kProduct, required);
      }
      case IndexKind::FloorDiv:
      case IndexKind::Mod: {
        const char *sign = i->kind == IndexKind::Mod ? " % " : " / ";
        return parenthesised(absl::StrCat(index(i->args[0], kOperand), sign, i->high), kProduct, required);
      }
      case IndexKind::Clamp:
        return absl::StrCat("clamp(", index(i->args[0], kWeakest), ", ", i->low, ", ", i->high, ")");
      case IndexKind::Load:
        return element(i->buffer, i->args);
    }
    return "?";
  }

  static std::string constantText(const ScalarNode &node) {
    if (node.dtype == DType::Bool) return node.integer != 0 ? "true" : "false";
    if (!isFloat(node.dtype)) {
      return isSigned(node.dtype) ? std::to_string(node.integer) : std::to_string(static_cast<uint64_t>(node.integer));
    }
    if (std::isnan(node.number)) return "nan";
    char digits[64];
    // The shortest decimals that give the number back in its own type.
    const auto end = node.dtype == DType::F64
                         ? std::to_chars(digits, digits + sizeof digits, node.number)
                         : std::to_chars(digits, digits + sizeof digits, static_cast<float>(node.number));
    return std::string(digits, end.ptr);
  }

  /// \p typeKnown: what surrounds the expression says its dtype.
  std::string scalar(const Scalar &s, int required, bool typeKnown) const {
    switch (s->kind) {
      case ScalarKind::Constant:
        return typeKnown || s->dtype == DType::Bool ? constantText(*s)
                                                    : absl::StrCat(constantText(*s), ":", view(shortName(s->dtype)));
      case ScalarKind::IndexValue:
        return absl::StrCat("index(", index(s->index, kWeakest), ")");
      case ScalarKind::Read: {
        const auto position = static_cast<size_t>(s->position);
        return position < op_.reads.size() ? access(op_.reads[position]) : absl::StrCat("?", s->position);
      }
      case ScalarKind::Cast:
        return absl::StrCat(view(shortName(s->dtype)), "(", scalar(s->args[0], kWeakest, false), ")");
      case ScalarKind::Bits:
        return absl::StrCat("bits:", view(shortName(s->dtype)), "(", scalar(s->args[0], kWeakest, false), ")");
      case ScalarKind::Accumulator:
        return absl::StrCat("acc", s->position);
      case ScalarKind::Element:
        return absl::StrCat("new", s->position);
      case ScalarKind::Apply:
        return application(*s, required, typeKnown);
    }
    return "?";
  }

  // Whether the text of \p s tells its dtype.
  static bool tells(const Scalar &s) {
    if (s->kind == ScalarKind::Constant) return s->dtype == DType::Bool;
    return s->kind != ScalarKind::Apply || isPredicate(s->op) || operandsTell(*s);
  }
  // The condition of a select is bool and tells nothing of the other operands.
  static size_t firstOperand(const ScalarNode &node) { return node.op == ScalarOp::Select ? 1 : 0; }
  static bool operandsTell(const ScalarNode &node) {
    return std::any_of(node.args.begin() + static_cast<std::ptrdiff_t>(firstOperand(node)), node.args.end(), tells);
  }

  std::string application(const ScalarNode &node, int required, bool typeKnown) const {
    const bool operandsKnown = (typeKnown && !isPredicate(node.op)) || operandsTell(node);
    const auto operand = [&](size_t i, int strength) { return scalar(node.args[i], strength, operandsKnown); };
    const char *sign = node.op == ScalarOp::Add   ? " + "
                       : node.op == ScalarOp::Sub ? " - "
                       : node.op == ScalarOp::Mul ? " * "
                       : node.op == ScalarOp::Div ? " / "
                                                  : nullptr;
    if (sign == nullptr) {
      std::vector<std::string> args;
      for (size_t i = 0; i < node.args.size(); ++i) args.push_back(operand(i, kWeakest));
      return absl::StrCat(view(name(node.op)), "(", absl::StrJoin(args, ", "), ")");
    }
    const int strength = node.op == ScalarOp::Add || node.op == ScalarOp::Sub ? kSum : kProduct;
    // The tree must be seen: a right operand of the same strength keeps its parentheses.
    return parenthesised(absl::StrCat(operand(0, strength), sign, operand(1, strength + 1)), strength, required);
  }

  const Kernel &kernel_;
  const TensorOp &op_;
};

const char *roleWord(BufferRole role) {
  switch (role) {
    case BufferRole::Input:
      return "input";
    case BufferRole::Output:
      return "output";
    case BufferRole::Parameter:
      return "parameter";
    case BufferRole::Temporary:
      return "temporary";
  }
  return "?";
}

}  // namespace

std::string print(const Kernel &kernel) {
  std::string text = absl::StrCat("kernel ", kernel.name, "\n");
  for (const Buffer &buffer : kernel.buffers) {
    absl::StrAppend(&text, roleWord(buffer.role), " ", buffer.name, " ", view(shortName(buffer.dtype)), "[",
                    absl::StrJoin(buffer.shape, ","), "]");
    if (!buffer.layout.isRowMajor(buffer.shape)) absl::StrAppend(&text, " layout ", buffer.layout.text());
    text += "\n";
  }
  for (const TensorOp &op : kernel.stages) text += Printer(kernel, op).stage();
  return text;
}

}  // namespace hone::tensor
