#include "compiler/estimate/work.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace hone::estimate {
namespace {

using loop::IntExpr;
using loop::Statement;
using loop::Value;
using loop::ValueKind;

// A lane that is loaded or placed by itself.
constexpr double kGatherLane = 1.5;
// Instructions of a division or a remainder by a constant.
constexpr double kIndexOperation = 4;
// Counting, comparing, branching, and the pointers that move on.
constexpr double kLoopInstructions = 4;
// About what 32 KiB hold, and how many times slower more of it is.
constexpr double kMostInstructions = 3500, kFarInstructions = 3;
// Cycles for each register too many; where sums go through memory from step to step, each step waits for it.
constexpr double kSpill = 0.3, kSpillOfSum = 20;

double bytesOf(const loop::Type &type) { return static_cast<double>(sizeOf(type.dtype)) * type.lanes; }

class Counter {
 public:
  Counter(const Scopes &scopes, const TargetDescription &target, const Machine &machine)
      : scopes_(scopes), target_(target), machine_(machine), work_(scopes.all().size()) {}

  std::vector<Work> run() {
    for (size_t s = 0; s < scopes_.all().size(); ++s) enter(static_cast<int>(s));
    return std::move(work_);
  }

 private:
  void enter(int scope) {
    const Scope &here = scopes_.at(scope);
    if (here.statements.empty()) return;
    path_ = scopes_.path(scope);
    seen_.clear();
    for (const Statement *statement : here.statements) count(*statement);
  }

  static uint64_t bit(size_t depth) { return Path::bit(depth); }
  uint64_t everything() const { return path_.size() >= 64 ? ~uint64_t{0} : bit(path_.size()) - 1; }

  // Work that changes with the scopes of \p dependence is done in the innermost of them, and once for every iteration
  // of the unrolled ones among them.
  void add(const Work &work, uint64_t dependence) {
    int target = path_[0];
    double times = 1;
    for (size_t depth = 0; depth < path_.size(); ++depth) {
      const Scope &scope = scopes_.at(path_[depth]);
      // Nothing is done before it is known that it has to be.
      const bool isCondition = scope.variable < 0;
      if ((dependence & bit(depth)) == 0 && !isCondition) continue;
      if (scope.isUnrolled) {
        times *= scope.trips;
      } else {
        target = path_[depth];
      }
    }
    work_[static_cast<size_t>(target)] += work * times;
  }

  void count(const Statement &statement) {
    if (statement.kind == loop::StatementKind::Prefetch) {
      Work work;
      work.instructions = 1;
      work.loads = machine_.load.cycles(1);
      add(work, everything());
      return;
    }
    uint64_t dependence = value(*statement.value);
    if (statement.kind == loop::StatementKind::Store) {
      Work work;
      const double bytes = bytesOf(statement.value->type);
      const bool isScattered = statement.value->type.lanes > 1 && coefficient(statement.index, statement.lane) != 1;
      work.stores = isScattered
                        ? statement.value->type.lanes * machine_.store.cycles(bytes / statement.value->type.lanes)
                        : machine_.store.cycles(bytes);
      if (isScattered) work.vectors = kGatherLane * statement.value->type.lanes;
      work.instructions = isScattered ? 2.0 * statement.value->type.lanes : 1;
      dependence |= path_.dependence(statement.index);
      for (const loop::Guard &guard : statement.guards) dependence |= guardWork(guard);
      add(work, everything() & (dependence | around()));
      return;
    }
    dependence |= path_.dependence(statement.index);
    if (statement.value->kind == ValueKind::Constant) {
      Work work;
      work.instructions = 1;
      add(work, dependence | around());
      return;
    }
    chain(statement, dependence);
  }

  // The scopes in which a statement stands that are not unrolled.
  uint64_t around() const {
    uint64_t bits = 0;
    for (size_t depth = 0; depth < path_.size(); ++depth)
      if (!scopes_.at(path_[depth]).isUnrolled) bits |= bit(depth);
    return bits;
  }

  static std::optional<int64_t> coefficient(const IntExpr &index, int variable) {
    return variable < 0 ? std::optional<int64_t>(0) : coefficientOf(index, variable);
  }

  // Where every loop that a guard depends on is written out, the compiler knows the answer.
  bool isKnown(const loop::Guard &guard) const {
    const uint64_t dependence = path_.dependence(guard.expression);
    for (size_t depth = 0; depth < path_.size(); ++depth)
      if ((dependence & bit(depth)) != 0 && !scopes_.at(path_[depth]).isUnrolled) return false;
    return true;
  }

  uint64_t guardWork(const loop::Guard &guard) {
    const uint64_t dependence = path_.dependence(guard.expression);
    if (isKnown(guard)) return dependence;
    Work work;
    work.instructions = 3;
    work.vectors = machine_.arithmetic.cycles(4);
    add(work, dependence);
    return dependence;
  }

  void indexWork(const IntExpr &index, uint64_t dependence) {
    double operations = 0;
    for (const IntExpr::Term &term : index.terms())
      if (term.atom->kind != loop::AtomKind::Var) operations += kIndexOperation;
    if (operations == 0) return;
    Work work;
    work.instructions = operations;
    add(work, dependence);
  }

  // Adds the work of an expression and says on what it depends.
  uint64_t value(const Value &v) {
    if (const auto known = seen_.find(&v); known != seen_.end()) return known->second;
    const uint64_t dependence = valueOnce(v);
    seen_.emplace(&v, dependence);
    return dependence;
  }

  uint64_t valueOnce(const Value &v) {
    switch (v.kind) {
      case ValueKind::Constant:
      case ValueKind::ActiveLanes:
        return 0;
      case ValueKind::Register:
        return around() | path_.dependence(v.index);
      case ValueKind::Load:
        return load(v);
      case ValueKind::IndexValue: {
        const uint64_t dependence = path_.dependence(v.index);
        arithmetic(v, 1, dependence);
        indexWork(v.index, dependence);
        return dependence;
      }
      case ValueKind::Broadcast: {
        const uint64_t dependence = value(*v.args[0]);
        const bool isFree = v.args[0]->kind == ValueKind::Constant ||
                            (v.args[0]->kind == ValueKind::Load && machine_.hasBroadcastLoads);
        if (!isFree) arithmetic(v, 1, dependence);
        return dependence;
      }
      case ValueKind::Horizontal: {
        const uint64_t dependence = value(*v.args[0]);
        arithmetic(*v.args[0], 2 * std::log2(std::max(2, v.args[0]->type.lanes)), dependence);
        return dependence;
      }
      case ValueKind::Cast: {
        const uint64_t dependence = value(*v.args[0]);
        const bool isResized = sizeOf(v.type.dtype) != sizeOf(v.args[0]->type.dtype);
        arithmetic(bytesOf(v.type) > bytesOf(v.args[0]->type) ? v : *v.args[0], isResized ? 2 : 1, dependence);
        return dependence;
      }
      case ValueKind::Bits:
        return value(*v.args[0]);
      case ValueKind::ExtractLane: {
        const uint64_t dependence = value(*v.args[0]);
        arithmetic(v, 1, dependence);
        return dependence;
      }
      case ValueKind::Apply:
        return apply(v);
    }
    return 0;
  }

  uint64_t load(const Value &v) {
    uint64_t dependence = path_.dependence(v.index);
    for (const loop::Guard &guard : v.guards) dependence |= guardWork(guard);
    const double bytes = bytesOf(v.type);
    const std::optional<int64_t> stride = coefficient(v.index, v.lane);
    Work work;
    work.instructions = 1;
    // Whether to load is known further out, and asked here.
    if (!std::all_of(v.guards.begin(), v.guards.end(), [&](const loop::Guard &guard) { return isKnown(guard); })) {
      work.instructions += 1;
      work.vectors += machine_.arithmetic.cycles(bytes);
    }
    work.loads = machine_.load.cycles(bytes);
    if (v.type.lanes > 1 && stride != 1 && stride != 0) {
      work.loads = v.type.lanes * machine_.load.cycles(bytes / v.type.lanes);
      work.vectors += kGatherLane * v.type.lanes;
      work.instructions += 2.0 * v.type.lanes;
    }
    indexWork(v.index, dependence);
    add(work * reuse(v, dependence), dependence);
    return dependence;
  }

  // The part of the iterations of unrolled loops that load something of their own. What others load too is held in
  // registers meanwhile.
  double reuse(const Value &v, uint64_t dependence) {
    std::vector<std::pair<int64_t, double>> loops;
    const std::vector<int64_t> steps = path_.steps(v.index);
    double all = 1;
    // Loops written out around one that is not are code of their own.
    for (size_t depth = innermostDepth() + 1; depth < path_.size(); ++depth) {
      const Scope &scope = scopes_.at(path_[depth]);
      if ((dependence & bit(depth)) == 0) continue;
      loops.emplace_back(std::abs(steps[depth]), scope.trips);
      all *= scope.trips;
    }
    std::sort(loops.begin(), loops.end());
    double places = 1, run = 1;
    int64_t unit = 0;
    for (const auto &[step, trips] : loops) {
      const bool isMultiple = unit > 0 && step % unit == 0;
      const int64_t units = isMultiple ? step / unit : 0;
      const auto apart = static_cast<double>(units);
      if (isMultiple && apart <= run) {
        run += apart * (trips - 1);
        continue;
      }
      places *= run;
      run = trips;
      unit = step;
    }
    places *= run;
    if (places >= all) return 1;
    innermost().held += places * registersOf(v.type);
    return places / all;
  }

  double registersOf(const loop::Type &type) const {
    return std::max(1.0, bytesOf(type) / static_cast<double>(target_.vectorBytes));
  }

  // The innermost scope that is not unrolled.
  size_t innermostDepth() const {
    size_t innermost = 0;
    for (size_t depth = 0; depth < path_.size(); ++depth)
      if (!scopes_.at(path_[depth]).isUnrolled) innermost = depth;
    return innermost;
  }
  Work &innermost() { return work_[static_cast<size_t>(path_[innermostDepth()])]; }

  void arithmetic(const Value &v, double times, uint64_t dependence) {
    Work work;
    // What is wider than a register takes several instructions; what is narrower takes one.
    work.vectors = times * machine_.arithmetic.cycles(bytesOf(v.type));
    work.instructions = times;
    add(work, dependence);
  }

  uint64_t apply(const Value &v) {
    const double bytes = bytesOf(v.type);
    Work work;
    work.instructions = 1;
    // An addition takes a product in.
    const bool addsProduct = v.op == ScalarOp::Add && isFloat(v.type.dtype) &&
                             std::any_of(v.args.begin(), v.args.end(), [](const loop::ValuePtr &arg) {
                               return arg->kind == ValueKind::Apply && arg->op == ScalarOp::Mul;
                             });
    uint64_t dependence = 0;
    for (const loop::ValuePtr &arg : v.args) {
      const bool isTakenIn = addsProduct && arg->kind == ValueKind::Apply && arg->op == ScalarOp::Mul;
      if (isTakenIn) {
        for (const loop::ValuePtr &factor : arg->args) dependence |= value(*factor);
      } else {
        dependence |= value(*arg);
      }
    }
    switch (costOf(v.op)) {
      case ScalarCost::Division:
        work.divisions = bytes / machine_.divideBytes;
        break;
      case ScalarCost::Function:
        work.divisions = bytes / machine_.libraryBytes;
        work.instructions = 20;
        break;
      case ScalarCost::Instruction:
        work.vectors = addsProduct ? machine_.multiplyAdd.cycles(bytes) : machine_.arithmetic.cycles(bytes);
    }
    add(work, dependence);
    return dependence;
  }

  // A register that is computed from itself: every iteration waits for the one before, unrolled ones, too, unless they
  // have registers of their own.
  void chain(const Statement &statement, uint64_t dependence) {
    const int depth = depthOfSelf(*statement.value, statement.reg, statement.index);
    if (depth == 0) return;
    Work work;
    work.chain = depth * machine_.multiplyAddLatency;
    const uint64_t ofRegister = path_.dependence(statement.index);
    double sums = registersOf(statement.value->type);
    for (size_t d = 0; d < path_.size(); ++d) {
      const Scope &scope = scopes_.at(path_[d]);
      if (!scope.isUnrolled) continue;
      if ((ofRegister & bit(d)) != 0) {
        sums *= scope.trips;
      } else if ((dependence & bit(d)) != 0 && d > innermostDepth()) {
        work.chain *= scope.trips;
      }
    }
    Work &there = innermost();
    there.chain = std::max(there.chain, work.chain);
    there.held += sums;
    there.keepsSums = there.keepsSums || &there != &work_[static_cast<size_t>(scopes_.scopeOfRegister(statement.reg))];
  }

  // Operations from the register to the value; 0: it is not in it.
  static int depthOfSelf(const Value &v, int reg, const IntExpr &index) {
    int deepest = 0;
    for (const loop::ValuePtr &arg : v.args) {
      const bool isSelf = arg->kind == ValueKind::Register && arg->reg == reg;
      const int below = isSelf ? 1 : depthOfSelf(*arg, reg, index);
      if (below > 0) deepest = std::max(deepest, below + (isSelf ? 0 : 1));
    }
    return deepest;
  }

  const Scopes &scopes_;
  const TargetDescription &target_;
  const Machine &machine_;
  std::vector<Work> work_;
  Path path_;
  std::map<const Value *, uint64_t> seen_;
};

}  // namespace

double Work::bound() const { return std::max({vectors, loads, stores, divisions, instructions, chain}) + spills; }

Work &Work::operator+=(const Work &other) {
  vectors += other.vectors;
  loads += other.loads;
  stores += other.stores;
  divisions += other.divisions;
  instructions += other.instructions;
  chain = std::max(chain, other.chain);
  return *this;
}

Work Work::operator*(double factor) const {
  Work work = *this;
  for (double Work::*part : {&Work::vectors, &Work::loads, &Work::stores, &Work::divisions, &Work::instructions})
    work.*part *= factor;
  return work;
}

std::vector<Work> workOf(const Scopes &scopes, const TargetDescription &target, const Machine &machine) {
  std::vector<Work> work = Counter(scopes, target, machine).run();
  for (size_t s = 0; s < work.size(); ++s) {
    Work &each = work[s];
    const Scope &scope = scopes.at(static_cast<int>(s));
    if (scope.variable >= 0 && !scope.isUnrolled && scope.trips > 1) each.instructions += kLoopInstructions;
    each.code = each.instructions;
    // Code that the first-level cache does not hold comes slowly.
    if (each.instructions > kMostInstructions) each.instructions *= kFarInstructions;
    each.instructions /= machine.issue;
    // Besides what is held: an operand that is loaded, and one that is broadcast.
    const double spilled = std::max(0.0, each.held + 2 - static_cast<double>(target.vectorRegisters));
    each.spills = spilled * (each.keepsSums ? kSpillOfSum : kSpill);
  }
  return work;
}

}  // namespace hone::estimate
