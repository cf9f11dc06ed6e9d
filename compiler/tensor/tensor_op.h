// TensorOp: how one value is defined; no order, no layout, no target. Plain values; trees are immutable and shared.
//
//   conv(n 1, oc 64, y 56, x 56; reduce ic 64, ky 3, kx 3) : f32
//       = sum data[n, ic, y + ky - 1, x + kx - 1] (0 outside) * weight[oc, ic, ky, kx]
//
// For every point of the parallel and scan dims the body is evaluated over all points of the reduction dims, the
// results are folded by the combiner (without reduction dims there is one point and nothing to fold), and the
// tuple of results is written, one element per write. A write outside its buffer is dropped.
//
// A scan dim is serial and outermost. The stages of a kernel that have a scan dim share it, by position: for each
// step, all of them are evaluated in order; a read may then refer to what any of them wrote in earlier steps.
// What is read before the first step is said in the body (select(t = 0, initial, state[clamp(t - 1)])).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/dtype.h"
#include "compiler/base/scalar_op.h"
#include "compiler/tensor/layout.h"

namespace hone::tensor {

// ---------------------------------------------------------------------------------------------------- indices

enum class IndexKind : uint8_t { Constant, Dim, Add, Mul, FloorDiv, Mod, Clamp, Load };

struct IndexNode;
/// An integer expression over the dims of one TensorOp; never null.
using Index = std::shared_ptr<const IndexNode>;

struct IndexNode {
  IndexKind kind;
  int64_t value = 0;          ///< Constant: the value. Dim: its position in TensorOp::dims
  int64_t low = 0, high = 0;  ///< Clamp: both inclusive. FloorDiv, Mod: `high` is the (positive) divisor
  std::vector<Index> args;    ///< Add, Mul: two. FloorDiv, Mod, Clamp: one. Load: one per dim of the buffer
  int buffer = -1;            ///< Load: an integer buffer of the kernel; indices there are clamped into its shape
};

Index constant(int64_t value);
Index dim(int position);
Index operator+(const Index &a, const Index &b);
Index operator+(const Index &a, int64_t b);
Index operator-(const Index &a, int64_t b);
Index operator*(const Index &a, int64_t b);
Index floorDiv(const Index &a, int64_t divisor);
Index mod(const Index &a, int64_t divisor);              ///< modulo 0, of a tensor without elements: 0
Index clamp(const Index &a, int64_t low, int64_t high);  ///< \p high = \p low - 1, of no elements: \p low
Index load(int buffer, std::vector<Index> indices);

// ----------------------------------------------------------------------------------------------------- bodies

enum class ScalarKind : uint8_t {
  Constant,     ///< a number
  IndexValue,   ///< an index expression as an integer (int64)
  Read,         ///< the element that access `position` of the op reads
  Apply,        ///< op(args)
  Cast,         ///< args[0] converted to dtype: floats to integers truncate, anything to bool is != 0
  Bits,         ///< the bits of args[0] read as dtype, which is as wide; neither is bool
  Accumulator,  ///< in a combiner: element `position` of what is accumulated so far
  Element,      ///< in a combiner: element `position` of the new body value
};

struct ScalarNode;
/// A scalar expression; never null.
using Scalar = std::shared_ptr<const ScalarNode>;

struct ScalarNode {
  ScalarKind kind;
  DType dtype;          ///< of the result
  double number = 0;    ///< Constant of a float type
  int64_t integer = 0;  ///< Constant of an integer type or bool
  int position = 0;     ///< Read, Accumulator, Element
  Index index;          ///< IndexValue
  ScalarOp op = ScalarOp::Add;
  std::vector<Scalar> args;
};

/// Whether \p value, rounded where \p dtype is a float type, is one of its values.
bool canHold(DType dtype, double value);
Scalar number(double value, DType dtype);  ///< Constant of any dtype
Scalar indexValue(const Index &index);
Scalar read(int position, DType dtype);
Scalar apply(ScalarOp op, std::vector<Scalar> args);  ///< dtype by the rules of ScalarOp
Scalar cast(DType dtype, const Scalar &arg);          ///< \p arg itself when it has that dtype
Scalar bits(DType dtype, const Scalar &arg);          ///< the same
Scalar accumulator(int position, DType dtype);
Scalar element(int position, DType dtype);

// -------------------------------------------------------------------------------------------------------- ops

enum class DimKind : uint8_t { Parallel, Reduction, Scan };

struct Dim {
  std::string name;  ///< unique within the op: letters, digits, underscore
  int64_t extent = 1;
  DimKind kind = DimKind::Parallel;
};

/// One element of a buffer of the kernel.
struct Access {
  int buffer = 0;              ///< position in Kernel::buffers
  std::vector<Index> indices;  ///< one per dim of the buffer
  /// A read outside the buffer's shape gives this value, which the buffer's dtype can hold; without it the indices must
  /// stay inside.
  std::optional<double> outside;
};

enum class CombinerKind : uint8_t { None, Sum, Product, Min, Max, Custom };

struct Combiner {
  CombinerKind kind = CombinerKind::None;  ///< None exactly when there are no reduction dims
  /// Custom (tuples): new accumulator values over accumulator() and element(), and where they start. The combiner
  /// must be associative and commutative up to rounding, and the identity neutral.
  std::vector<Scalar> combine;
  std::vector<Scalar> identity;  ///< constants
};

struct TensorOp {
  std::string name;       ///< unique within the kernel
  std::vector<Dim> dims;  ///< scan dims first, then parallel, then reduction
  std::vector<Access> reads;
  std::vector<Scalar> body;  ///< one per tuple element; its dtype is the accumulator's
  Combiner combiner;
  std::vector<Access> writes;  ///< one per tuple element; the value is cast to the buffer's dtype
};

enum class BufferRole : uint8_t { Input, Output, Parameter, Temporary };

struct Buffer {
  std::string name;  ///< unique within the kernel
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  Layout layout;  ///< row-major unless the plan or the schedule says otherwise
  BufferRole role = BufferRole::Temporary;
};

/// Kernel: a group of TensorOps compiled together. Buffers that are not Temporary are its arguments, in order.
/// Stages are in dependence order: a stage reads only what earlier stages wrote (scan dims excepted).
struct Kernel {
  std::string name;
  std::vector<Buffer> buffers;
  std::vector<TensorOp> stages;
};

/// The neutral element of a built-in combiner for \p dtype (-inf or the lowest integer for Max).
Scalar identity(CombinerKind kind, DType dtype);

/// Checks everything the comments above ask for; the error names stage and field.
/// (Returned as text: empty when the kernel is well-formed.)
std::string verify(const Kernel &kernel);

/// The canonical text of a kernel, as in the example above: buffers, then stages. Equal text, equal meaning.
std::string print(const Kernel &kernel);

/// The inverse of print(); the kernel passes verify(). INVALID_ARGUMENT with line, column and what was expected, or
/// with what verify() says. The text may come from anywhere.
absl::StatusOr<Kernel> parse(std::string_view text);

/// Kernel with stages, buffers and dims renamed by their first places (s0, b0, d0 …; dims of one name keep one name),
/// its reads in the order of their use, each once, and its sums in one form: what computes the same prints the same,
/// and parse(print(kernel)) is the kernel.
Kernel canonical(const Kernel &kernel);

}  // namespace hone::tensor
