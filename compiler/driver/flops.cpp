#include "compiler/driver/flops.h"

namespace hone::driver {

namespace {

int64_t operations(const tensor::Scalar &scalar) {
  int64_t count = 0;
  if (scalar->kind == tensor::ScalarKind::Apply && isFloat(scalar->dtype) && scalar->op != ScalarOp::Select) count = 1;
  for (const tensor::Scalar &arg : scalar->args) count += operations(arg);
  return count;
}

}  // namespace

int64_t countFlops(const tensor::Kernel &kernel) {
  int64_t total = 0;
  for (const tensor::TensorOp &stage : kernel.stages) {
    int64_t points = 1;
    for (const tensor::Dim &dim : stage.dims) points *= dim.extent;
    int64_t each = 0;
    for (const tensor::Scalar &element : stage.body) {
      each += operations(element);
      if (stage.combiner.kind != tensor::CombinerKind::None && isFloat(element->dtype)) ++each;
    }
    total += points * each;
  }
  return total;
}

}  // namespace hone::driver
