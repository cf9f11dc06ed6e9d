// What the parts of lowering share: the state of one kernel's lowering, regions of stages, and tiles. Internal to
// compiler/loop. One thread; a Lowering lives for one call of lower().
#pragma once

#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/loop/loop_nest.h"
#include "compiler/schedule/schedule.h"
#include "compiler/schedule/structure.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::loop {

/// A contiguous part of one dim: `size` (a constant) elements from `start`.
struct Extent {
  IntExpr start;
  int64_t size = 1;
};

/// Registers that have the elements of a buffer, in the dtype in which they were computed: whoever reads them reads
/// what the buffer would have.
struct HeldElements {
  int reg = -1;
  DType dtype = DType::F32;
};
using HeldBuffers = std::map<int, HeldElements>;

/// Values that were computed before, of parts of bodies.
using SharedValues = std::map<const tensor::ScalarNode *, ValuePtr>;

/// One extent per dim of a stage.
using Region = std::vector<Extent>;

using Body = std::vector<StatementPtr>;

inline void append(Body &out, Body more) {
  out.insert(out.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// Where the elements of a kernel's buffer live at the moment.
struct Storage {
  int slot = -1;  ///< position in Kernel::buffers
  tensor::Layout layout;
  std::vector<IntExpr> origin;  ///< index of the first element that the storage holds, per dim
};

/// Where results wait, in memory of the thread, while a reduction is cut into blocks: by loops over its dims around
/// loops over the results.
struct PartialResults {
  std::vector<int> slots;        ///< position in Kernel::buffers per tuple element
  std::vector<IntExpr> origin;   ///< per dim of the stage: of the first result that they hold
  std::vector<int64_t> strides;  ///< per dim of the stage, in elements; 0: the dim is reduced
  IntExpr begun;                 ///< at least 1: they hold the results of the blocks before
  std::vector<Guard> finished;   ///< all hold: this block is the last one
};

/// What one iteration of a stage's innermost loop computes.
struct Tile {
  Region region;
  int vectorDim = -1;  ///< position of the vector dim, or -1
  int lanes = 1;
  int activeLanes = 1;                             ///< lanes that count: fewer than `lanes` in a peeled tail
  std::vector<std::pair<int, int64_t>> registers;  ///< (dim, count), outermost first; vectors for the vector dim
  std::optional<PartialResults> partial;           ///< the region is a block of the reduction
};

/// One element (or one vector of elements) of a tile.
struct Point {
  std::vector<IntExpr> dims;  ///< value per dim of the stage; uses the lane variable in the vector dim
  IntExpr registerIndex;      ///< of this element in the tile's register arrays
  int lane = -1;              ///< id of the lane variable when lanes > 1
  int lanes = 1;
  int activeLanes = 1;
};

/// (read, buffer dim) pairs whose index is known to be inside by the bounds of a loop.
using ProvenInside = std::set<std::pair<int, int>>;

class Lowering {
 public:
  Lowering(const tensor::Kernel &kernel, const schedule::Schedule &schedule);

  Kernel run();

  // State that nests use.
  const tensor::TensorOp &stage(int position) const { return kernel_.stages.at(static_cast<size_t>(position)); }
  const schedule::StageSchedule &stageSchedule(int position) const {
    return schedule_.stages.at(static_cast<size_t>(position));
  }
  const tensor::Buffer &buffer(int position) const { return kernel_.buffers.at(static_cast<size_t>(position)); }
  const tensor::Kernel &kernel() const { return kernel_; }
  Storage &storage(int buffer) { return storage_.at(static_cast<size_t>(buffer)); }

  IntExpr freshVariable(const std::string &name, int64_t low, int64_t high);
  int freshId() { return nextVariable_++; }
  int freshRegister() { return nextRegister_++; }

  /// Stages attached to \p host at loop \p loop, in order: those that feed it, or those that read it.
  std::vector<int> attached(int host, const schedule::Loop &loop, bool producers) const;
  /// All stages that read \p buffer, in order.
  std::vector<int> readers(int buffer) const;
  /// Whether \p buffer needs no memory: a temporary that only stages attached to the innermost loop of its
  /// writer read, element by element.
  bool isRegisterOnly(int buffer) const;
  /// Whether stage \p reader is computed in the registers of stage \p host: attached to its innermost loop,
  /// reading it element by element.
  bool isEpilogue(int reader, int host) const;
  /// For an epilogue: the host's dim of each dim of \p reader; otherwise null.
  const std::vector<int> *epilogueDims(int reader, int host) const;
  /// The parallel and tile loops of a stage, including those over parallel dims that the schedule leaves implicit.
  std::vector<schedule::Loop> spatialLoops(int stage) const;
  /// Those of the reduction inside a register tile.
  std::vector<schedule::Loop> reductionLoops(int stage) const;

  /// Gives the temporary \p buffer thread scratch for the box \p region of its dims.
  void placeInThreadScratch(int buffer, const Region &box);
  /// Thread scratch for \p elements partial results of tuple element \p element of \p stage: its position in
  /// Kernel::buffers.
  int placePartialResults(int stage, size_t element, int64_t elements);

  // Values (value.cpp).
  IntExpr index(const tensor::Index &index, const Point &point);
  /// \p registers: the register array that holds a buffer's current tile, for buffers that are forwarded.
  ValuePtr value(const tensor::TensorOp &op, const tensor::Scalar &scalar, const Point &point,
                 const HeldBuffers &registers, const ProvenInside &proven, const SharedValues &shared = {});
  /// Appends to \p out what computes, once and into registers, the nodes that stand in several places of a tuple's
  /// body.
  SharedValues shareValues(const tensor::TensorOp &op, const Point &point, Body &out);
  ValuePtr load(const tensor::TensorOp &op, int read, const Point &point, const ProvenInside &proven);
  /// The offset of what \p access touches, bounds aside.
  IntExpr address(const tensor::Access &access, const Point &point);
  StatementPtr store(const tensor::TensorOp &op, const tensor::Access &access, ValuePtr value, const Point &point);

 private:
  void findEpilogues();
  void placeArguments();
  void placeShared();
  int addThreadScratch(std::string name, DType dtype);
  Phase rootPhase(int stage);
  /// Gives \p phase the parallel loops of \p stage; the digits of its variable, one per loop.
  std::vector<IntExpr> parallelDigits(int stage, Phase &phase);
  Phase scanPhase();
  void finishScratch(Phase &phase);
  IntExpr offset(int buffer, const std::vector<IntExpr> &indices);

  const tensor::Kernel &kernel_;
  const schedule::Schedule &schedule_;
  Kernel out_;
  std::vector<Storage> storage_;
  std::vector<schedule::Followers> epilogues_;          // by host
  std::vector<int> scratchSlots_;                       // thread scratch of the current phase
  std::map<std::pair<int, size_t>, int> partialSlots_;  // by stage and tuple element
  int nextVariable_ = 0;
  int nextRegister_ = 0;
};

// Builders of loop IR (value.cpp).
ValuePtr makeApply(ScalarOp op, std::vector<ValuePtr> args);
/// \p arg as \p dtype, by a Cast or by its Bits.
ValuePtr makeConversion(ValueKind kind, DType dtype, ValuePtr arg);
inline ValueKind conversionOf(tensor::ScalarKind kind) {
  return kind == tensor::ScalarKind::Bits ? ValueKind::Bits : ValueKind::Cast;
}
ValuePtr makeRegister(int reg, const IntExpr &index, Type type);
ValuePtr makeConstant(const tensor::Scalar &constant, int lanes);
ValuePtr broadcastTo(ValuePtr value, int lanes);
StatementPtr makeSet(int reg, const IntExpr &index, ValuePtr value);
StatementPtr makeRegisters(int reg, std::string name, int count, Type type);
StatementPtr makeBlock(Body body);
StatementPtr makeFor(const IntExpr &variable, const IntExpr &begin, const IntExpr &end, LoopKind kind, Body body);

// Combiners (combine.cpp).
/// Of those that are one operation.
ScalarOp combinerOp(tensor::CombinerKind kind);
ValuePtr identityOf(const tensor::TensorOp &op, size_t element, int lanes);
/// registers[index] = combine(old, elements), all of \p lanes lanes; one register array per tuple element.
Body setCombined(Lowering &lowering, const tensor::Combiner &combiner, const std::vector<int> &registers,
                 const IntExpr &index, const std::vector<ValuePtr> &old, const std::vector<ValuePtr> &elements,
                 int lanes);

/// Whether the body of \p op gives its combiner's identity wherever read \p read is outside.
bool outsideIsNeutral(const tensor::TensorOp &op, int read);

/// Loops of one stage over \p region. \p parallelDigits: for a root stage, the loop positions (a prefix) that the
/// phase's parallel variable provides, with that variable's digits; empty for attached stages.
Body lowerStage(Lowering &lowering, int stage, const Region &region, const std::vector<IntExpr> &parallelDigits);

}  // namespace hone::loop
