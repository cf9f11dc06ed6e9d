// What every fuzzer is: one function that takes any bytes and comes back. Built by clang with libFuzzer it searches;
// built by any compiler with replay.cpp it goes through files, so that what was found once is looked at for ever. Each
// function may be called any number of times; nothing outlives a call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// libFuzzer asks for this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace hone::test {

inline std::string_view textOf(const uint8_t *data, size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

}  // namespace hone::test
