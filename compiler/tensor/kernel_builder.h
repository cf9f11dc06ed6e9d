// KernelBuilder: writes kernels briefly, stage after stage. For whoever says a computation by hand: operators of a
// frontend, tests. One thread; owns the kernel until finish().
//
//   KernelBuilder b("rows");
//   const int x = b.input("x", {4, 8}), y = b.output("y", {4});
//   b.begin("sum", {parallel("r", 4), reduce("c", 8)});
//   b.fold(CombinerKind::Sum);
//   b.put(b.get(x, {dim(0), dim(1)}), y, {dim(0)});
//   const Kernel kernel = b.finish();
//
// Dims that correspond should have one name in all stages: schedules let stages share loops by it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

Dim parallel(std::string name, int64_t extent);
Dim reduce(std::string name, int64_t extent);
Dim scan(std::string name, int64_t extent);

class KernelBuilder {
 public:
  explicit KernelBuilder(std::string name) { kernel_.name = std::move(name); }

  int input(std::string name, std::vector<int64_t> shape, DType dtype = DType::F32);
  int parameter(std::string name, std::vector<int64_t> shape, DType dtype = DType::F32);
  int output(std::string name, std::vector<int64_t> shape, DType dtype = DType::F32);
  int temporary(std::string name, std::vector<int64_t> shape, DType dtype = DType::F32);

  /// Starts the next stage; the calls below speak of it.
  void begin(std::string name, std::vector<Dim> dims);
  /// A read as an expression for the body.
  Scalar get(int buffer, std::vector<Index> indices, std::optional<double> outside = std::nullopt);
  void fold(CombinerKind kind) { stage().combiner.kind = kind; }
  void fold(std::vector<Scalar> combine, std::vector<Scalar> identity);
  /// Appends an element to the body, and where it is written.
  void put(const Scalar &value, int buffer, std::vector<Index> indices);

  TensorOp &stage() { return kernel_.stages.back(); }
  Kernel &kernel() { return kernel_; }
  /// Reads are numbered by their use in the body: the order of get() within an expression is the C++ compiler's.
  Kernel finish();

 private:
  int add(std::string name, std::vector<int64_t> shape, DType dtype, BufferRole role);

  Kernel kernel_;
};

// Scalars as people write them; operands have one dtype.
Scalar operator+(const Scalar &a, const Scalar &b);
Scalar operator-(const Scalar &a, const Scalar &b);
Scalar operator*(const Scalar &a, const Scalar &b);
Scalar operator/(const Scalar &a, const Scalar &b);
Scalar f32(double value);
Scalar exponential(const Scalar &a);
Scalar hyperbolicTangent(const Scalar &a);
/// 1 / (1 + exp(-a))
Scalar sigmoid(const Scalar &a);
Scalar maximum(const Scalar &a, const Scalar &b);
Scalar minimum(const Scalar &a, const Scalar &b);
Scalar less(const Scalar &a, const Scalar &b);
Scalar equal(const Scalar &a, const Scalar &b);
Scalar both(const Scalar &a, const Scalar &b);
Scalar either(const Scalar &a, const Scalar &b);
Scalar negation(const Scalar &a);  ///< of a bool
Scalar select(const Scalar &condition, const Scalar &a, const Scalar &b);
/// Whether \p index has the value \p value.
Scalar isIndex(const Index &index, int64_t value);

/// \p index, which comes from data, as a place among \p extent elements: a negative one counts from the end, and one
/// that is beyond either end is the element there.
Index elementAt(const Index &index, int64_t extent);
/// The same for a write: a place beyond either end stays outside, where writes are dropped.
Index targetAt(const Index &index, int64_t extent);

}  // namespace hone::tensor
