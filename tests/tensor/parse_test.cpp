// parse() is the inverse of print(), and takes nothing that verify() does not.
#include <gtest/gtest.h>

#include <bit>
#include <string>
#include <vector>

#include "compiler/tensor/algorithms.h"
#include "compiler/tensor/rewrite.h"
#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"
#include "tests/support/random_kernel.h"
#include "tests/support/rounds.h"

namespace hone::tensor {
namespace {

using namespace testing;

bool isSame(const Scalar &a, const Scalar &b) {
  return a->kind == b->kind && a->dtype == b->dtype &&
         std::bit_cast<uint64_t>(a->number) == std::bit_cast<uint64_t>(b->number) && a->integer == b->integer &&
         a->position == b->position && (a->index == nullptr) == (b->index == nullptr) &&
         (a->index == nullptr || tensor::isSame(a->index, b->index)) && a->op == b->op &&
         std::equal(a->args.begin(), a->args.end(), b->args.begin(), b->args.end(),
                    [](const Scalar &x, const Scalar &y) { return isSame(x, y); });
}

bool isSame(const Dim &a, const Dim &b) { return a.name == b.name && a.extent == b.extent && a.kind == b.kind; }

bool isSame(const Buffer &a, const Buffer &b) {
  return a.name == b.name && a.dtype == b.dtype && a.shape == b.shape && a.layout == b.layout && a.role == b.role;
}

bool isSame(const TensorOp &a, const TensorOp &b);

template <typename T>
bool areSame(const std::vector<T> &a, const std::vector<T> &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T &x, const T &y) { return isSame(x, y); });
}

bool isSame(const TensorOp &a, const TensorOp &b) {
  return a.name == b.name && areSame(a.dims, b.dims) && areSame(a.reads, b.reads) && areSame(a.body, b.body) &&
         a.combiner.kind == b.combiner.kind && areSame(a.combiner.combine, b.combiner.combine) &&
         areSame(a.combiner.identity, b.combiner.identity) && areSame(a.writes, b.writes);
}

void expectComesBack(const Kernel &kernel) {
  const std::string text = print(kernel);
  SCOPED_TRACE(text);
  const absl::StatusOr<Kernel> parsed = parse(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->name, kernel.name);
  EXPECT_TRUE(areSame(parsed->buffers, kernel.buffers));
  EXPECT_TRUE(areSame(parsed->stages, kernel.stages));
  EXPECT_EQ(print(*parsed), text);
}

TEST(Parse, GivesExamplesBack) {
  for (const Kernel &kernel : exampleKernels()) {
    const absl::StatusOr<Kernel> parsed = parse(print(kernel));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(print(*parsed), print(kernel));
    expectComesBack(canonical(kernel));
    expectComesBack(canonical(orderDims(collapseDims(kernel)).kernel));
  }
}

TEST(Parse, GivesRandomKernelsBack) {
  hone::testing::inRounds(300, 10000, [](hone::testing::Random &random) {
    const Kernel kernel = canonical(randomKernel(random.next()));
    expectComesBack(kernel);
  });
}

/// A stage with dims p and q that reads x (f32), k (i32) and i (i64).
Kernel around(const std::function<Scalar(const Scalar &x, const Scalar &k, const Scalar &i)> &body) {
  KernelBuilder b("k");
  const int x = b.input("x", {4, 6}), k = b.input("k", {4}, DType::I32), i = b.input("i", {4}, DType::I64),
            out = b.output("out", {4, 6});
  b.begin("s", {parallel("p", 4), parallel("q", 6)});
  const Scalar first = b.get(x, {dim(0), dim(1)}), second = b.get(k, {dim(0)}), third = b.get(i, {dim(0)});
  b.put(body(first, second, third), out, {dim(0), dim(1)});
  return b.kernel();
}

TEST(Parse, FindsTheTypesOfNumbersThatSayNone) {
  const auto three = [](DType type) { return number(3, type); };
  // Of numbers alone, inside a cast: nothing around them tells.
  expectComesBack(canonical(around([&](auto x, auto, auto) {
    return x * cast(DType::F32, (three(DType::U8) + three(DType::U8)) * (three(DType::U8) - three(DType::U8)));
  })));
  expectComesBack(canonical(around([&](auto x, auto, auto) {
    return (three(DType::F32) + three(DType::F32)) * (x + three(DType::F32) * three(DType::F32));
  })));
  expectComesBack(canonical(around([&](auto x, auto k, auto) {
    return select(equal(three(DType::I64) * three(DType::I64), three(DType::I64)), three(DType::F32),
                  select(equal(k, three(DType::I32)), x, three(DType::F32)));
  })));
  expectComesBack(canonical(around([&](auto x, auto, auto i) {
    return select(apply(ScalarOp::Or, {equal(i, three(DType::I64)), number(1, DType::Bool)}), x, three(DType::F32));
  })));
  expectComesBack(canonical(around([](auto, auto, auto) { return f32(-0.0); })));
  expectComesBack(canonical(around([](auto x, auto, auto) { return x * f32(-1e-40) - f32(-3.4e38); })));
}

TEST(Parse, TakesTheSameReadOnce) {
  Kernel twice = around([](auto x, auto, auto) { return x * x; });
  twice.stages[0].reads.push_back(twice.stages[0].reads[0]);
  twice.stages[0].body = {read(0, DType::F32) * read(3, DType::F32)};
  EXPECT_EQ(verify(twice), "");
  expectComesBack(canonical(twice));
  EXPECT_EQ(canonical(twice).stages[0].reads.size(), 1u);
}

TEST(Canonical, BringsSumsIntoOneForm) {
  const auto indexed = [](const Index &index) {
    KernelBuilder b("k");
    const int x = b.input("x", {40}), out = b.output("out", {4, 6});
    b.begin("s", {parallel("p", 4), parallel("q", 6)});
    b.put(b.get(x, {index}), out, {dim(0), dim(1)});
    return canonical(b.kernel());
  };
  const Kernel one = indexed((dim(0) + dim(1)) + 7);
  expectComesBack(one);
  EXPECT_EQ(print(indexed(dim(0) + (dim(1) + 7))), print(one));
  EXPECT_EQ(print(indexed((dim(0) + 3) + (dim(1) + 4))), print(one));
}

TEST(Parse, RefusesWithThePlace) {
  const std::string head = "kernel k\ninput x f32[4]\noutput y f32[4]\n";
  const struct {
    std::string text, message;
  } cases[] = {
      {"", "kernel line 1, column 1: expected 'kernel'"},
      {"kernel k\ninput x g32[4]\n", "kernel line 2, column 9: expected a type such as f32"},
      {"kernel k\ninput x f32[4\n", "kernel line 3, column 1: expected ']'"},
      {"kernel k\ninput x f32[0]\n", "kernel line 2, column 15: expected a buffer of 1 to 70368744177664 elements"},
      {"kernel k\ninput x f32[4611686018427387904,4]\n",
       "kernel line 2, column 35: expected a buffer of 1 to 70368744177664 elements"},
      {"kernel k\ninput x f32[4] layout [1]\n", "kernel line 2, column 25: expected a dim below 1"},
      {"kernel k\ninput x f32[4] layout [0/0][0%2]\n", "kernel line 2, column 26: expected a number greater than 0"},
      {head + "s(p 4) : f32\n = x[r]\n -> y[p]\n", "kernel line 5, column 7: expected a dim of the stage, not 'r'"},
      {head + "s(p 4) : f32\n = z[p]\n -> y[p]\n", "kernel line 5, column 6: expected a buffer of the kernel, not 'z'"},
      {head + "s(p 4) : f32\n = x[p] + f32(1)\n -> y[p]\n",
       "kernel line 5, column 17: expected a number with its type, such as 1:f32"},
      {head + "s(p 4) : f32\n = frob(x[p])\n -> y[p]\n", "kernel line 5, column 9: expected an operation, not 'frob'"},
      {head + "s(p 4) : f32\n = max(x[p])\n -> y[p]\n", "kernel line 5, column 13: expected 2 operands of max, not 1"},
      {head + "s(p 4) : i32\n = x[p]\n -> y[p]\n",
       "kernel line 5, column 8: expected an expression of type i32, not f32"},
      {head + "s(p 4) : f32\n = x[p] + acc1\n -> y[p]\n",
       "kernel line 5, column 15: expected an expression, not 'acc1'"},
      {head + "s(p 4) : f32\n = x[p] + u8(300:u8)\n -> y[p]\n",
       "kernel line 5, column 20: expected a number of type u8, not '300'"},
      {head + "s(p 4) : f32\n = x[p * 2]\n -> y[p]\n",
       "kernel line 5, column 9: expected the factor, a number, in front of '*'"},
      {head + "s(p 4) : f32\n = x[p / 0]\n -> y[p]\n", "kernel line 5, column 10: expected a number greater than 0"},
      {head + "s(p 4) : f32\n = x[9223372036854775807 + 9223372036854775807]\n -> y[p]\n",
       "kernel line 5, column 47: expected a sum that fits into 64 bits"},
      {head + "s(p 4) : f32\n = x[4611686018427387904 * 4]\n -> y[p]\n",
       "kernel line 5, column 29: expected a product that fits into 64 bits"},
      {head + "s(p 4) : f32\n = x[clamp(9007199254740992 * (9007199254740992 * p), 0, 3)]\n -> y[p]\n",
       "stage 's': an index goes beyond 2^60; no buffer is that large"},
      {head + "s(p 4, q 9223372036854775807) : f32\n = x[p]\n -> y[p]\n",
       "kernel line 4, column 29: expected dims of fewer than 2^63 points together"},
      // What no reader sees, verify() says.
      {head + "s(p 4) : f32\n = x[p + 1]\n -> y[p]\n",
       "kernel 'k': stage 's': read 0: index 0 of 'x' spans 1 to 4, but the extent is 4; give a value for outside, or "
       "clamp it"},
      {head + "s(p 4; reduce q 4) : f32\n = x[q]\n -> y[p]\n",
       "kernel 'k': stage 's': combiner: there are reduction dims but no combiner"},
  };
  for (const auto &each : cases) {
    SCOPED_TRACE(each.text);
    const absl::StatusOr<Kernel> parsed = parse(each.text);
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(parsed.status().message()), each.message);
  }
  const std::string deep =
      head + "s(p 4) : f32\n = x[" + std::string(100000, '(') + "p" + std::string(100000, ')') + "]\n -> y[p]\n";
  EXPECT_NE(parse(deep).status().message().find("at most 500 levels"), std::string::npos);
}

// Whatever is done to a text, it is refused or is the text of a well-formed kernel.
TEST(Parse, SurvivesDamage) {
  hone::testing::inRounds(2000, 50000, [](hone::testing::Random &random) {
    std::string text = print(canonical(randomKernel(random.next() % 50)));
    const std::string_view pieces[] = {"(", ")", "[", "]", ",", "-", " ", "9", "max", "9223372036854775807", ":", "\n"};
    for (uint64_t n = random.next() % 3; n < 3; ++n) {
      const size_t place = random.next() % text.size();
      text.replace(place, random.next() % 3, pieces[random.next() % std::size(pieces)]);
    }
    const absl::StatusOr<Kernel> parsed = parse(text);
    if (!parsed.ok()) return;
    EXPECT_EQ(verify(*parsed), "");
    const absl::StatusOr<Kernel> again = parse(print(canonical(*parsed)));
    EXPECT_TRUE(again.ok()) << text << again.status().message();
  });
}

}  // namespace
}  // namespace hone::tensor
