#include "compiler/codegen/int_emitter.h"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace hone::codegen {
namespace {

// Bounds of what is read from buffers may be those of int64: sums of ranges saturate.
int64_t saturatingAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? INT64_MIN : INT64_MAX;
}

int64_t saturatingMul(int64_t a, int64_t b) {
  int64_t product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) return product;
  return (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
}

int64_t floorDivide(int64_t a, int64_t b) {
  int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

void appendForm(std::vector<int64_t> &key, const Linear &form) {
  key.push_back(form.constant);
  for (auto [leaf, coefficient] : form.terms) {
    key.push_back(leaf);
    key.push_back(coefficient);
  }
}

enum KeyTag : int64_t { kDivide, kModulo, kMinimum, kMaximum, kLoad, kSum };

}  // namespace

Linear add(const Linear &a, const Linear &b, int64_t factor) {
  Linear sum;
  sum.constant = a.constant + b.constant * factor;
  size_t i = 0;
  size_t j = 0;
  while (i < a.terms.size() || j < b.terms.size()) {
    if (j == b.terms.size() || (i < a.terms.size() && a.terms[i].first < b.terms[j].first)) {
      sum.terms.push_back(a.terms[i++]);
    } else if (i == a.terms.size() || b.terms[j].first < a.terms[i].first) {
      if (factor != 0) sum.terms.emplace_back(b.terms[j].first, b.terms[j].second * factor);
      ++j;
    } else {
      int64_t coefficient = a.terms[i].second + b.terms[j].second * factor;
      if (coefficient != 0) sum.terms.emplace_back(a.terms[i].first, coefficient);
      ++i;
      ++j;
    }
  }
  return sum;
}

Linear scale(const Linear &a, int64_t factor) { return add({}, a, factor); }

IntEmitter::IntEmitter(Builder &builder, std::function<llvm::Value *(int, const Linear &)> loadIndex)
    : builder_(builder), loadIndex_(std::move(loadIndex)), integers_(1), addresses_(1) {}

Linear IntEmitter::leaf(llvm::Value *value, int64_t low, int64_t high, int depth) {
  leaves_.push_back({value, low, high, depth});
  Linear form;
  form.terms.emplace_back(static_cast<int>(leaves_.size()) - 1, 1);
  return form;
}

void IntEmitter::pushScope() {
  integers_.emplace_back();
  addresses_.emplace_back();
}

void IntEmitter::popScope() {
  integers_.pop_back();
  addresses_.pop_back();
}

void IntEmitter::enterLoop(llvm::BasicBlock *before) {
  // What is placed before the loop has a scope of its own: where the loop may be skipped, so is that, and code
  // after the loop must not use it.
  pushScope();
  levels_.push_back({before, integers_.size()});
  pushScope();
}

void IntEmitter::leaveLoop() {
  popScope();
  popScope();
  levels_.pop_back();
}

IntEmitter::At::At(IntEmitter &emitter, int depth) : restore_(emitter.builder_) {
  if (depth < emitter.depth()) {
    emitter.builder_.SetInsertPoint(emitter.levels_[static_cast<size_t>(depth)].before->getTerminator());
  }
}

size_t IntEmitter::scopeOf(int depth) const {
  return (depth < this->depth() ? levels_[static_cast<size_t>(depth)].scopes : integers_.size()) - 1;
}

Range IntEmitter::range(const Linear &form) const {
  Range range{form.constant, form.constant};
  for (auto [leaf, coefficient] : form.terms) {
    int64_t a = saturatingMul(leaves_[leaf].low, coefficient);
    int64_t b = saturatingMul(leaves_[leaf].high, coefficient);
    range.low = saturatingAdd(range.low, std::min(a, b));
    range.high = saturatingAdd(range.high, std::max(a, b));
  }
  return range;
}

int IntEmitter::depthOf(const Linear &form) const {
  int deepest = 0;
  for (auto [leaf, coefficient] : form.terms) deepest = std::max(deepest, leaves_[leaf].depth);
  return deepest;
}

Linear IntEmitter::evaluate(const loop::IntExpr &expression) {
  Linear form;
  form.constant = expression.constant();
  for (const loop::IntExpr::Term &term : expression.terms()) {
    form = add(form, evaluateAtom(*term.atom), term.coefficient);
  }
  return form;
}

Linear IntEmitter::evaluateAtom(const loop::Atom &atom) {
  switch (atom.kind) {
    case loop::AtomKind::Var: {
      auto found = bindings_.find(atom.id);
      assert(found != bindings_.end() && "a variable is used outside its loop");
      return found->second;
    }
    case loop::AtomKind::FloorDiv:
      return divide(evaluate(atom.a), atom.divisor);
    case loop::AtomKind::Mod:
      return modulo(evaluate(atom.a), atom.divisor);
    case loop::AtomKind::Min:
    case loop::AtomKind::Max:
      return minMax(evaluate(atom.a), evaluate(atom.b), atom.kind == loop::AtomKind::Min);
    case loop::AtomKind::Load:
      return loadAtom(atom);
  }
  return {};
}

Linear IntEmitter::emitOnce(const Key &key, Range range, const Linear &from,
                            const std::function<llvm::Value *()> &emit) {
  for (const auto &scope : integers_) {
    if (auto found = scope.find(key); found != scope.end()) return found->second;
  }
  int depth = depthOf(from);
  At place(*this, depth);
  Linear result = leaf(emit(), range.low, range.high, depth);
  integers_[scopeOf(depth)].emplace(key, result);
  return result;
}

Linear IntEmitter::divide(const Linear &form, int64_t divisor) {
  // Whole multiples of the divisor leave the division; common factors are divided away.
  Linear whole;
  Linear rest;
  whole.constant = floorDivide(form.constant, divisor);
  rest.constant = form.constant - whole.constant * divisor;
  int64_t common = divisor;
  for (auto [leaf, coefficient] : form.terms) {
    if (coefficient % divisor == 0) {
      whole.terms.emplace_back(leaf, coefficient / divisor);
    } else {
      rest.terms.emplace_back(leaf, coefficient);
      common = std::gcd(common, coefficient);
    }
  }
  Range bounds = range(rest);
  if (floorDivide(bounds.low, divisor) == floorDivide(bounds.high, divisor)) {
    whole.constant += floorDivide(bounds.low, divisor);
    return whole;
  }
  if (common > 1) {
    rest.constant = floorDivide(rest.constant, common);
    for (auto &[leaf, coefficient] : rest.terms) coefficient /= common;
    divisor /= common;
    bounds = range(rest);
  }
  Range quotient{floorDivide(bounds.low, divisor), floorDivide(bounds.high, divisor)};
  Key key{kDivide, divisor};
  appendForm(key, rest);
  Linear result = emitOnce(key, quotient, rest, [&]() -> llvm::Value * {
    llvm::Value *number = materialize(rest);
    if ((divisor & (divisor - 1)) == 0) {
      // An arithmetic shift floors.
      uint64_t bits = static_cast<uint64_t>(__builtin_ctzll(static_cast<unsigned long long>(divisor)));
      return bounds.low >= 0 ? builder_.CreateLShr(number, bits) : builder_.CreateAShr(number, bits);
    }
    llvm::Value *by = builder_.getInt64(static_cast<uint64_t>(divisor));
    if (bounds.low >= 0) return builder_.CreateUDiv(number, by);
    llvm::Value *truncated = builder_.CreateSDiv(number, by);
    llvm::Value *remainder = builder_.CreateSRem(number, by);
    return builder_.CreateAdd(truncated, builder_.CreateAShr(remainder, 63));
  });
  return add(whole, result);
}

Linear IntEmitter::modulo(const Linear &form, int64_t divisor) {
  Linear rest;
  rest.constant = form.constant - floorDivide(form.constant, divisor) * divisor;
  for (auto [leaf, coefficient] : form.terms) {
    int64_t part = coefficient % divisor;
    if (part != 0) rest.terms.emplace_back(leaf, part);
  }
  Range bounds = range(rest);
  if (floorDivide(bounds.low, divisor) == floorDivide(bounds.high, divisor)) {
    rest.constant -= floorDivide(bounds.low, divisor) * divisor;
    return rest;
  }
  Key key{kModulo, divisor};
  appendForm(key, rest);
  return emitOnce(key, {0, divisor - 1}, rest, [&]() -> llvm::Value * {
    llvm::Value *number = materialize(rest);
    if ((divisor & (divisor - 1)) == 0) return builder_.CreateAnd(number, static_cast<uint64_t>(divisor - 1));
    llvm::Value *by = builder_.getInt64(static_cast<uint64_t>(divisor));
    if (bounds.low >= 0) return builder_.CreateURem(number, by);
    // An index that counts from either end, and no more than once around: it needs no division.
    if (bounds.low >= -divisor && bounds.high < divisor) {
      return builder_.CreateAdd(number, builder_.CreateAnd(builder_.CreateAShr(number, 63), by));
    }
    llvm::Value *remainder = builder_.CreateSRem(number, by);
    llvm::Value *correction = builder_.CreateAnd(builder_.CreateAShr(remainder, 63), by);
    return builder_.CreateAdd(remainder, correction);
  });
}

Linear IntEmitter::minMax(const Linear &a, const Linear &b, bool isMin) {
  Range difference = range(add(a, b, -1));
  if (difference.high <= 0) return isMin ? a : b;
  if (difference.low >= 0) return isMin ? b : a;
  Range ra = range(a);
  Range rb = range(b);
  Range bounds = isMin ? Range{std::min(ra.low, rb.low), std::min(ra.high, rb.high)}
                       : Range{std::max(ra.low, rb.low), std::max(ra.high, rb.high)};
  Key key{isMin ? kMinimum : kMaximum, static_cast<int64_t>(a.terms.size())};
  appendForm(key, a);
  appendForm(key, b);
  Linear deeper = depthOf(a) >= depthOf(b) ? a : b;
  return emitOnce(key, bounds, deeper, [&] {
    return builder_.CreateBinaryIntrinsic(isMin ? llvm::Intrinsic::smin : llvm::Intrinsic::smax, materialize(a),
                                          materialize(b));
  });
}

Linear IntEmitter::loadAtom(const loop::Atom &atom) {
  // Not reused: the buffer may be written in between. LLVM merges those that it may.
  llvm::Value *number = loadIndex_(atom.buffer, evaluate(atom.a));
  llvm::Value *low = builder_.getInt64(static_cast<uint64_t>(atom.low));
  llvm::Value *high = builder_.getInt64(static_cast<uint64_t>(atom.high));
  number = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, number, high);
  number = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, number, low);
  return leaf(number, atom.low, atom.high, depth());
}

std::vector<Linear> IntEmitter::byDepth(const Linear &form) const {
  std::map<int, Linear> groups;
  for (auto term : form.terms) groups[leaves_[term.first].depth].terms.push_back(term);
  std::vector<Linear> list;
  for (auto &[level, group] : groups) list.push_back(std::move(group));
  return list;
}

llvm::Value *IntEmitter::sum(const Linear &form, int64_t factor) {
  llvm::Value *total = nullptr;
  for (auto [leaf, coefficient] : form.terms) {
    llvm::Value *value = leaves_[leaf].value;
    int64_t times = coefficient * factor;
    if (times != 1) {
      value = builder_.CreateMul(value, builder_.getInt64(static_cast<uint64_t>(times)), "", false, /*HasNSW=*/true);
    }
    total = total == nullptr ? value : builder_.CreateNSWAdd(total, value);
  }
  return total;
}

llvm::Value *IntEmitter::materialize(const Linear &form) {
  if (form.isConstant()) return builder_.getInt64(static_cast<uint64_t>(form.constant));
  Key key{kSum};
  appendForm(key, form);
  for (const auto &scope : addresses_) {
    if (auto found = scope.find(key); found != scope.end()) return found->second;
  }
  llvm::Value *total = nullptr;
  for (const Linear &group : byDepth(form)) {
    At place(*this, depthOf(group));
    llvm::Value *part = sum(group, 1);
    total = total == nullptr ? part : builder_.CreateNSWAdd(total, part);
  }
  int depth = depthOf(form);
  At place(*this, depth);
  if (form.constant != 0) {
    total = builder_.CreateNSWAdd(total, builder_.getInt64(static_cast<uint64_t>(form.constant)));
  }
  addresses_[scopeOf(depth)].emplace(std::move(key), total);
  return total;
}

llvm::Value *IntEmitter::address(llvm::Value *base, int64_t baseKey, const Linear &form, int64_t bytes) {
  llvm::Value *pointer = base;
  Linear prefix;
  for (const Linear &group : byDepth(form)) {
    prefix = add(prefix, group);
    Key key{-1, baseKey};
    appendForm(key, prefix);
    llvm::Value *known = nullptr;
    for (const auto &scope : addresses_) {
      if (auto found = scope.find(key); found != scope.end()) known = found->second;
    }
    if (known == nullptr) {
      int depth = depthOf(group);
      At place(*this, depth);
      known = builder_.CreatePtrAdd(pointer, sum(group, bytes));
      addresses_[scopeOf(depth)].emplace(std::move(key), known);
    }
    pointer = known;
  }
  if (form.constant == 0) return pointer;
  // At the place of use: it becomes the displacement of the access.
  return builder_.CreatePtrAdd(pointer, builder_.getInt64(static_cast<uint64_t>(form.constant * bytes)));
}

}  // namespace hone::codegen
