// IntExpr: integer expressions over loop variables in one canonical form: constant + Σ coefficient × atom, where an
// atom is a variable or something not linear (floor division, modulo, min, max, an index loaded from a buffer).
// Building an expression simplifies it with the ranges of the variables, so that what remains is what must be
// computed. Values; immutable; thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hone::loop {

struct Atom;
using AtomPtr = std::shared_ptr<const Atom>;

class IntExpr {
 public:
  struct Term {
    AtomPtr atom;
    int64_t coefficient;
  };

  IntExpr() = default;
  IntExpr(int64_t constant) : constant_(constant) {}  // NOLINT(google-explicit-constructor): numbers are expressions

  int64_t constant() const { return constant_; }
  const std::vector<Term> &terms() const { return terms_; }
  bool isConstant() const { return terms_.empty(); }

  /// Smallest and largest value (inclusive), from the ranges of the variables.
  int64_t low() const;
  int64_t high() const;

  std::string text() const;

  friend IntExpr operator+(const IntExpr &a, const IntExpr &b);
  friend IntExpr operator*(const IntExpr &a, int64_t factor);
  friend IntExpr fromAtom(AtomPtr atom);

 private:
  int64_t constant_ = 0;
  std::vector<Term> terms_;  // sorted by the atoms' text, coefficients not 0
};

enum class AtomKind : uint8_t { Var, FloorDiv, Mod, Min, Max, Load };

struct Atom {
  AtomKind kind = AtomKind::Var;
  // Var: unique id within a kernel, a name for people, its inclusive range.
  int id = -1;
  std::string name;
  int64_t low = 0, high = 0;  // also the bounds of every other atom
  IntExpr a, b;               // FloorDiv, Mod: a and the divisor. Min, Max: both. Load: a is the element offset
  int64_t divisor = 1;
  int buffer = -1;   // Load: position in loop::Kernel::buffers
  std::string text;  // canonical; equal text, equal atom
};

IntExpr operator+(const IntExpr &a, const IntExpr &b);
IntExpr operator*(const IntExpr &a, int64_t factor);
IntExpr fromAtom(AtomPtr atom);
IntExpr variable(int id, std::string name, int64_t low, int64_t high);
IntExpr operator-(const IntExpr &a, const IntExpr &b);
IntExpr floorDiv(const IntExpr &a, int64_t divisor);
IntExpr mod(const IntExpr &a, int64_t divisor);
IntExpr min(const IntExpr &a, const IntExpr &b);
IntExpr max(const IntExpr &a, const IntExpr &b);
/// The integer at element offset \p offset of \p buffer, known to be within [low, high] (clamped by the reader).
IntExpr loadIndex(int buffer, const IntExpr &offset, int64_t low, int64_t high);

/// The expression with variables replaced: \p value gives an expression for a variable's id, or nothing to keep it.
IntExpr substitute(const IntExpr &e, const std::function<std::optional<IntExpr>(int id)> &value);

/// The coefficient of variable \p id when the expression is linear in it (0 if absent); nothing when the
/// variable occurs inside another atom.
std::optional<int64_t> coefficientOf(const IntExpr &e, int id);

bool operator==(const IntExpr &a, const IntExpr &b);

}  // namespace hone::loop
