// The kernels that other tests lower and run are well-formed, interpretable and as various as they claim to be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "compiler/tensor/interpreter.h"
#include "tests/support/example_kernels.h"
#include "tests/support/random_kernel.h"
#include "tests/support/rounds.h"

namespace hone::tensor {
namespace {

using testing::exampleKernels;
using testing::randomArguments;
using testing::randomKernel;

TEST(Support, ExampleKernelsAreInterpretable) {
  for (const Kernel &kernel : exampleKernels()) {
    SCOPED_TRACE(print(kernel));
    ASSERT_EQ(verify(kernel), "");
    const auto result = interpretWithTolerance(kernel, randomArguments(kernel, 1));
    ASSERT_TRUE(result.ok()) << result.status();
    for (size_t o = 0; o < result->outputs.size(); ++o) {
      for (double tolerance : result->tolerances[o]) {
        // Everything is written, and what is said about errors is sharp enough to find wrong results.
        ASSERT_LT(tolerance, 1e-3);
      }
    }
  }
}

TEST(Support, RandomKernelsAreInterpretable) {
  int64_t outputs = 0, silent = 0, telling = 0;
  double sharp = 0;  // shares of elements, so that no large output decides
  hone::testing::inRounds(500, 10000, [&](hone::testing::Random &random) {
    const Kernel kernel = randomKernel(random.next());
    SCOPED_TRACE(print(kernel));
    ASSERT_EQ(verify(kernel), "");
    const auto result = interpretWithTolerance(kernel, randomArguments(kernel, random.next()));
    ASSERT_TRUE(result.ok()) << result.status();
    for (size_t o = 0; o < result->outputs.size(); ++o) {
      const std::vector<double> &tolerances = result->tolerances[o];
      int64_t finite = 0, close = 0;
      ++outputs;
      silent += std::none_of(tolerances.begin(), tolerances.end(), [](double t) { return std::isfinite(t); }) ? 1 : 0;
      for (int64_t i = 0; i < result->outputs[o].elements(); ++i) {
        const double tolerance = tolerances[i];
        const double value = result->outputs[o].real(i);
        finite += std::isfinite(tolerance) ? 1 : 0;
        close += tolerance <= 1e-3 * (1 + std::fabs(value)) ? 1 : 0;
        ASSERT_FALSE(std::isfinite(tolerance) && std::isnan(value));
      }
      telling += finite > 0 ? 1 : 0;
      sharp += finite > 0 ? static_cast<double>(close) / static_cast<double>(finite) : 0;
    }
  });
  // Where a choice depends on rounding nothing can be compared; that must stay rare.
  EXPECT_LT(silent, outputs / 50) << outputs;
  EXPECT_GT(sharp, 0.8 * static_cast<double>(telling));
}

}  // namespace
}  // namespace hone::tensor
