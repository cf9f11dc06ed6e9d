// What a client saw, one JSON object per line, on disk before the client goes on: a client that is killed leaves all
// that it was told. The fields are described in checker.py, which reads them. Thread-safe.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace hone::test {

class History {
 public:
  /// Appends to the file, if it is there; a last line that a kill cut short is ended first.
  static absl::StatusOr<std::unique_ptr<History>> open(const std::string &path);
  ~History();
  History(const History &) = delete;
  History &operator=(const History &) = delete;

  /// Adds the time to the line, and returns it. One write(2): what has returned survives the process.
  int64_t write(nlohmann::json line);

  /// Chains that the lives before this one began and did not end.
  const std::set<int64_t> &unfinished() const { return unfinished_; }
  /// Above all that were begun.
  int64_t nextIndex() const { return nextIndex_; }

 private:
  History() = default;
  void readBack(const std::string &path);

  std::mutex mutex_;
  int file_ = -1;
  std::set<int64_t> unfinished_;
  int64_t nextIndex_ = 0;
};

}  // namespace hone::test
