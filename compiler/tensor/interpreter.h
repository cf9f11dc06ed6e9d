// The reference interpreter: the oracle of all tests. It evaluates a kernel exactly as tensor_op.h says, value by
// value, on row-major buffers: slow and obvious. It calls no simplifier, no rewrite and no lowering, and looks at no
// layout. Floats are computed in double and rounded when they are written. Functions without state; thread-safe.
//
//   auto result = interpret(kernel, {data, weight});              // StatusOr<Interpretation>
//   EXPECT_EQ(compare(result->outputs[0], got, result->tolerances[0]), "");
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/tensor/host_tensor.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

/// One per element: how far generated code may be from the interpreter. Infinite for elements that no stage
/// writes, and where nothing can be said (a choice that depends on rounding).
using Tolerance = std::vector<double>;

struct Interpretation {
  std::vector<HostTensor> outputs;    ///< the kernel's Output buffers, in order
  std::vector<Tolerance> tolerances;  ///< one per output
};

/// \p arguments: the Input and Parameter buffers, in the kernel's order, with its shapes and dtypes. Elements of
/// float outputs that no stage writes are NaN, others 0. INVALID_ARGUMENT says what does not fit.
absl::StatusOr<Interpretation> interpretWithTolerance(const Kernel &kernel, const std::vector<HostTensor> &arguments);

/// The outputs alone.
absl::StatusOr<std::vector<HostTensor>> interpret(const Kernel &kernel, const std::vector<HostTensor> &arguments);

/// The first element of \p got that is further from \p expected than \p tolerance, as a sentence with its index;
/// empty when all agree. NaN agrees with NaN. A tolerance that is infinite everywhere is a mismatch too: such a
/// test could not fail.
std::string compare(const HostTensor &expected, const HostTensor &got, const Tolerance &tolerance);

}  // namespace hone::tensor
