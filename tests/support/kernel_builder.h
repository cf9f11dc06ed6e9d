// The compiler's KernelBuilder under the names that tests use.
#pragma once

#include "compiler/tensor/kernel_builder.h"

namespace hone::tensor::testing {

using tensor::equal;
using tensor::exponential;
using tensor::f32;
using tensor::hyperbolicTangent;
using tensor::isIndex;
using tensor::KernelBuilder;
using tensor::less;
using tensor::maximum;
using tensor::minimum;
using tensor::parallel;
using tensor::reduce;
using tensor::scan;
using tensor::select;
using tensor::sigmoid;

}  // namespace hone::tensor::testing
