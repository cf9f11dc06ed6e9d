// The names of data files in any bytes: sorted, few, short and without NUL, or a refusal.
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cstdlib>

#include "client/data_locations.h"
#include "tests/fuzz/fuzzer.h"

// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // Blocks of a size that depends on the input: fields are cut anywhere.
  google::protobuf::io::ArrayInputStream stream(data, static_cast<int>(size), static_cast<int>(1 + size % 61));
  const auto names = hone::client::dataLocations(stream);
  if (!names.ok()) return 0;
  if (names->size() > 1000 || !std::is_sorted(names->begin(), names->end())) abort();
  if (std::adjacent_find(names->begin(), names->end()) != names->end()) abort();
  for (const std::string &name : *names)
    if (name.empty() || name.size() > 1024 || name.find('\0') != std::string::npos) abort();
  return 0;
}
