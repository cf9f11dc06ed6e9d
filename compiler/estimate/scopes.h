// A phase of a loop nest as a tree of scopes, with the numbers that estimates ask for: how often each is entered, and
// how the value of an index moves from one iteration to the next. Refers to the nest; not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "compiler/loop/loop_nest.h"

namespace hone::estimate {

/// The body of a loop, of a condition, or of the phase itself (the first one).
struct Scope {
  int parent = -1;
  int depth = 0;
  double trips = 1;  ///< iterations each time; below 1 for a condition that holds now and then
  bool isUnrolled = false;
  int variable = -1;    ///< -1: none
  loop::IntExpr begin;  ///< of the variable
  int64_t step = 0;     ///< of the variable, from one iteration to the next
  std::vector<int> children;
  std::vector<const loop::Statement *> statements;  ///< Set, Store and Prefetch, in order
};

/// The scopes from the outermost to one of them, with what the variables of their loops are on the way.
class Path {
 public:
  const std::vector<int> &scopes() const { return scopes_; }
  size_t size() const { return scopes_.size(); }
  int operator[](size_t depth) const { return scopes_[depth]; }

  /// On which scopes' iterations \p index depends, as bits of their depth; by way of the beginnings of loops, too.
  uint64_t dependence(const loop::IntExpr &index) const;
  /// By how much \p index moves when the scope of each depth goes one iteration on, the others in the middle.
  std::vector<int64_t> steps(const loop::IntExpr &index) const;

  static uint64_t bit(size_t depth) { return uint64_t{1} << (depth < 63 ? depth : 63); }

 private:
  friend class Scopes;
  using Values = std::vector<int64_t>;  // by variable
  static int64_t evaluate(const loop::IntExpr &e, const Values &values);

  std::vector<int> scopes_;
  std::vector<uint64_t> dependence_;  // by variable
  Values middle_;
  std::vector<Values> moved_;  // by depth
};

/// Whether \p index depends on one that is loaded from memory.
bool isIndirect(const loop::IntExpr &index);

class Scopes {
 public:
  explicit Scopes(const loop::Phase &phase);

  const std::vector<Scope> &all() const { return scopes_; }
  const Scope &at(int scope) const { return scopes_[static_cast<size_t>(scope)]; }
  /// The scope in which register array \p reg is declared.
  int scopeOfRegister(int reg) const { return registers_[static_cast<size_t>(reg)]; }
  Path path(int scope) const;
  /// The innermost scope that is not unrolled: \p scope, or one around it.
  int around(int scope) const;
  /// Whether the scope has loops in it, so that its own statements stand beside them.
  bool isBesideLoops(int scope) const;

 private:
  int add(int parent, Scope scope);
  void addParallel(const loop::Phase &phase);
  void walk(const loop::Statement &statement, int scope);
  /// Values of the variables of \p path, that of depth \p moved one iteration on; -1: none.
  Path::Values valuesOf(const Path &path, int moved) const;

  std::vector<Scope> scopes_;
  std::vector<int> registers_;  // by register array: the scope of its declaration
  size_t variables_ = 0;
  int parallel_ = -1;  // variable of the phase
};

}  // namespace hone::estimate
