// Tasks and schedules that the tests of this folder build and measure, and a folder that shows whether files are left.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "compiler/schedule/schedule.h"
#include "compiler/schedule/task.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::measure {

inline schedule::Task taskOf(const std::string &text) {
  const absl::StatusOr<tensor::Kernel> kernel = tensor::parse(text);
  EXPECT_TRUE(kernel.ok()) << kernel.status();
  absl::StatusOr<schedule::Task> task = schedule::Task::of(*kernel);
  EXPECT_TRUE(task.ok()) << task.status();
  return *task;
}

inline schedule::Schedule scheduleOf(const std::string &lines, const std::string &algorithm = "direct") {
  const absl::StatusOr<schedule::Schedule> parsed = schedule::parse("algorithm " + algorithm + "\n" + lines);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *parsed;
}

/// A product [30, 20] x [48, 20]^T, scaled.
inline schedule::Task productTask(const std::string &scale = "2") {
  return taskOf(
      "kernel k\n"
      "input b0 f32[30,20]\n"
      "parameter b1 f32[48,20]\n"
      "output b2 f32[30,48]\n"
      "temporary b3 f32[30,48]\n"
      "s0(d0 30, d1 48; reduce d2 20) : f32\n"
      "    = sum b0[d0, d2] * b1[d1, d2]\n"
      "    -> b3[d0, d1]\n"
      "s1(d0 30, d1 48) : f32\n"
      "    = b3[d0, d1] * " +
      scale +
      "\n"
      "    -> b2[d0, d1]\n");
}

/// A convolution of 3 x 3 that Winograd's algorithm fits.
inline schedule::Task convolutionTask() {
  return taskOf(
      "kernel k\n"
      "input b0 f32[12,12,32] layout [2/16][0][1][2%16]\n"
      "parameter b1 f32[32,32,3,3]\n"
      "output b2 f32[32,12,12] layout [0/16][1][2][0%16]\n"
      "s0(d0 12, d1 12, d2 32; reduce d3 32, d4 3, d5 3) : f32\n"
      "    = sum b0[d0 + d4 - 1, d1 + d5 - 1, d3] (0 outside) * b1[d2, d3, d4, d5]\n"
      "    -> b2[d2, d0, d1]\n");
}

/// TMPDIR is a new folder for its lifetime.
class TemporaryPlace {
 public:
  TemporaryPlace()
      : folder_(std::filesystem::path(::testing::TempDir()) / ("hone-measure-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
    if (const char *before = std::getenv("TMPDIR")) before_ = before;
    setenv("TMPDIR", folder_.c_str(), 1);
  }
  ~TemporaryPlace() {
    before_.empty() ? unsetenv("TMPDIR") : setenv("TMPDIR", before_.c_str(), 1);
    std::filesystem::remove_all(folder_);
  }
  bool isEmpty() const { return std::filesystem::is_empty(folder_); }
  static long openFiles() {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return std::distance(begin(files), end(files));
  }

 private:
  std::filesystem::path folder_;
  std::string before_;
};

}  // namespace hone::measure
