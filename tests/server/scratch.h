// A folder for one test, removed with the object.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace hone::server::testing {

class Scratch {
 public:
  Scratch() : Scratch(std::filesystem::temp_directory_path()) {}
  /// In memory where there is such a file system, for tests that are not about disks: a data folder has hundreds of
  /// subfolders, and every blob is synced.
  static Scratch inMemory() {
    constexpr uintmax_t kEnough = uintmax_t{1} << 30;
    const std::filesystem::path memory = "/dev/shm";
    std::error_code error;
    const auto space = std::filesystem::space(memory, error);
    return !error && space.available > kEnough ? Scratch(memory) : Scratch();
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path &path() const { return path_; }

 private:
  explicit Scratch(const std::filesystem::path &parent) {
    std::string name = (parent / "hone-test-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }

  std::filesystem::path path_;
};

}  // namespace hone::server::testing
