// An artifact's tar file, and the description inside it.
#include "runtime/manifest.h"
#include "runtime/tar_reader.h"
#include "tests/fuzz/fuzzer.h"

using namespace hone;

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto members = runtime::readTar(test::textOf(data, size));
  if (members.ok()) static_cast<void>(runtime::parseManifest(members->json));
  return 0;
}
