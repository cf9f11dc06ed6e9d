// ONNX bytes: import, passes, plan. Whatever the bytes are, there is a graph that verifies and plans, or an error.
#include <cstdlib>

#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/graph.h"
#include "compiler/graph/pipeline.h"
#include "tests/fuzz/fuzzer.h"

using namespace hone;

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // Small enough that one input takes milliseconds; the mechanisms are those of the large limits.
  frontend::ImportOptions options;
  options.limits.nodes = 2000;
  options.limits.unrolledNodes = 500;
  options.limits.constantBytes = int64_t{4} << 20;
  options.limits.tensorElements = int64_t{1} << 20;
  auto graph = frontend::importModel(test::textOf(data, size), options);
  if (!graph.ok()) return 0;
  if (!graph::verify(*graph).ok()) abort();
  if (auto passed = graph::runPasses(*graph); passed.ok() && !graph::verify(*graph).ok()) abort();
  return 0;
}
