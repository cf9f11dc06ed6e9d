// IntEmitter: integer expressions of loop nests -> LLVM values of 64 bits. Expressions are kept as linear forms over
// emitted values (leaves), with ranges, so that variables of expanded loops vanish into constants, guards that the
// ranges decide cost nothing, and equal sub-expressions are emitted once per scope. One per function being emitted;
// not thread-safe; borrows the builder.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "compiler/loop/loop_nest.h"
#include "llvm/IR/IRBuilder.h"

namespace hone::codegen {

using Builder = llvm::IRBuilder<>;

/// constant + Σ coefficient × leaf, sorted by leaf.
struct Linear {
  int64_t constant = 0;
  std::vector<std::pair<int, int64_t>> terms;

  bool isConstant() const { return terms.empty(); }
};

Linear add(const Linear &a, const Linear &b, int64_t factor = 1);
Linear scale(const Linear &a, int64_t factor);

struct Range {
  int64_t low = 0, high = 0;  // inclusive
};

class IntEmitter {
 public:
  /// \p loadIndex emits the read of an integer buffer's element, sign- or zero-extended to 64 bits.
  IntEmitter(Builder &builder, std::function<llvm::Value *(int buffer, const Linear &offset)> loadIndex);

  /// Gives variable \p id a value until the next bind or unbind.
  void bind(int id, Linear value) { bindings_[id] = std::move(value); }
  void unbind(int id) { bindings_.erase(id); }
  /// A new leaf: \p depth is the number of loops around its definition.
  Linear leaf(llvm::Value *value, int64_t low, int64_t high, int depth);

  /// What is emitted between the two is not reused after popScope.
  void pushScope();
  void popScope();
  /// Number of loops around the code being emitted.
  int depth() const { return static_cast<int>(levels_.size()); }
  /// From here on code is inside a loop; \p before, which has its terminator, runs once before its first iteration.
  void enterLoop(llvm::BasicBlock *before);
  void leaveLoop();

  /// Moves the builder, while it lives, to where values of depth \p depth are computed: before the outermost loop
  /// that they do not depend on. (LLVM's pass for this would split constant offsets off addresses, one base per row of
  /// a register tile.)
  class At {
   public:
    At(IntEmitter &emitter, int depth);

   private:
    llvm::IRBuilderBase::InsertPointGuard restore_;
  };

  Linear evaluate(const loop::IntExpr &expression);
  Range range(const Linear &form) const;
  /// Number of loops around the definition of the innermost leaf.
  int depthOf(const Linear &form) const;
  llvm::Value *materialize(const Linear &form);

  /// Pointer plus form × bytes; parts of outer loops are added first, the constant last.
  llvm::Value *address(llvm::Value *base, int64_t baseKey, const Linear &form, int64_t bytes);

 private:
  struct Leaf {
    llvm::Value *value;
    int64_t low, high;
    int depth;
  };
  using Key = std::vector<int64_t>;

  Linear evaluateAtom(const loop::Atom &atom);
  Linear divide(const Linear &form, int64_t divisor);
  Linear modulo(const Linear &form, int64_t divisor);
  Linear minMax(const Linear &a, const Linear &b, bool isMin);
  Linear loadAtom(const loop::Atom &atom);
  Linear emitOnce(const Key &key, Range range, const Linear &from, const std::function<llvm::Value *()> &emit);
  /// Terms of \p form grouped by depth, outermost first.
  std::vector<Linear> byDepth(const Linear &form) const;
  llvm::Value *sum(const Linear &form, int64_t factor);

  struct Level {
    llvm::BasicBlock *before;
    size_t scopes;  // open before the loop
  };
  /// The scope in which a value of \p depth can be reused.
  size_t scopeOf(int depth) const;

  Builder &builder_;
  std::vector<Level> levels_;
  std::function<llvm::Value *(int, const Linear &)> loadIndex_;
  std::vector<Leaf> leaves_;
  std::map<int, Linear> bindings_;
  std::vector<std::map<Key, Linear>> integers_;  // scopes, innermost last
  std::vector<std::map<Key, llvm::Value *>> addresses_;
};

}  // namespace hone::codegen
