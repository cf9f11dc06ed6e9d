// mod.json as it is, and with a right digest: without that nothing behind the digest would ever be reached.
#include <string>

#include "runtime/manifest.h"
#include "tests/fuzz/fuzzer.h"
#include "tests/runtime/sample_artifact.h"

using namespace hone;

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  constexpr size_t kShortest = 64;
  static_cast<void>(runtime::parseManifest(test::textOf(data, size)));
  if (size < kShortest) return 0;
  static_cast<void>(runtime::parseManifest(test::seal(std::string(test::textOf(data, size)))));
  return 0;
}
