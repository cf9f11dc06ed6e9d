#include "compiler/estimate/scopes.h"

#include <algorithm>
#include <functional>
#include <set>

namespace hone::estimate {
namespace {

using loop::Atom;
using loop::AtomKind;
using loop::IntExpr;
using loop::Statement;
using loop::StatementKind;

void forEachAtom(const IntExpr &e, const std::function<void(const Atom &)> &visit) {
  for (const IntExpr::Term &term : e.terms()) {
    visit(*term.atom);
    forEachAtom(term.atom->a, visit);
    forEachAtom(term.atom->b, visit);
  }
}

int variableOf(const IntExpr &e) { return e.terms().empty() ? -1 : e.terms()[0].atom->id; }

// In the middle of every range that it depends on: what is true of most iterations.
int64_t middle(const IntExpr &e) {
  int64_t value = e.constant();
  for (const IntExpr::Term &term : e.terms()) {
    const Atom &atom = *term.atom;
    int64_t of = (atom.low + atom.high) / 2;
    if (atom.kind == AtomKind::Min) of = std::min(middle(atom.a), middle(atom.b));
    if (atom.kind == AtomKind::Max) of = std::max(middle(atom.a), middle(atom.b));
    value += term.coefficient * of;
  }
  return value;
}

// Of the iterations for which a condition asks, the part for which it holds.
double share(const loop::Guard &guard) {
  const int64_t low = guard.expression.low(), high = guard.expression.high() + 1;
  const int64_t kept = std::min(high, guard.high) - std::max(low, guard.low);
  return high > low ? std::max(0.0, static_cast<double>(kept) / static_cast<double>(high - low)) : 1;
}

// The steps at which the digits of the phase's variable change: 1 and the divisors by which the program divides it.
void collectDivisors(const Statement &statement, int variable, std::set<int64_t> &divisors) {
  const auto look = [&](const IntExpr &e) {
    forEachAtom(e, [&](const Atom &atom) {
      if ((atom.kind == AtomKind::FloorDiv || atom.kind == AtomKind::Mod) && variableOf(atom.a) == variable)
        divisors.insert(atom.divisor);
    });
  };
  look(statement.begin);
  look(statement.end);
  for (const loop::Guard &guard : statement.guards) look(guard.expression);
  for (const loop::StatementPtr &child : statement.body) collectDivisors(*child, variable, divisors);
}

}  // namespace

Scopes::Scopes(const loop::Phase &phase) {
  addParallel(phase);
  walk(*phase.body, static_cast<int>(scopes_.size()) - 1);
}

int Scopes::add(int parent, Scope scope) {
  const int number = static_cast<int>(scopes_.size());
  scope.parent = parent;
  if (parent >= 0) {
    scope.depth = at(parent).depth + 1;
    scopes_[static_cast<size_t>(parent)].children.push_back(number);
  }
  if (scope.variable >= 0) variables_ = std::max(variables_, static_cast<size_t>(scope.variable) + 1);
  scopes_.push_back(std::move(scope));
  return number;
}

void Scopes::addParallel(const loop::Phase &phase) {
  parallel_ = variableOf(phase.parallel);
  int scope = add(-1, {});
  std::set<int64_t> divisors = {1};
  if (phase.extent > 1) collectDivisors(*phase.body, parallel_, divisors);
  int64_t outer = phase.extent;
  for (auto divisor = divisors.rbegin(); divisor != divisors.rend(); ++divisor) {
    if (*divisor >= outer && *divisor > 1) continue;
    Scope digit;
    digit.trips = static_cast<double>(outer) / static_cast<double>(*divisor);
    digit.variable = parallel_;
    digit.step = *divisor;
    scope = add(scope, std::move(digit));
    outer = *divisor;
  }
}

void Scopes::walk(const Statement &statement, int scope) {
  switch (statement.kind) {
    case StatementKind::Block:
      for (const loop::StatementPtr &child : statement.body) walk(*child, scope);
      return;
    case StatementKind::For: {
      Scope inner;
      const int64_t trips = (middle(statement.end - statement.begin) + statement.step - 1) / statement.step;
      inner.trips = static_cast<double>(std::max<int64_t>(0, trips));
      inner.isUnrolled = statement.loop == loop::LoopKind::Unrolled;
      inner.variable = variableOf(statement.variable);
      inner.begin = statement.begin;
      inner.step = statement.step;
      const int number = add(scope, std::move(inner));
      for (const loop::StatementPtr &child : statement.body) walk(*child, number);
      return;
    }
    case StatementKind::If: {
      Scope inner;
      for (const loop::Guard &guard : statement.guards) inner.trips *= share(guard);
      const int number = add(scope, std::move(inner));
      for (const loop::StatementPtr &child : statement.body) walk(*child, number);
      return;
    }
    case StatementKind::Registers:
      if (registers_.size() <= static_cast<size_t>(statement.reg))
        registers_.resize(static_cast<size_t>(statement.reg) + 1);
      registers_[static_cast<size_t>(statement.reg)] = scope;
      return;
    case StatementKind::Set:
    case StatementKind::Store:
    case StatementKind::Prefetch:
      scopes_[static_cast<size_t>(scope)].statements.push_back(&statement);
      return;
  }
}

Path Scopes::path(int scope) const {
  Path path;
  for (; scope >= 0; scope = at(scope).parent) path.scopes_.push_back(scope);
  std::reverse(path.scopes_.begin(), path.scopes_.end());
  path.dependence_.assign(variables_, 0);
  for (size_t depth = 0; depth < path.size(); ++depth) {
    const Scope &here = at(path[depth]);
    if (here.variable < 0) continue;
    uint64_t &dependence = path.dependence_[static_cast<size_t>(here.variable)];
    dependence |= Path::bit(depth) | (here.variable == parallel_ ? 0 : path.dependence(here.begin));
  }
  path.middle_ = valuesOf(path, -1);
  for (size_t depth = 0; depth < path.size(); ++depth) path.moved_.push_back(valuesOf(path, static_cast<int>(depth)));
  return path;
}

int Scopes::around(int scope) const {
  while (at(scope).isUnrolled) scope = at(scope).parent;
  return scope;
}

bool Scopes::isBesideLoops(int scope) const {
  const std::vector<int> &children = at(scope).children;
  return std::any_of(children.begin(), children.end(), [&](int child) {
    return (at(child).variable >= 0 && !at(child).isUnrolled) || isBesideLoops(child);
  });
}

Path::Values Scopes::valuesOf(const Path &path, int moved) const {
  Path::Values values(variables_, 0);
  for (size_t depth = 0; depth < path.size(); ++depth) {
    const Scope &scope = at(path[depth]);
    if (scope.variable < 0) continue;
    int64_t &value = values[static_cast<size_t>(scope.variable)];
    // The digits of the phase's variable add up; a loop begins where its bounds say.
    if (scope.variable != parallel_) value = Path::evaluate(scope.begin, values);
    // In the middle, where no border cuts loops short, with room for one iteration more.
    const auto trips = static_cast<int64_t>(scope.trips);
    const int64_t middle = std::max<int64_t>(0, std::min(trips / 2, trips - 2));
    value += scope.step * (middle + (static_cast<int>(depth) == moved ? 1 : 0));
  }
  return values;
}

int64_t Path::evaluate(const IntExpr &e, const Values &values) {
  int64_t value = e.constant();
  for (const IntExpr::Term &term : e.terms()) {
    const Atom &atom = *term.atom;
    int64_t of = 0;
    switch (atom.kind) {
      case AtomKind::Var:
        of = static_cast<size_t>(atom.id) < values.size() ? values[static_cast<size_t>(atom.id)] : 0;
        break;
      case AtomKind::FloorDiv:
      case AtomKind::Mod: {
        const int64_t a = evaluate(atom.a, values);
        const int64_t quotient = a / atom.divisor - (a % atom.divisor < 0 ? 1 : 0);
        of = atom.kind == AtomKind::FloorDiv ? quotient : a - quotient * atom.divisor;
        break;
      }
      case AtomKind::Min:
        of = std::min(evaluate(atom.a, values), evaluate(atom.b, values));
        break;
      case AtomKind::Max:
        of = std::max(evaluate(atom.a, values), evaluate(atom.b, values));
        break;
      case AtomKind::Load:
        of = atom.low;
        break;
    }
    value += term.coefficient * of;
  }
  return value;
}

uint64_t Path::dependence(const IntExpr &index) const {
  uint64_t bits = 0;
  for (const IntExpr::Term &term : index.terms()) {
    const Atom &atom = *term.atom;
    if (atom.kind != AtomKind::Var) {
      bits |= dependence(atom.a) | dependence(atom.b);
    } else if (static_cast<size_t>(atom.id) < dependence_.size()) {
      bits |= dependence_[static_cast<size_t>(atom.id)];
    }
  }
  return bits;
}

std::vector<int64_t> Path::steps(const IntExpr &index) const {
  const uint64_t depends = dependence(index);
  const int64_t middle = evaluate(index, middle_);
  std::vector<int64_t> steps(size(), 0);
  for (size_t depth = 0; depth < size(); ++depth)
    if ((depends & bit(depth)) != 0) steps[depth] = evaluate(index, moved_[depth]) - middle;
  return steps;
}

bool isIndirect(const IntExpr &index) {
  return std::any_of(index.terms().begin(), index.terms().end(), [](const IntExpr::Term &term) {
    return term.atom->kind == AtomKind::Load || isIndirect(term.atom->a) || isIndirect(term.atom->b);
  });
}

}  // namespace hone::estimate
