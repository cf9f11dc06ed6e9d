// Simplification must not change values: random expressions are built twice, as IntExprs and as plain functions, and
// compared for all values of their variables; bounds must hold and must not be left.
#include "compiler/loop/int_expr.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "tests/support/effort.h"
#include "tests/support/random.h"

namespace hone::loop {
namespace {

using hone::testing::effort;
using hone::testing::Random;
using hone::testing::testSeed;

constexpr size_t kVariables = 3;
using Values = std::array<int64_t, kVariables>;

int64_t floorOf(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  while (quotient * b > a) --quotient;
  return quotient;
}

int64_t evaluate(const IntExpr &e, const Values &values) {
  int64_t sum = e.constant();
  for (const IntExpr::Term &term : e.terms()) {
    const Atom &atom = *term.atom;
    int64_t value = 0;
    switch (atom.kind) {
      case AtomKind::Var:
        value = values.at(static_cast<size_t>(atom.id));
        break;
      case AtomKind::FloorDiv:
        value = floorOf(evaluate(atom.a, values), atom.divisor);
        break;
      case AtomKind::Mod: {
        const int64_t a = evaluate(atom.a, values);
        value = a - floorOf(a, atom.divisor) * atom.divisor;
        break;
      }
      case AtomKind::Min:
        value = std::min(evaluate(atom.a, values), evaluate(atom.b, values));
        break;
      case AtomKind::Max:
        value = std::max(evaluate(atom.a, values), evaluate(atom.b, values));
        break;
      case AtomKind::Load:
        ADD_FAILURE() << "no loads here";
    }
    EXPECT_LE(atom.low, value) << atom.text;
    EXPECT_GE(atom.high, value) << atom.text;
    sum += term.coefficient * value;
  }
  return sum;
}

/// An expression and what it must be worth.
struct Pair {
  IntExpr expression;
  std::function<int64_t(const Values &)> meaning;
  std::string text;
};

class Expressions {
 public:
  explicit Expressions(uint64_t seed) : random_(seed) {
    for (size_t v = 0; v < kVariables; ++v) {
      low_[v] = random_.chance(60) ? 0 : random_.between(-5, 5);
      high_[v] = low_[v] + random_.between(0, 9);
    }
  }

  Pair make(int depth) {
    if (depth == 0 || random_.chance(15)) return leaf();
    const Pair a = make(depth - 1);
    const int64_t number = random_.between(1, 12);
    switch (random_.between(0, 6)) {
      case 0:
        return unary(floorDiv(a.expression, number), a, number, "/", floorOf);
      case 1:
        return unary(mod(a.expression, number), a, number, "%",
                     [](int64_t x, int64_t n) { return x - floorOf(x, n) * n; });
      case 2: {
        const int64_t factor = random_.between(-6, 16);
        return unary(a.expression * factor, a, factor, "*", [](int64_t x, int64_t n) { return x * n; });
      }
      case 3: {
        const Pair b = make(depth - 1);
        return binary(min(a.expression, b.expression), a, b, "min",
                      [](int64_t x, int64_t y) { return std::min(x, y); });
      }
      case 4: {
        const Pair b = make(depth - 1);
        return binary(max(a.expression, b.expression), a, b, "max",
                      [](int64_t x, int64_t y) { return std::max(x, y); });
      }
      case 5: {
        const Pair b = make(depth - 1);
        return binary(a.expression - b.expression, a, b, "-", [](int64_t x, int64_t y) { return x - y; });
      }
      default: {
        const Pair b = make(depth - 1);
        return binary(a.expression + b.expression, a, b, "+", [](int64_t x, int64_t y) { return x + y; });
      }
    }
  }

  void forAll(const std::function<void(const Values &)> &check) const {
    Values values{};
    for (values[0] = low_[0]; values[0] <= high_[0]; ++values[0]) {
      for (values[1] = low_[1]; values[1] <= high_[1]; ++values[1]) {
        for (values[2] = low_[2]; values[2] <= high_[2]; ++values[2]) check(values);
      }
    }
  }

  int64_t low(size_t v) const { return low_[v]; }
  int64_t high(size_t v) const { return high_[v]; }

 private:
  Pair leaf() {
    if (random_.chance(30)) {
      const int64_t number = random_.between(-20, 20);
      return {number, [number](const Values &) { return number; }, std::to_string(number)};
    }
    const auto v = static_cast<size_t>(random_.between(0, kVariables - 1));
    const std::string name = "v" + std::to_string(v);
    return {variable(static_cast<int>(v), name, low_[v], high_[v]), [v](const Values &values) { return values[v]; },
            name};
  }

  template <typename Function>
  static Pair unary(IntExpr e, const Pair &a, int64_t number, const char *name, Function function) {
    return {std::move(e),
            [f = a.meaning, number, function](const Values &values) { return function(f(values), number); },
            "(" + a.text + " " + name + " " + std::to_string(number) + ")"};
  }
  template <typename Function>
  static Pair binary(IntExpr e, const Pair &a, const Pair &b, const char *name, Function function) {
    return {std::move(e),
            [f = a.meaning, g = b.meaning, function](const Values &values) { return function(f(values), g(values)); },
            "(" + a.text + " " + name + " " + b.text + ")"};
  }

  Random random_;
  Values low_{}, high_{};
};

TEST(IntExpr, SimplificationKeepsValuesAndBoundsHold) {
  const uint64_t seed = testSeed() * 100000;
  const int64_t count = effort(3000, 60000);
  int64_t constants = 0;
  for (int64_t i = 0; i < count && !HasFailure(); ++i) {
    Expressions expressions(seed + static_cast<uint64_t>(i));
    const Pair pair = expressions.make(4);
    constants += pair.expression.isConstant() ? 1 : 0;
    SCOPED_TRACE(pair.text + " became " + pair.expression.text());
    expressions.forAll([&](const Values &values) {
      const int64_t value = pair.meaning(values);
      ASSERT_EQ(evaluate(pair.expression, values), value);
      ASSERT_LE(pair.expression.low(), value);
      ASSERT_GE(pair.expression.high(), value);
    });
  }
  EXPECT_LT(constants, count / 2) << "too few expressions say something";
}

TEST(IntExpr, SubstitutionKeepsValues) {
  const uint64_t seed = testSeed() * 100000 + 50000;
  const int64_t count = effort(1000, 20000);
  for (int64_t i = 0; i < count && !HasFailure(); ++i) {
    Expressions expressions(seed + static_cast<uint64_t>(i));
    const Pair pair = expressions.make(4);
    SCOPED_TRACE(pair.text + " became " + pair.expression.text());
    const int64_t fixed = expressions.high(0);
    const IntExpr replaced =
        substitute(pair.expression, [&](int id) { return id == 0 ? std::optional<IntExpr>(fixed) : std::nullopt; });
    EXPECT_EQ(coefficientOf(replaced, 0), 0);
    expressions.forAll([&](const Values &values) {
      Values with = values;
      with[0] = fixed;
      ASSERT_EQ(evaluate(replaced, values), pair.meaning(with)) << replaced.text();
    });
  }
}

TEST(IntExpr, EqualTextEqualExpression) {
  const IntExpr x = variable(0, "x", 0, 9), y = variable(1, "y", 0, 9);
  EXPECT_TRUE(x + y * 2 == y + x + y);
  EXPECT_EQ((x + y * 2 - 3).text(), (y + (x - 3) + y).text());
  EXPECT_FALSE(x == y);
  EXPECT_TRUE(x - x == IntExpr(0));
}

TEST(IntExpr, DropsWhatDivisionCannotSee) {
  const IntExpr block = variable(0, "b", 0, 3), in = variable(1, "i", 0, 15);
  EXPECT_EQ(floorDiv(block * 16 + in, 16).text(), "b");
  EXPECT_EQ(mod(block * 16 + in, 16).text(), "i");
  EXPECT_EQ(floorDiv(floorDiv(in, 2), 4).text(), floorDiv(in, 8).text());
  EXPECT_EQ(min(in, IntExpr(15)).text(), "i");
  EXPECT_EQ(max(in, block - 3).text(), "i") << "never below the other";
  EXPECT_EQ(variable(2, "one", 4, 4).text(), "4");
}

TEST(IntExpr, FindsCoefficients) {
  const IntExpr x = variable(0, "x", 0, 9), y = variable(1, "y", 0, 9);
  EXPECT_EQ(coefficientOf(x * 3 + y, 0), 3);
  EXPECT_EQ(coefficientOf(y, 0), 0);
  EXPECT_EQ(coefficientOf(floorDiv(x, 2) + x, 0), std::nullopt);
  EXPECT_EQ(coefficientOf(floorDiv(y, 2) + x, 0), 1);
  EXPECT_EQ(coefficientOf(loadIndex(0, x, 0, 4), 0), std::nullopt);
}

}  // namespace
}  // namespace hone::loop
