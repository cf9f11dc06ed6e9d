// Loop nests: the program of a kernel before instructions. Trees of statements over loop variables, buffers and
// register arrays; print() gives readable text, and tests compare that text. Immutable once built; thread-safe.
//
// Memory is addressed by element offsets (IntExpr) into a buffer. A vector expression of n lanes is written with a
// lane variable (Vector::lane) that runs over 0..n-1 inside offsets, guards and integer values: an offset that is
// linear in it with coefficient 1 is one vector load, coefficient 0 a broadcast, anything else a gather.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compiler/base/dtype.h"
#include "compiler/base/scalar_op.h"
#include "compiler/loop/int_expr.h"

namespace hone::loop {

// -------------------------------------------------------------------------------------------------- expressions

struct Type {
  DType dtype = DType::F32;
  int lanes = 1;
  bool operator==(const Type &) const = default;
};

/// low <= expression < high must hold.
struct Guard {
  IntExpr expression;
  int64_t low = 0;
  int64_t high = 0;
};

enum class ValueKind : uint8_t {
  Constant,     ///< `number` (floats) or `integer`, in every lane
  IndexValue,   ///< `index` as an integer of the type; per lane when it uses the lane variable
  Load,         ///< buffer[index]; `fill` where a guard fails or the lane is not active
  Register,     ///< element `index` (constant after unrolling) of register array `reg`
  Apply,        ///< op(args), all of one dtype and lane count except Select's and predicates' bool
  Cast,         ///< args[0] converted to type.dtype (same lanes); semantics of tensor::ScalarKind::Cast
  Bits,         ///< the bits of args[0] as type.dtype (same lanes); semantics of tensor::ScalarKind::Bits
  Broadcast,    ///< args[0] (1 lane) in every lane
  Horizontal,   ///< args[0] (n lanes) folded over its lanes by `op` (Add, Mul, Min, Max): 1 lane
  ExtractLane,  ///< lane `integer` of args[0]: 1 lane (combining tuples across lanes)
  ActiveLanes,  ///< bool vector: lane < `integer`
};

struct Value;
using ValuePtr = std::shared_ptr<const Value>;

struct Value {
  ValueKind kind = ValueKind::Constant;
  Type type;
  double number = 0;
  int64_t integer = 0;
  IntExpr index;
  int buffer = -1;            ///< Load: position in Kernel::buffers
  std::vector<Guard> guards;  ///< Load: all must hold, else the fill value (which has the load's type)
  ValuePtr fill;              ///< Load: null means 0
  int activeLanes = 0;        ///< Load: only lanes below this are read; type.lanes = all
  int lane = -1;              ///< IndexValue, Load with lanes > 1: id of the lane variable
  int reg = -1;               ///< Register: id of the register array
  ScalarOp op = ScalarOp::Add;
  std::vector<ValuePtr> args;
};

// --------------------------------------------------------------------------------------------------- statements

enum class StatementKind : uint8_t {
  Block,      ///< body, in order
  For,        ///< variable from begin to end (exclusive) by step
  If,         ///< body when all guards hold
  Registers,  ///< declares register array `reg` of `count` values of `type`; scope: the enclosing block
  Set,        ///< reg[index] = value
  Store,      ///< buffer[index] = value, lanes below activeLanes only; dropped where a guard fails
  Prefetch,   ///< asks for the cache line of buffer[index], which may lie outside of the buffer
};

enum class LoopKind : uint8_t {
  Serial,
  Unrolled,  ///< constant bounds; codegen expands it, register indices become constants
};

struct Statement;
using StatementPtr = std::shared_ptr<const Statement>;

struct Statement {
  StatementKind kind = StatementKind::Block;
  std::vector<StatementPtr> body;  // Block, For, If
  // For
  IntExpr variable, begin, end;  // variable: a single Var atom
  int64_t step = 1;
  LoopKind loop = LoopKind::Serial;
  // Registers, Set
  int reg = -1;
  std::string name;
  int count = 0;
  Type type;
  // Set, Store, Prefetch (which has no value)
  IntExpr index;
  ValuePtr value;
  int buffer = -1;
  std::vector<Guard> guards;  // Store (may use the lane variable), If
  int activeLanes = 0;        // Store: lanes of the value = all
  int lane = -1;              // Store with lanes > 1: id of the lane variable
};

// ------------------------------------------------------------------------------------------------------ kernels

enum class Space : uint8_t {
  Argument,       ///< buffers[offset] of the ABI call
  SharedScratch,  ///< at byte `offset` of the kernel's shared scratch
  ThreadScratch,  ///< at byte `offset` of the thread's scratch of the phase
};

struct BufferSlot {
  std::string name;
  DType dtype = DType::F32;
  Space space = Space::Argument;
  int64_t offset = 0;    ///< Argument: its position; else bytes, 64-aligned
  int64_t elements = 0;  ///< allocated, padding included
  bool written = false;  ///< by any phase; others are read-only and never alias what is written
};

/// One phase: `body` for each value of `parallel` in [0, extent).
struct Phase {
  IntExpr parallel;  // a single Var atom
  int64_t extent = 1;
  int64_t scratchBytes = 0;
  StatementPtr body;
};

struct Kernel {
  std::string name;
  std::vector<BufferSlot> buffers;
  std::vector<Phase> phases;
  int64_t sharedScratchBytes = 0;
};

/// The readable form; equal text, equal program.
std::string print(const Kernel &kernel);

}  // namespace hone::loop
