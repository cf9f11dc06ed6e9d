#include "compiler/loop/int_expr.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hone::loop {
namespace {

int64_t floorDivide(int64_t a, int64_t b) {
  int64_t q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

int64_t floorModulo(int64_t a, int64_t b) { return a - floorDivide(a, b) * b; }

IntExpr makeAtom(Atom atom) { return fromAtom(std::make_shared<const Atom>(std::move(atom))); }

// The part of `e` whose coefficients and constant are multiples of `divisor`, divided by it, and what remains.
// The remainder's constant is in [0, divisor).
std::pair<IntExpr, IntExpr> splitMultiples(const IntExpr &e, int64_t divisor) {
  IntExpr quotient = floorDivide(e.constant(), divisor);
  IntExpr rest = floorModulo(e.constant(), divisor);
  for (const IntExpr::Term &term : e.terms()) {
    // A coefficient that exceeds the divisor gives its multiple and keeps the remainder.
    int64_t whole = floorDivide(term.coefficient, divisor);
    int64_t part = floorModulo(term.coefficient, divisor);
    // Small negative coefficients stay as they are: -x is not turned into -1 * divisor + (divisor - 1) x.
    if (part != 0 && term.coefficient < 0) {
      whole = 0;
      part = term.coefficient;
    }
    quotient = quotient + fromAtom(term.atom) * whole;
    rest = rest + fromAtom(term.atom) * part;
  }
  return {quotient, rest};
}

// floor((g·A + r) / (g·B)) = floor(A / B) where r is in [0, g): splits `e` into g·A and r for the largest g
// that divides `divisor` and leaves such an r. Returns A and g; g is 1 when nothing can be dropped.
std::pair<IntExpr, int64_t> dropSmallTerms(const IntExpr &e, int64_t divisor) {
  for (const IntExpr::Term &candidate : e.terms()) {
    int64_t g = std::gcd(divisor, candidate.coefficient);
    if (g <= 1) continue;
    IntExpr large = floorDivide(e.constant(), g);
    IntExpr small = floorModulo(e.constant(), g);
    for (const IntExpr::Term &term : e.terms()) {
      if (term.coefficient % g == 0) {
        large = large + fromAtom(term.atom) * (term.coefficient / g);
      } else {
        small = small + fromAtom(term.atom) * term.coefficient;
      }
    }
    if (small.low() >= 0 && small.high() < g) return {large, g};
  }
  return {e, 1};
}

IntExpr minMax(const IntExpr &a, const IntExpr &b, bool isMin) {
  const IntExpr &first = isMin ? a : b;
  const IntExpr &second = isMin ? b : a;
  if (first.high() <= second.low()) return a;
  if (second.high() <= first.low()) return b;
  IntExpr difference = a - b;
  if (difference.low() >= 0) return isMin ? b : a;
  if (difference.high() <= 0) return isMin ? a : b;
  Atom atom;
  atom.kind = isMin ? AtomKind::Min : AtomKind::Max;
  atom.a = a;
  atom.b = b;
  atom.low = isMin ? std::min(a.low(), b.low()) : std::max(a.low(), b.low());
  atom.high = isMin ? std::min(a.high(), b.high()) : std::max(a.high(), b.high());
  atom.text = absl::StrCat(isMin ? "min(" : "max(", a.text(), ", ", b.text(), ")");
  return makeAtom(std::move(atom));
}

}  // namespace

IntExpr fromAtom(AtomPtr atom) {
  IntExpr e;
  e.terms_.push_back({std::move(atom), 1});
  return e;
}

int64_t IntExpr::low() const {
  int64_t sum = constant_;
  for (const Term &term : terms_) {
    sum += term.coefficient * (term.coefficient > 0 ? term.atom->low : term.atom->high);
  }
  return sum;
}

int64_t IntExpr::high() const {
  int64_t sum = constant_;
  for (const Term &term : terms_) {
    sum += term.coefficient * (term.coefficient > 0 ? term.atom->high : term.atom->low);
  }
  return sum;
}

std::string IntExpr::text() const {
  std::string out;
  for (const Term &term : terms_) {
    int64_t magnitude = term.coefficient < 0 ? -term.coefficient : term.coefficient;
    if (out.empty()) {
      out += term.coefficient < 0 ? "-" : "";
    } else {
      out += term.coefficient < 0 ? " - " : " + ";
    }
    if (magnitude != 1) absl::StrAppend(&out, magnitude, "*");
    out += term.atom->text;
  }
  if (out.empty()) return std::to_string(constant_);
  if (constant_ > 0) absl::StrAppend(&out, " + ", constant_);
  if (constant_ < 0) absl::StrAppend(&out, " - ", -constant_);
  return out;
}

IntExpr operator+(const IntExpr &a, const IntExpr &b) {
  IntExpr sum;
  sum.constant_ = a.constant_ + b.constant_;
  size_t i = 0;
  size_t j = 0;
  while (i < a.terms_.size() || j < b.terms_.size()) {
    int order = 0;
    if (i == a.terms_.size()) {
      order = 1;
    } else if (j == b.terms_.size()) {
      order = -1;
    } else {
      order = a.terms_[i].atom->text.compare(b.terms_[j].atom->text);
    }
    if (order < 0) {
      sum.terms_.push_back(a.terms_[i++]);
    } else if (order > 0) {
      sum.terms_.push_back(b.terms_[j++]);
    } else {
      int64_t coefficient = a.terms_[i].coefficient + b.terms_[j].coefficient;
      if (coefficient != 0) sum.terms_.push_back({a.terms_[i].atom, coefficient});
      ++i;
      ++j;
    }
  }
  return sum;
}

IntExpr operator*(const IntExpr &a, int64_t factor) {
  IntExpr product;
  if (factor == 0) return product;
  product = a;
  product.constant_ *= factor;
  for (IntExpr::Term &term : product.terms_) term.coefficient *= factor;
  return product;
}

IntExpr operator-(const IntExpr &a, const IntExpr &b) { return a + b * -1; }

bool operator==(const IntExpr &a, const IntExpr &b) {
  return a.constant() == b.constant() &&
         std::equal(a.terms().begin(), a.terms().end(), b.terms().begin(), b.terms().end(),
                    [](const IntExpr::Term &x, const IntExpr::Term &y) {
                      return x.coefficient == y.coefficient && x.atom->text == y.atom->text;
                    });
}

IntExpr variable(int id, std::string name, int64_t low, int64_t high) {
  if (low == high) return low;
  Atom atom;
  atom.kind = AtomKind::Var;
  atom.id = id;
  atom.low = low;
  atom.high = high;
  atom.text = name;
  atom.name = std::move(name);
  return makeAtom(std::move(atom));
}

IntExpr floorDiv(const IntExpr &a, int64_t divisor) {
  assert(divisor > 0);
  if (divisor == 1) return a;
  auto [quotient, rest] = splitMultiples(a, divisor);
  if (floorDivide(rest.low(), divisor) == floorDivide(rest.high(), divisor)) {
    return quotient + floorDivide(rest.low(), divisor);
  }
  auto [large, dropped] = dropSmallTerms(rest, divisor);
  if (dropped > 1) return quotient + floorDiv(large, divisor / dropped);
  // floor(floor(x / p) / q) = floor(x / pq)
  if (rest.terms().size() == 1 && rest.terms()[0].coefficient == 1 && rest.constant() == 0 &&
      rest.terms()[0].atom->kind == AtomKind::FloorDiv) {
    const Atom &inner = *rest.terms()[0].atom;
    return quotient + floorDiv(inner.a, inner.divisor * divisor);
  }
  Atom atom;
  atom.kind = AtomKind::FloorDiv;
  atom.a = rest;
  atom.divisor = divisor;
  atom.low = floorDivide(rest.low(), divisor);
  atom.high = floorDivide(rest.high(), divisor);
  atom.text = absl::StrCat("(", rest.text(), ")/", divisor);
  return quotient + makeAtom(std::move(atom));
}

IntExpr mod(const IntExpr &a, int64_t divisor) {
  assert(divisor > 0);
  if (divisor == 1) return 0;
  auto [quotient, rest] = splitMultiples(a, divisor);
  if (floorDivide(rest.low(), divisor) == floorDivide(rest.high(), divisor)) {
    return rest - floorDivide(rest.low(), divisor) * divisor;
  }
  auto [large, dropped] = dropSmallTerms(rest, divisor);
  if (dropped > 1) return mod(large, divisor / dropped) * dropped + (rest - large * dropped);
  Atom atom;
  atom.kind = AtomKind::Mod;
  atom.a = rest;
  atom.divisor = divisor;
  atom.low = 0;
  atom.high = divisor - 1;
  atom.text = absl::StrCat("(", rest.text(), ")%", divisor);
  return makeAtom(std::move(atom));
}

IntExpr min(const IntExpr &a, const IntExpr &b) { return minMax(a, b, true); }
IntExpr max(const IntExpr &a, const IntExpr &b) { return minMax(a, b, false); }

IntExpr loadIndex(int buffer, const IntExpr &offset, int64_t low, int64_t high) {
  if (low == high) return low;
  Atom atom;
  atom.kind = AtomKind::Load;
  atom.buffer = buffer;
  atom.a = offset;
  atom.low = low;
  atom.high = high;
  atom.text = absl::StrCat("index", buffer, "[", offset.text(), "; ", low, "..", high, "]");
  return makeAtom(std::move(atom));
}

IntExpr substitute(const IntExpr &e, const std::function<std::optional<IntExpr>(int id)> &value) {
  IntExpr result = e.constant();
  for (const IntExpr::Term &term : e.terms()) {
    const Atom &atom = *term.atom;
    IntExpr replaced;
    switch (atom.kind) {
      case AtomKind::Var:
        replaced = value(atom.id).value_or(fromAtom(term.atom));
        break;
      case AtomKind::FloorDiv:
        replaced = floorDiv(substitute(atom.a, value), atom.divisor);
        break;
      case AtomKind::Mod:
        replaced = mod(substitute(atom.a, value), atom.divisor);
        break;
      case AtomKind::Min:
        replaced = min(substitute(atom.a, value), substitute(atom.b, value));
        break;
      case AtomKind::Max:
        replaced = max(substitute(atom.a, value), substitute(atom.b, value));
        break;
      case AtomKind::Load:
        replaced = loadIndex(atom.buffer, substitute(atom.a, value), atom.low, atom.high);
        break;
    }
    result = result + replaced * term.coefficient;
  }
  return result;
}

namespace {

bool mentions(const IntExpr &e, int id) {
  return std::any_of(e.terms().begin(), e.terms().end(), [&](const IntExpr::Term &term) {
    const Atom &atom = *term.atom;
    return atom.kind == AtomKind::Var ? atom.id == id : mentions(atom.a, id) || mentions(atom.b, id);
  });
}

}  // namespace

std::optional<int64_t> coefficientOf(const IntExpr &e, int id) {
  int64_t coefficient = 0;
  for (const IntExpr::Term &term : e.terms()) {
    const Atom &atom = *term.atom;
    if (atom.kind == AtomKind::Var) {
      if (atom.id == id) coefficient += term.coefficient;
    } else if (mentions(atom.a, id) || mentions(atom.b, id)) {
      return std::nullopt;
    }
  }
  return coefficient;
}

}  // namespace hone::loop
