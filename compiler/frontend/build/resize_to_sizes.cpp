// Resizing where the new sizes depend on data: which elements an output is made of, and with which weights, is computed
// at run time, for as many outputs as there may be. What lies beyond the true size repeats the border.
#include "compiler/base/status.h"
#include "compiler/frontend/build/resize.h"
#include "compiler/frontend/build/sizes.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

/// Where each output of one axis lies on the input's, [bound], not yet kept within it.
class Coordinates {
 public:
  Coordinates(Builder &build, const ResizeOptions &options, int64_t input, ValueId size, int64_t bound)
      : build_(build),
        options_(options),
        // Which element is the nearest depends on the rounding, where frameworks compute in float32.
        dtype_(options.interpolation == Interpolation::Nearest ? DType::F32 : DType::F64),
        input_(number(static_cast<double>(input))),
        size_(build.cast(size, dtype_)),
        isOne_(build.apply(Op::Equal, {size, build.integer(DType::I64, 1)})),
        place_(build.cast(count(build, bound), dtype_)) {}

  Result all() const {
    const Result zero = number(0), half = number(0.5), scale = apply(Op::Div, size_, input_);
    if (options_.coordinates == "align_corners") {
      const Result last = apply(Op::Sub, input_, number(1)), lastOutput = apply(Op::Sub, size_, number(1));
      return select(zero, apply(Op::Div, apply(Op::Mul, place_, last), lastOutput));
    }
    if (options_.coordinates == "asymmetric") return apply(Op::Div, place_, scale);
    const Result middle = apply(Op::Div, apply(Op::Add, place_, half), scale);
    if (options_.coordinates == "tf_half_pixel_for_nn") return middle;
    const Result halfPixel = apply(Op::Sub, middle, half);
    if (options_.coordinates == "pytorch_half_pixel") return select(zero, halfPixel);
    // The symmetric form differs where the output is cut off, which one with a given size is not.
    return halfPixel;
  }

  Result number(double value) const { return build_.number(dtype_, value); }

 private:
  Result apply(Op op, const Result &a, const Result &b) const { return build_.apply(op, {a, b}); }
  /// \p one where the output has one element.
  Result select(const Result &one, const Result &other) const { return build_.apply(Op::Select, {isOne_, one, other}); }

  Builder &build_;
  const ResizeOptions &options_;
  const DType dtype_;
  const Result input_, size_, isOne_, place_;
};

Result rounded(Builder &build, const std::string &rounding, const Result &x, const Result &half) {
  if (rounding == "floor") return build.apply(Op::Floor, {x});
  if (rounding == "ceil") return build.apply(Op::Ceil, {x});
  if (rounding == "round_prefer_ceil") return build.apply(Op::Floor, {build.apply(Op::Add, {x, half})});
  return build.apply(Op::Ceil, {build.apply(Op::Sub, {x, half})});
}

Result resizeAxis(Builder &build, ValueId data, const ResizeOptions &options, size_t axis, ValueId size,
                  int64_t bound) {
  const auto along = static_cast<int64_t>(axis);
  const int64_t input = build.shape(data)[axis];
  const Coordinates coordinates(build, options, input, size, bound);
  const Result zero = coordinates.number(0), last = coordinates.number(static_cast<double>(input - 1));
  const auto within = [&](const Result &x) { return build.apply(Op::Min, {build.apply(Op::Max, {x, zero}), last}); };
  const auto pick = [&](const Result &x) { return build.gather(data, build.cast(x, DType::I64), along); };
  const Result x = coordinates.all();
  if (options.interpolation == Interpolation::Nearest) {
    return pick(within(rounded(build, options.rounding, x, coordinates.number(0.5))));
  }
  const Result inside = within(x), first = build.apply(Op::Floor, {inside});
  const Result second = within(build.apply(Op::Add, {first, coordinates.number(1)}));
  Shape beside(build.shape(data).size() - axis, 1);
  beside[0] = bound;
  const Result weight = build.reshape(build.cast(build.apply(Op::Sub, {inside, first}), build.dtype(data)), beside);
  const Result low = pick(first), difference = build.apply(Op::Sub, {pick(second), low});
  return build.apply(Op::Add, {build.apply(Op::Mul, {difference, weight}), low});
}

}  // namespace

Result resizeToSizes(Builder &build, ValueId data, const ResizeOptions &options, const std::vector<AxisToSize> &axes) {
  if (options.interpolation == Interpolation::Cubic || options.antialias ||
      options.coordinates == "tf_crop_and_resize") {
    return unsupported("a size that depends on data, for cubic interpolation, antialiasing or a region of interest");
  }
  Extents extents = build.allExtents(data);
  for (const AxisToSize &axis : axes) {
    const int64_t bound = highest(build, axis.size).value_or(0);
    if (bound < 1) return unsupported("nothing bounds the size of axis ", axis.position, ", which depends on data");
    Shape wide = build.shape(data);
    wide[axis.position] = bound;
    HONE_RETURN_IF_ERROR(build.checkSize({build.dtype(data), wide}));
    // A size below 1 is none; there is no element then.
    HONE_ASSIGN_OR_RETURN(extents[axis.position], build.apply(Op::Max, {axis.size, build.integer(DType::I64, 0)}));
    HONE_ASSIGN_OR_RETURN(data, resizeAxis(build, data, options, axis.position, axis.size, bound));
  }
  return build.bounded(data, std::move(extents));
}

}  // namespace hone::frontend
