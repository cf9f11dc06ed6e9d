// An array file by itself, and an archive of them, which is opened as a user's is: by its path.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "runtime/tools/npz.h"
#include "tests/fuzz/fuzzer.h"

using namespace hone;

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  constexpr uint64_t kMostBytes = 1 << 20;
  static_cast<void>(runtime::parseNpy(test::textOf(data, size), "array"));
  const int file = memfd_create("fuzz", MFD_CLOEXEC);
  if (file < 0 || write(file, data, size) != static_cast<ssize_t>(size)) abort();
  auto archive = runtime::NpzFile::open("/proc/self/fd/" + std::to_string(file));
  if (archive.ok()) {
    for (const std::string &name : archive->names()) static_cast<void>(archive->read(name, kMostBytes));
  }
  close(file);
  return 0;
}
