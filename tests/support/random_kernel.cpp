#include "tests/support/random_kernel.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/tensor/index_range.h"
#include "tests/support/kernel_builder.h"
#include "tests/support/random.h"

namespace hone::tensor::testing {
namespace {

using hone::testing::Random;

constexpr int64_t kMaxPoints = 20000;     // of one stage
constexpr int64_t kMaxProductLength = 6;  // of products, so that they stay in range
constexpr int64_t kMaxShortSum = 16;      // of sums in floats of 16 bits, which stop growing at 256 times a term
// Those that networks compute in are more frequent.
constexpr DType kValueTypes[] = {DType::F32, DType::F32, DType::F32, DType::F32, DType::F64, DType::F64,  DType::I32,
                                 DType::I32, DType::I64, DType::I64, DType::U8,  DType::U8,  DType::Bool, DType::Bool,
                                 DType::I8,  DType::I16, DType::U16, DType::U32, DType::U64, DType::F16,  DType::BF16};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed), builder_(absl::StrCat("random_", seed)) {}

  Kernel run() {
    const int64_t inputs = random_.between(1, 3);
    for (int64_t i = 0; i < inputs; ++i) addArgument(i);
    const int64_t stages = random_.between(1, 3);
    for (int64_t s = 0; s < stages; ++s) addStage(s, s + 1 == stages || random_.chance(25));
    for (Buffer &buffer : builder_.kernel().buffers) buffer.layout = layout(buffer.shape);
    return builder_.finish();
  }

 private:
  template <typename T, size_t count>
  T pick(const T (&choices)[count]) {
    return choices[random_.between(0, static_cast<int64_t>(count) - 1)];
  }
  template <typename T>
  const T &pick(const std::vector<T> &choices) {
    return choices[random_.between(0, static_cast<int64_t>(choices.size()) - 1)];
  }

  // ---------------------------------------------------------------------------------------- buffers and dims

  int64_t extent() { return random_.chance(30) ? random_.between(1, 4) : random_.between(1, 20); }

  void addArgument(int64_t number) {
    const int64_t rank = random_.between(number == 0 ? 1 : 0, 3);
    std::vector<int64_t> shape;
    for (int64_t d = 0; d < rank; ++d) shape.push_back(extent());
    const std::string name = absl::StrCat("x", number);
    const DType dtype = pick(kValueTypes);
    readable_.push_back(random_.chance(60) ? builder_.input(name, shape, dtype)
                                           : builder_.parameter(name, shape, dtype));
    if (isInteger(dtype)) indexBuffers_.push_back(readable_.back());
  }

  Layout layout(const std::vector<int64_t> &shape) {
    Layout result = Layout::rowMajor(shape);
    if (shape.empty() || random_.chance(50)) return result;
    if (random_.chance(70)) {
      constexpr int64_t kBlocks[] = {2, 3, 4, 8, 16};
      const auto d = static_cast<int>(random_.between(0, static_cast<int64_t>(shape.size()) - 1));
      result = Layout::blocked(shape, d, pick(kBlocks));
    }
    if (random_.chance(30)) {
      for (size_t i = result.axes.size(); i > 1; --i) {
        std::swap(result.axes[i - 1], result.axes[random_.between(0, static_cast<int64_t>(i) - 1)]);
      }
    }
    return result;
  }

  std::vector<Dim> dims() {
    const int64_t parallels = random_.between(0, 3);
    const int64_t reductions = random_.chance(60) ? random_.between(1, parallels == 3 ? 1 : 2) : 0;
    std::vector<Dim> result;
    int64_t points = 1;
    const auto add = [&](const char *letter, int64_t count, DimKind kind) {
      for (int64_t d = 0; d < count; ++d) {
        const int64_t size = std::min(extent(), kMaxPoints / points);
        points *= size;
        result.push_back({absl::StrCat(letter, d), size, kind});
      }
    };
    add("p", parallels, DimKind::Parallel);
    add("r", reductions, DimKind::Reduction);
    if (result.empty()) add("p", 1, DimKind::Parallel);
    return result;
  }

  // ------------------------------------------------------------------------------------------------- indices

  const std::vector<Dim> &stageDims() { return builder_.stage().dims; }

  Index anyDim() { return dim(static_cast<int>(random_.between(0, static_cast<int64_t>(stageDims().size()) - 1))); }

  Index index(int depth) {
    if (depth == 0 || random_.chance(25)) return random_.chance(90) ? anyDim() : constant(random_.between(-2, 20));
    const int64_t choice = random_.between(0, 8);
    if (choice == 8) return loadedIndex(depth);
    // Numbers are drawn one statement at a time: the order within an expression is the compiler's.
    const Index inner = index(depth - 1);
    const Index d = anyDim();
    const int64_t extent = stageDims()[d->value].extent;
    switch (choice) {
      case 0:
        return inner + index(depth - 1);
      case 1:
        return inner + random_.between(-4, 4);
      case 2:
        return inner * random_.between(2, 4);
      case 3:
        return floorDiv(inner, random_.between(2, 7));
      case 4:
        return mod(inner, random_.between(2, 9));
      case 5: {
        const int64_t low = random_.between(-2, 4);
        return clamp(inner, low, low + random_.between(0, 12));
      }
      case 6:
        return d * -1 + (extent - 1);  // reversed
      default:
        return inner * extent + d;  // two dims as one
    }
  }

  Index loadedIndex(int depth) {
    if (indexBuffers_.empty()) return anyDim();
    const int buffer = pick(indexBuffers_);
    std::vector<Index> indices;
    for (size_t d = 0; d < builder_.kernel().buffers[buffer].shape.size(); ++d) indices.push_back(index(depth - 1));
    return load(buffer, std::move(indices));
  }

  Scalar get(int buffer) {
    const std::vector<int64_t> shape = builder_.kernel().buffers[buffer].shape;
    std::vector<Index> indices;
    std::optional<double> outside;
    if (random_.chance(25)) {
      constexpr double kOutside[] = {0, 1, -2.5, 7};
      outside = pick(kOutside);
      const DType dtype = builder_.kernel().buffers[buffer].dtype;
      if (!isFloat(dtype)) outside = std::trunc(*outside);
      if (!isSigned(dtype)) outside = std::abs(*outside);
      if (dtype == DType::Bool) outside = *outside != 0 ? 1 : 0;
    }
    for (int64_t size : shape) {
      Index i = index(static_cast<int>(random_.between(0, 3)));
      if (!outside && !staysInside(builder_.kernel(), builder_.stage(), i, size)) {
        i = random_.chance(50) ? clamp(i, 0, size - 1) : mod(i, size);
      }
      indices.push_back(std::move(i));
    }
    return builder_.get(buffer, std::move(indices), outside);
  }

  // -------------------------------------------------------------------------------------------------- bodies

  /// \p value in \p dtype. What does not fit an integer has no meaning, so floats are clamped first.
  Scalar convert(const Scalar &value, DType dtype) {
    if (!isFloat(value->dtype) || isFloat(dtype) || dtype == DType::Bool) return cast(dtype, value);
    const Scalar low = number(isSigned(dtype) ? -100 : 0, value->dtype);
    return cast(dtype, minimum(maximum(value, low), number(100, value->dtype)));
  }

  Scalar leaf(DType dtype) {
    if (random_.chance(15)) return number(static_cast<double>(random_.between(isSigned(dtype) ? -4 : 0, 5)), dtype);
    if (random_.chance(10)) return convert(indexValue(index(1)), dtype);
    return convert(pick(reads_), dtype);
  }

  Scalar expression(DType dtype, int depth) {
    if (depth == 0) return leaf(dtype);
    const auto next = [&] { return expression(dtype, depth - 1); };
    if (random_.chance(12)) {
      const Scalar which = condition(depth - 1), a = next(), b = next();
      return select(which, a, b);
    }
    if (isFloat(dtype)) return floatExpression(depth, dtype);
    if (dtype == DType::Bool) return condition(depth);
    return integerExpression(depth, dtype);
  }

  Scalar condition(int depth) {
    if (depth == 0) return leaf(DType::Bool);
    const DType dtype = pick(kValueTypes);
    constexpr ScalarOp kLogic[] = {ScalarOp::And, ScalarOp::Or, ScalarOp::Xor};
    constexpr ScalarOp kComparisons[] = {ScalarOp::Less, ScalarOp::LessEqual};
    if (random_.chance(20)) return apply(ScalarOp::Not, {condition(depth - 1)});
    if (random_.chance(30)) {
      const ScalarOp op = pick(kLogic);
      return apply(op, {condition(depth - 1), condition(depth - 1)});
    }
    const Scalar a = expression(dtype, depth - 1), b = expression(dtype, depth - 1);
    return random_.chance(20) ? equal(a, b) : apply(pick(kComparisons), {a, b});
  }

  Scalar floatExpression(int depth, DType dtype) {
    const Scalar a = expression(dtype, depth - 1);
    switch (random_.between(0, 15)) {
      case 0:
        return apply(ScalarOp::Neg, {a});
      case 1:
        return apply(ScalarOp::Abs, {a});
      case 2:
        return apply(ScalarOp::Sqrt, {apply(ScalarOp::Abs, {a})});
      case 3:
        return hyperbolicTangent(a);
      case 4:
        return exponential(hyperbolicTangent(a));
      case 5:
        return apply(ScalarOp::Floor, {a});
      case 6:
        return expression(dtype, depth - 1) / (number(1, dtype) + apply(ScalarOp::Abs, {a}));
      case 7:
        return minimum(a, expression(dtype, depth - 1));
      case 8:
        return maximum(a, expression(dtype, depth - 1));
      case 9:
        return a - expression(dtype, depth - 1);
      case 10:
        return apply(ScalarOp::Atan, {a});
      case 11:
        return apply(ScalarOp::Expm1, {hyperbolicTangent(a)});
      case 12:
        return apply(ScalarOp::Log1p, {apply(ScalarOp::Abs, {a})});
      case 13:
        return a + expression(dtype, depth - 1);
      default:
        return a * expression(dtype, depth - 1);
    }
  }

  Scalar integerExpression(int depth, DType dtype) {
    constexpr ScalarOp kUnary[] = {ScalarOp::Neg, ScalarOp::Abs, ScalarOp::Sign, ScalarOp::BitNot};
    constexpr ScalarOp kBinary[] = {ScalarOp::Add,      ScalarOp::Sub,      ScalarOp::Mul,   ScalarOp::Div,
                                    ScalarOp::FloorMod, ScalarOp::TruncMod, ScalarOp::Min,   ScalarOp::Max,
                                    ScalarOp::BitAnd,   ScalarOp::BitOr,    ScalarOp::BitXor};
    constexpr ScalarOp kShifts[] = {ScalarOp::ShiftLeft, ScalarOp::ShiftRight};
    const Scalar a = expression(dtype, depth - 1);
    if (random_.chance(20)) return apply(pick(kUnary), {a});
    if (random_.chance(10)) {
      const ScalarOp op = pick(kShifts);
      const auto amount = static_cast<double>(random_.between(0, 8 * sizeOf(dtype) - 1));
      return apply(op, {a, number(amount, dtype)});
    }
    const ScalarOp op = pick(kBinary);
    return apply(op, {a, expression(dtype, depth - 1)});
  }

  // -------------------------------------------------------------------------------------------------- stages

  void addStage(int64_t number, bool isOutput) {
    builder_.begin(absl::StrCat("s", number), dims());
    reads_.clear();
    const int64_t reads = random_.between(1, 3);
    for (int64_t r = 0; r < reads; ++r) reads_.push_back(get(pick(readable_)));
    const DType dtype = pick(kValueTypes);
    const bool reduces = stageDims().back().kind == DimKind::Reduction;
    if (!reduces || !chooseFold(number, dtype, isOutput)) {
      addElement(absl::StrCat("y", number), expression(dtype, static_cast<int>(random_.between(0, 3))), isOutput);
    }
    readable_.insert(readable_.end(), written_.begin(), written_.end());
    written_.clear();
  }

  int64_t reductionLength() {
    int64_t length = 1;
    for (const Dim &d : stageDims()) length *= d.kind == DimKind::Reduction ? d.extent : 1;
    return length;
  }

  /// Chooses the combiner; true when it also wrote the body.
  bool chooseFold(int64_t number, DType dtype, bool isOutput) {
    constexpr CombinerKind kOrders[] = {CombinerKind::Min, CombinerKind::Max};
    const bool stopsGrowing = isFloat(dtype) && sizeOf(dtype) == 2 && reductionLength() > kMaxShortSum;
    if (dtype == DType::Bool || stopsGrowing || random_.chance(30)) {
      builder_.fold(pick(kOrders));
      return false;
    }
    if (random_.chance(25)) {
      addBest(number, dtype, isOutput);
      return true;
    }
    if (random_.chance(20) && (!isFloat(dtype) || reductionLength() <= kMaxProductLength)) {
      builder_.fold(CombinerKind::Product);
      if (!isFloat(dtype)) return false;
      const Scalar factor = exponential(hyperbolicTangent(expression(dtype, 1)));
      addElement(absl::StrCat("y", number), factor, isOutput);
      return true;
    }
    builder_.fold(CombinerKind::Sum);
    return false;
  }

  /// A tuple: the smallest value, and where in the last reduction dim it is first.
  void addBest(int64_t number, DType dtype, bool isOutput) {
    const Scalar best = accumulator(0, dtype), at = accumulator(1, DType::I32);
    const Scalar other = element(0, dtype), otherAt = element(1, DType::I32);
    const Scalar better =
        apply(ScalarOp::Or, {less(other, best), apply(ScalarOp::And, {equal(best, other), less(otherAt, at)})});
    builder_.fold({select(better, other, best), select(better, otherAt, at)},
                  {identity(CombinerKind::Min, dtype), identity(CombinerKind::Min, DType::I32)});
    addElement(absl::StrCat("y", number), expression(dtype, 2), isOutput);
    const Index last = dim(static_cast<int>(stageDims().size()) - 1);
    addElement(absl::StrCat("z", number), cast(DType::I32, indexValue(last)), isOutput);
  }

  /// What a value of \p dtype may be written as without going out of range.
  DType bufferType(DType dtype) {
    constexpr DType kFloats[] = {DType::F32, DType::F64, DType::F16, DType::BF16};
    constexpr DType kIntegers[] = {DType::I32, DType::I64, DType::U8,  DType::F32, DType::I8,
                                   DType::I16, DType::U16, DType::U32, DType::U64};
    if (random_.chance(70)) return dtype;
    if (isFloat(dtype)) return pick(kFloats);
    return dtype == DType::Bool ? pick(kValueTypes) : pick(kIntegers);
  }

  /// Temporaries are written whole, because later stages read anywhere; outputs may keep holes.
  void addElement(const std::string &name, const Scalar &value, bool isOutput) {
    std::vector<int64_t> shape;
    std::vector<Index> indices;
    std::vector<int> order;
    for (size_t d = 0; d < stageDims().size(); ++d) {
      if (stageDims()[d].kind == DimKind::Parallel) order.push_back(static_cast<int>(d));
    }
    for (size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[random_.between(0, static_cast<int64_t>(i) - 1)]);
    }
    for (size_t i = 0; i < order.size(); ++i) {
      const int64_t size = stageDims()[order[i]].extent;
      if (i + 1 < order.size() && random_.chance(15)) {  // two dims merge
        const int64_t inner = stageDims()[order[i + 1]].extent;
        shape.push_back(size * inner);
        indices.push_back(dim(order[i]) * inner + dim(order[i + 1]));
        ++i;
        continue;
      }
      addWriteIndex(order[i], size, isOutput, shape, indices);
    }
    const DType dtype = bufferType(value->dtype);
    const int buffer = isOutput ? builder_.output(name, shape, dtype) : builder_.temporary(name, shape, dtype);
    builder_.put(value, buffer, std::move(indices));
    written_.push_back(buffer);
    if (isOutput) written_.pop_back();
  }

  void addWriteIndex(int d, int64_t size, bool isOutput, std::vector<int64_t> &shape, std::vector<Index> &indices) {
    const int64_t choice = random_.between(0, isOutput ? 9 : 6);
    if (choice <= 4) {  // as it is
      shape.push_back(size);
      indices.push_back(dim(d));
    } else if (choice == 5) {  // reversed
      shape.push_back(size);
      indices.push_back(dim(d) * -1 + (size - 1));
    } else if (choice == 6) {  // split, where it divides
      const int64_t block = size % 3 == 0 ? 3 : size % 2 == 0 ? 2 : 1;
      shape.insert(shape.end(), {size / block, block});
      indices.insert(indices.end(), {floorDiv(dim(d), block), mod(dim(d), block)});
    } else if (choice == 7) {  // with holes
      shape.push_back(2 * size + 1);
      indices.push_back(dim(d) * 2 + 1);
    } else {  // shifted, so that some are dropped
      shape.push_back(size);
      const int64_t most = std::min<int64_t>(2, size - 1);
      indices.push_back(dim(d) + random_.between(-most, most));
    }
  }

  Random random_;
  KernelBuilder builder_;
  std::vector<int> readable_;      // buffers that a stage may read
  std::vector<int> indexBuffers_;  // arguments that indices may be loaded from
  std::vector<int> written_;       // by the stage being made
  std::vector<Scalar> reads_;      // of the stage being made
};

}  // namespace

Kernel randomKernel(uint64_t seed) { return Generator(seed).run(); }

}  // namespace hone::tensor::testing
