#include "tests/codegen/interpreter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

namespace hone::test {
namespace {

using Lanes = std::vector<double>;

class Interpreter {
 public:
  Interpreter(const loop::Kernel &kernel, std::vector<std::vector<double>> &buffers)
      : kernel_(kernel), buffers_(buffers) {}

  void run() {
    for (const loop::Phase &phase : kernel_.phases) {
      for (int64_t i = 0; i < phase.extent; ++i) {
        bind(phase.parallel, i);
        execute(*phase.body);
      }
    }
  }

 private:
  void bind(const loop::IntExpr &variable, int64_t value) {
    if (!variable.isConstant()) variables_[variable.terms()[0].atom->id] = value;
  }

  int64_t evaluate(const loop::IntExpr &e) {
    int64_t sum = e.constant();
    for (const auto &term : e.terms()) sum += term.coefficient * evaluateAtom(*term.atom);
    return sum;
  }

  int64_t evaluateAtom(const loop::Atom &atom) {
    auto floorDivide = [](int64_t a, int64_t b) {
      return static_cast<int64_t>(std::floor(static_cast<double>(a) / static_cast<double>(b)));
    };
    switch (atom.kind) {
      case loop::AtomKind::Var:
        return variables_.at(atom.id);
      case loop::AtomKind::FloorDiv:
        return floorDivide(evaluate(atom.a), atom.divisor);
      case loop::AtomKind::Mod: {
        int64_t a = evaluate(atom.a);
        return a - floorDivide(a, atom.divisor) * atom.divisor;
      }
      case loop::AtomKind::Min:
        return std::min(evaluate(atom.a), evaluate(atom.b));
      case loop::AtomKind::Max:
        return std::max(evaluate(atom.a), evaluate(atom.b));
      case loop::AtomKind::Load: {
        auto number = static_cast<int64_t>(element(atom.buffer, evaluate(atom.a)));
        return std::clamp(number, atom.low, atom.high);
      }
    }
    return 0;
  }

  double &element(int buffer, int64_t at) {
    auto &elements = buffers_.at(static_cast<size_t>(buffer));
    if (at < 0 || at >= static_cast<int64_t>(elements.size())) throw std::out_of_range("access outside of a buffer");
    return elements[static_cast<size_t>(at)];
  }

  bool holds(const std::vector<loop::Guard> &guards) {
    return std::all_of(guards.begin(), guards.end(), [&](const loop::Guard &guard) {
      int64_t value = evaluate(guard.expression);
      return guard.low <= value && value < guard.high;
    });
  }

  template <typename Body>
  void forLanes(int lane, int lanes, int active, const Body &body) {
    for (int i = 0; i < lanes; ++i) {
      if (lane >= 0) variables_[lane] = i;
      body(static_cast<size_t>(i), active == 0 || i < active);
    }
  }

  Lanes evaluate(const loop::Value &value) {
    auto lanes = static_cast<size_t>(value.type.lanes);
    Lanes result(lanes);
    std::vector<Lanes> args;
    for (const auto &arg : value.args) args.push_back(evaluate(*arg));
    switch (value.kind) {
      case loop::ValueKind::Constant:
        return Lanes(lanes, isFloat(value.type.dtype) ? value.number : static_cast<double>(value.integer));
      case loop::ValueKind::IndexValue:
        forLanes(value.lane, value.type.lanes, 0,
                 [&](size_t i, bool) { result[i] = static_cast<double>(evaluate(value.index)); });
        return result;
      case loop::ValueKind::Load: {
        Lanes fill = value.fill != nullptr ? evaluate(*value.fill) : Lanes(lanes, 0);
        forLanes(value.lane, value.type.lanes, value.activeLanes, [&](size_t i, bool active) {
          result[i] = active && holds(value.guards) ? element(value.buffer, evaluate(value.index)) : fill[i];
        });
        return result;
      }
      case loop::ValueKind::Register:
        return registers_.at(value.reg).at(static_cast<size_t>(evaluate(value.index)));
      case loop::ValueKind::Apply:
        for (size_t i = 0; i < lanes; ++i) {
          auto arg = [&](size_t position) { return position < args.size() ? args[position][i] : 0; };
          result[i] = apply(value.op, arg(0), arg(1), arg(2));
        }
        return result;
      case loop::ValueKind::Cast:
        return args[0];
      case loop::ValueKind::Bits:
        throw std::logic_error("this interpreter has numbers, not their bits");
      case loop::ValueKind::Broadcast:
        return Lanes(lanes, args[0][0]);
      case loop::ValueKind::Horizontal: {
        double folded = args[0][0];
        for (size_t i = 1; i < args[0].size(); ++i) folded = apply(value.op, folded, args[0][i], 0);
        return {folded};
      }
      case loop::ValueKind::ExtractLane:
        return {args[0].at(static_cast<size_t>(value.integer))};
      case loop::ValueKind::ActiveLanes:
        for (size_t i = 0; i < lanes; ++i) result[i] = static_cast<int64_t>(i) < value.integer ? 1 : 0;
        return result;
    }
    return result;
  }

  static double apply(ScalarOp op, double a, double b, double c) {
    switch (op) {
      case ScalarOp::Add:
        return a + b;
      case ScalarOp::Sub:
        return a - b;
      case ScalarOp::Mul:
        return a * b;
      case ScalarOp::Max:
        return a > b ? a : b;
      case ScalarOp::Min:
        return a < b ? a : b;
      case ScalarOp::Less:
        return a < b ? 1 : 0;
      case ScalarOp::Select:
        return a != 0 ? b : c;
      default:
        throw std::logic_error("the oracle does not know this operation");
    }
  }

  void execute(const loop::Statement &statement) {
    switch (statement.kind) {
      case loop::StatementKind::If:
        if (!holds(statement.guards)) return;
        [[fallthrough]];
      case loop::StatementKind::Block:
        for (const auto &child : statement.body) execute(*child);
        return;
      case loop::StatementKind::For: {
        int64_t end = evaluate(statement.end);
        for (int64_t i = evaluate(statement.begin); i < end; i += statement.step) {
          bind(statement.variable, i);
          for (const auto &child : statement.body) execute(*child);
        }
        return;
      }
      case loop::StatementKind::Registers:
        registers_[statement.reg].assign(static_cast<size_t>(statement.count),
                                         Lanes(static_cast<size_t>(statement.type.lanes)));
        return;
      case loop::StatementKind::Set:
        registers_.at(statement.reg).at(static_cast<size_t>(evaluate(statement.index))) = evaluate(*statement.value);
        return;
      case loop::StatementKind::Prefetch:
        return;
      case loop::StatementKind::Store: {
        Lanes value = evaluate(*statement.value);
        forLanes(statement.lane, statement.value->type.lanes, statement.activeLanes, [&](size_t i, bool active) {
          if (active && holds(statement.guards)) element(statement.buffer, evaluate(statement.index)) = value[i];
        });
        return;
      }
    }
  }

  const loop::Kernel &kernel_;
  std::vector<std::vector<double>> &buffers_;
  std::map<int, int64_t> variables_;
  std::map<int, std::vector<Lanes>> registers_;
};

}  // namespace

void interpret(const loop::Kernel &kernel, std::vector<std::vector<double>> &buffers) {
  Interpreter(kernel, buffers).run();
}

}  // namespace hone::test
