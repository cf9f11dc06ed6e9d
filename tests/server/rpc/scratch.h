// A folder for one test, removed with the object: in memory where there is such a file system, since a data folder has
// hundreds of subfolders and every blob is synced.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace hone::server::testing {

class Scratch {
 public:
  Scratch() {
    constexpr uintmax_t kEnough = uintmax_t{1} << 30;
    std::error_code error;
    const auto space = std::filesystem::space("/dev/shm", error);
    const bool isInMemory = !error && space.available > kEnough;
    std::string name =
        ((isInMemory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) / "hone-rpc-XXXXXX")
            .string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path &path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace hone::server::testing
