// FunctionEmitter: one phase of a kernel -> one LLVM function with the signature of abi/hone_abi.h. Loop nests map one
// to one: serial loops stay loops, unrolled loops are written out, register arrays become SSA values. One per
// function, used once, not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "compiler/codegen/int_emitter.h"
#include "compiler/codegen/scalar_emitter.h"
#include "compiler/loop/loop_nest.h"
#include "llvm/IR/Module.h"

namespace hone::codegen {

class FunctionEmitter {
 public:
  FunctionEmitter(llvm::Module &module, const loop::Kernel &kernel, const TargetDescription &target, bool contract);

  /// Adds function \p name for \p phase to the module.
  absl::Status emit(const loop::Phase &phase, const std::string &name);

 private:
  struct Buffer {
    llvm::Value *base = nullptr;
    llvm::MDNode *scope = nullptr;   ///< !alias.scope of its accesses
    llvm::MDNode *others = nullptr;  ///< !noalias: what it never overlaps
  };
  struct RegisterArray {
    loop::Type type;
    std::vector<llvm::AllocaInst *> elements;
  };
  /// Where the lanes of an access lie: base + lane × stride, or one offset per lane.
  struct LaneOffsets {
    Linear base;
    std::optional<int64_t> stride;
    std::vector<Linear> perLane;
  };

  /// Null: always; a constant false: never. `depth`: number of loops around what it depends on.
  struct Condition {
    llvm::Value *value = nullptr;
    int depth = 0;
  };

  // function_emitter.cpp
  llvm::Function *createFunction(const std::string &name);
  void loadBuffers(llvm::Function *function);
  void describeAliasing();
  bool overlap(const loop::BufferSlot &a, const loop::BufferSlot &b) const;
  absl::Status emitParallel(const loop::Phase &phase, llvm::Function *function);
  absl::Status emitStatement(const loop::Statement &statement);
  absl::Status emitBody(const std::vector<loop::StatementPtr> &body);
  absl::Status emitFor(const loop::Statement &statement);
  absl::Status emitRolled(int id, const Linear &begin, const Linear &end, int64_t step,
                          const std::vector<loop::StatementPtr> &body);
  absl::Status emitUnrolled(int id, int64_t begin, int64_t end, int64_t step,
                            const std::vector<loop::StatementPtr> &body);
  absl::Status emitIf(const loop::Statement &statement);
  void declareRegisters(const loop::Statement &statement);
  absl::StatusOr<llvm::AllocaInst *> registerElement(int reg, const loop::IntExpr &index);
  llvm::BasicBlock *newBlock(const char *name);

  // values.cpp
  absl::StatusOr<llvm::Value *> emitValue(const loop::ValuePtr &value);
  absl::StatusOr<llvm::Value *> emitNewValue(const loop::Value &value);
  absl::StatusOr<llvm::Value *> emitApply(const loop::Value &value);
  absl::StatusOr<llvm::Value *> emitFused(const loop::Value &value, bool &fused);
  llvm::Value *simplify(ScalarOp op, DType dtype, const std::vector<llvm::Value *> &args);
  llvm::Value *emitConstant(const loop::Value &value);
  llvm::Value *emitIndexValue(const loop::Value &value);
  llvm::Value *emitHorizontal(const loop::Value &value, llvm::Value *vector);

  // memory.cpp
  absl::StatusOr<llvm::Value *> emitLoad(const loop::Value &value);
  absl::Status emitStore(const loop::Statement &statement);
  void emitPrefetch(const loop::Statement &statement);
  llvm::Value *loadLanes(const loop::Value &value, const LaneOffsets &offsets, llvm::Value *mask, llvm::Value *fill);
  llvm::Value *gather(const loop::Value &value, const LaneOffsets &offsets, llvm::Value *mask, llvm::Value *fill);
  llvm::Value *loadScalar(int buffer, const Linear &offset, llvm::Value *condition);
  void storeLanes(const loop::Statement &statement, const LaneOffsets &offsets, llvm::Value *value, llvm::Value *mask);
  void scatter(const loop::Statement &statement, const LaneOffsets &offsets, llvm::Value *value, llvm::Value *mask);
  /// \p value where the guards fail with 0: the address is chosen outside of the loops that the guards do not depend
  /// on, and points to zeros where they fail. Null when that cannot be.
  llvm::Value *loadOrZeros(const loop::Value &value, const LaneOffsets &offsets, const Condition &condition);
  llvm::Value *pointerOrZeros(int buffer, const Linear &offset, const Condition &condition, int64_t accessBytes);
  llvm::Value *zeros(int64_t bytes);
  llvm::Value *loadIndex(int buffer, const Linear &offset);
  LaneOffsets laneOffsets(const loop::IntExpr &index, int lane, int lanes);
  bool usesVariable(const loop::IntExpr &expression, int id) const;
  /// The guards that do not depend on the lane.
  Condition uniformGuards(const std::vector<loop::Guard> &guards, int lane);
  /// The lanes below \p active where the other guards hold: null when all do.
  llvm::Value *laneMask(const std::vector<loop::Guard> &guards, int lane, int lanes, int active);
  llvm::Value *guardLanes(const loop::Guard &guard, int lane, int lanes);
  llvm::Value *inRange(const Linear &form, int64_t low, int64_t high);
  llvm::Value *pointer(int buffer, const Linear &offset);
  llvm::Align alignmentOf(int buffer, const Linear &offset) const;
  void annotate(llvm::Instruction *access, int buffer, bool isLoad);
  llvm::Value *fromMemory(llvm::Value *value, DType dtype);
  llvm::Value *toMemory(llvm::Value *value, DType dtype);

  llvm::Module &module_;
  llvm::LLVMContext &context_;
  const loop::Kernel &kernel_;
  const TargetDescription &target_;
  Isa isa_;
  Builder builder_;
  ScalarEmitter scalars_;
  IntEmitter integers_;
  llvm::Function *function_ = nullptr;
  std::vector<Buffer> buffers_;
  int64_t selectedBases_ = 0;  // counts down: keys of addresses that are no buffer's
  std::map<int, RegisterArray> registers_;
  std::unordered_map<const loop::Value *, llvm::Value *> values_;  // of the statement being emitted
};

}  // namespace hone::codegen
