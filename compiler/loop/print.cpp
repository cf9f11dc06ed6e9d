#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/loop/loop_nest.h"

namespace hone::loop {
namespace {

using absl::StrAppend;
using absl::StrCat;

std::string typeText(const Type &type) {
  std::string text(shortName(type.dtype));
  if (type.lanes > 1) StrAppend(&text, "x", type.lanes);
  return text;
}

std::string numberText(double number) {
  char text[40];
  (void)std::snprintf(text, sizeof text, "%.17g", number);
  double shortest = 0;
  char shorter[40];
  for (int digits = 1; digits < 17; ++digits) {
    (void)std::snprintf(shorter, sizeof shorter, "%.*g", digits, number);
    if (std::sscanf(shorter, "%lf", &shortest) == 1 && shortest == number) return shorter;
  }
  return text;
}

class Printer {
 public:
  explicit Printer(const Kernel &kernel) : kernel_(kernel) {}

  std::string run() {
    StrAppend(&out_, "kernel ", kernel_.name, "\n");
    for (const BufferSlot &slot : kernel_.buffers) {
      StrAppend(&out_, "  buffer ", slot.name, " : ", std::string(shortName(slot.dtype)), "[", slot.elements, "] ");
      switch (slot.space) {
        case Space::Argument:
          StrAppend(&out_, "argument ", slot.offset);
          break;
        case Space::SharedScratch:
          StrAppend(&out_, "shared +", slot.offset);
          break;
        case Space::ThreadScratch:
          StrAppend(&out_, "thread +", slot.offset);
          break;
      }
      StrAppend(&out_, slot.written ? " written\n" : "\n");
    }
    if (kernel_.sharedScratchBytes > 0) StrAppend(&out_, "  shared scratch ", kernel_.sharedScratchBytes, "\n");
    for (const Phase &phase : kernel_.phases) {
      StrAppend(&out_, "parallel ", phase.extent > 1 ? phase.parallel.text() : "_", " in 0..", phase.extent);
      if (phase.scratchBytes > 0) StrAppend(&out_, " scratch ", phase.scratchBytes);
      StrAppend(&out_, " {\n");
      statement(*phase.body, 1);
      StrAppend(&out_, "}\n");
    }
    return std::move(out_);
  }

 private:
  std::string bufferName(int buffer) const { return kernel_.buffers.at(static_cast<size_t>(buffer)).name; }

  static std::string guardText(const std::vector<Guard> &guards) {
    return absl::StrJoin(guards, " and ", [](std::string *text, const Guard &guard) {
      StrAppend(text, guard.low, " <= ", guard.expression.text(), " < ", guard.high);
    });
  }

  static std::string registerText(int reg, const IntExpr &index) { return StrCat("r", reg, "[", index.text(), "]"); }

  std::string loadText(const Value &v) const {
    std::string text = StrCat(bufferName(v.buffer), "[", v.index.text(), "]");
    if (v.type.lanes > 1) text = StrCat(typeText(v.type), " ", text);
    if (v.activeLanes > 0 && v.activeLanes < v.type.lanes) StrAppend(&text, " lanes ", v.activeLanes);
    if (!v.guards.empty()) StrAppend(&text, " if ", guardText(v.guards));
    if (v.fill) StrAppend(&text, " else ", value(*v.fill));
    return v.guards.empty() && !v.fill ? text : StrCat("(", text, ")");
  }

  std::string value(const Value &v) const {
    auto args = [&] {
      return absl::StrJoin(v.args, ", ", [&](std::string *text, const ValuePtr &arg) { StrAppend(text, value(*arg)); });
    };
    switch (v.kind) {
      case ValueKind::Constant:
        return isFloat(v.type.dtype) ? numberText(v.number) : StrCat(v.integer);
      case ValueKind::IndexValue:
        return StrCat(typeText(v.type), "(", v.index.text(), ")");
      case ValueKind::Load:
        return loadText(v);
      case ValueKind::Register:
        return registerText(v.reg, v.index);
      case ValueKind::Apply:
        return StrCat(std::string(name(v.op)), "(", args(), ")");
      case ValueKind::Cast:
        return StrCat("cast ", typeText(v.type), "(", args(), ")");
      case ValueKind::Bits:
        return StrCat("bits ", typeText(v.type), "(", args(), ")");
      case ValueKind::Broadcast:
        return StrCat("broadcast(", args(), ")");
      case ValueKind::Horizontal:
        return StrCat("horizontal ", std::string(name(v.op)), "(", args(), ")");
      case ValueKind::ExtractLane:
        return StrCat("lane ", v.integer, "(", args(), ")");
      case ValueKind::ActiveLanes:
        return StrCat("active ", v.integer, " of ", v.type.lanes);
    }
    return "";
  }

  void line(int depth, const std::string &text) {
    StrAppend(&out_, std::string(static_cast<size_t>(depth) * 2, ' '), text, "\n");
  }

  void statement(const Statement &s, int depth) {
    switch (s.kind) {
      case StatementKind::Block:
        for (const StatementPtr &child : s.body) statement(*child, depth);
        return;
      case StatementKind::For: {
        std::string head = s.loop == LoopKind::Unrolled ? "unrolled " : "for ";
        StrAppend(&head, s.variable.text(), " in ", s.begin.text(), "..", s.end.text());
        if (s.step != 1) StrAppend(&head, " step ", s.step);
        line(depth, head + " {");
        for (const StatementPtr &child : s.body) statement(*child, depth + 1);
        line(depth, "}");
        return;
      }
      case StatementKind::If:
        line(depth, StrCat("if ", guardText(s.guards), " {"));
        for (const StatementPtr &child : s.body) statement(*child, depth + 1);
        line(depth, "}");
        return;
      case StatementKind::Registers:
        line(depth, StrCat("r", s.reg, " ", s.name, " : ", typeText(s.type), "[", s.count, "]"));
        return;
      case StatementKind::Set:
        line(depth, StrCat(registerText(s.reg, s.index), " = ", value(*s.value)));
        return;
      case StatementKind::Store: {
        std::string text = StrCat(bufferName(s.buffer), "[", s.index.text(), "]");
        if (s.activeLanes > 0 && s.activeLanes < s.value->type.lanes) StrAppend(&text, " lanes ", s.activeLanes);
        StrAppend(&text, " = ", value(*s.value));
        if (!s.guards.empty()) StrAppend(&text, " if ", guardText(s.guards));
        line(depth, text);
        return;
      }
      case StatementKind::Prefetch:
        line(depth, StrCat("prefetch ", bufferName(s.buffer), "[", s.index.text(), "]"));
        return;
    }
  }

  const Kernel &kernel_;
  std::string out_;
};

}  // namespace

std::string print(const Kernel &kernel) { return Printer(kernel).run(); }

}  // namespace hone::loop
