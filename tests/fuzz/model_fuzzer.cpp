// ONNX bytes: import, passes. Whatever the bytes are, there is a graph that verifies, or an error. A model finds one
// data file, "weights", in which places and lengths of external data can be right and wrong.
#include <array>
#include <cstdlib>
#include <memory>

#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/graph.h"
#include "compiler/graph/pipeline.h"
#include "tests/fuzz/fuzzer.h"

using namespace hone;

namespace {

struct WeightsFile : graph::SharedMemory {
  void letGo(std::string_view) const override {}
  std::array<char, 64> bytes{};
};

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // Small enough that one input takes milliseconds; the mechanisms are those of the large limits.
  frontend::ImportOptions options;
  options.limits.nodes = 2000;
  options.limits.unrolledNodes = 500;
  options.limits.constantBytes = int64_t{4} << 20;
  options.limits.tensorElements = int64_t{1} << 20;
  const auto weights = std::make_shared<const WeightsFile>();
  options.dataFiles["weights"] = {{weights->bytes.data(), weights->bytes.size()}, weights};
  auto graph = frontend::importModel(test::textOf(data, size), options);
  if (!graph.ok()) return 0;
  if (!graph::verify(*graph).ok()) abort();
  if (auto passed = graph::runPasses(*graph); passed.ok() && !graph::verify(*graph).ok()) abort();
  return 0;
}
