// Constructors of index expressions. They fold what concerns constants alone, so that x + 0 and x are one text.
#include <algorithm>
#include <cassert>
#include <utility>

#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {
namespace {

bool isConstant(const Index &a) { return a->kind == IndexKind::Constant; }

Index make(IndexNode node) { return std::make_shared<const IndexNode>(std::move(node)); }

int64_t floorQuotient(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

Index constant(int64_t value) {
  IndexNode node{.kind = IndexKind::Constant, .value = value, .args = {}};
  return make(std::move(node));
}

Index dim(int position) {
  assert(position >= 0);
  IndexNode node{.kind = IndexKind::Dim, .value = position, .args = {}};
  return make(std::move(node));
}

Index operator+(const Index &a, const Index &b) {
  if (isConstant(b)) return a + b->value;
  if (isConstant(a)) return b + a->value;
  IndexNode node{.kind = IndexKind::Add, .args = {a, b}};
  return make(std::move(node));
}

Index operator+(const Index &a, int64_t b) {
  if (b == 0) return a;
  if (isConstant(a)) return constant(a->value + b);
  if (a->kind == IndexKind::Add && isConstant(a->args[1])) return a->args[0] + (a->args[1]->value + b);
  IndexNode node{.kind = IndexKind::Add, .args = {a, constant(b)}};
  return make(std::move(node));
}

Index operator-(const Index &a, int64_t b) { return a + -b; }

Index operator*(const Index &a, int64_t b) {
  if (b == 1) return a;
  if (b == 0) return constant(0);
  if (isConstant(a)) return constant(a->value * b);
  IndexNode node{.kind = IndexKind::Mul, .args = {a, constant(b)}};
  return make(std::move(node));
}

Index floorDiv(const Index &a, int64_t divisor) {
  assert(divisor > 0);
  if (divisor == 1) return a;
  if (isConstant(a)) return constant(floorQuotient(a->value, divisor));
  IndexNode node{.kind = IndexKind::FloorDiv, .high = divisor, .args = {a}};
  return make(std::move(node));
}

Index mod(const Index &a, int64_t divisor) {
  assert(divisor >= 0);
  if (divisor <= 1) return constant(0);
  if (isConstant(a)) return constant(a->value - floorQuotient(a->value, divisor) * divisor);
  IndexNode node{.kind = IndexKind::Mod, .high = divisor, .args = {a}};
  return make(std::move(node));
}

Index clamp(const Index &a, int64_t low, int64_t high) {
  assert(low - 1 <= high);
  if (high < low) return constant(low);
  if (isConstant(a)) return constant(std::clamp(a->value, low, high));
  IndexNode node{.kind = IndexKind::Clamp, .low = low, .high = high, .args = {a}};
  return make(std::move(node));
}

Index load(int buffer, std::vector<Index> indices) {
  IndexNode node{.kind = IndexKind::Load, .args = std::move(indices), .buffer = buffer};
  return make(std::move(node));
}

}  // namespace hone::tensor
