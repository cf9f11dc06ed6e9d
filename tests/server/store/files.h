// Whole files in one call, for tests that damage them. Functions without state.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace hone::server::testing {

inline std::string readFile(const std::filesystem::path &file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Also over a file that is protected from writing.
inline void writeFile(const std::filesystem::path &file, std::string_view bytes) {
  std::error_code ignored;
  std::filesystem::permissions(file, std::filesystem::perms::owner_write, std::filesystem::perm_options::add, ignored);
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  stream.close();
  EXPECT_TRUE(stream) << file;
}

/// Turns one bit at \p offset.
inline void flip(const std::filesystem::path &file, size_t offset) {
  std::string bytes = readFile(file);
  bytes.at(offset) = static_cast<char>(bytes[offset] ^ 1);
  writeFile(file, bytes);
}

}  // namespace hone::server::testing
