// Named places where a test ends the process as `kill -9` would, to see what survives. A place is named where it is
// passed: failpoints.pass("store.commit.before"). A test in the same process may do something else there, at just that
// instant. Thread-safe; costs two comparisons when nothing is set.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace hone {

class Failpoints {
 public:
  Failpoints() = default;
  /// \p text is "name" or "name:N": the N-th pass of that place kills. Empty: none.
  explicit Failpoints(std::string_view text);

  /// \p act is called with the name of every place that is passed, on the thread that passes it.
  explicit Failpoints(std::function<void(std::string_view)> act) : act_(std::move(act)) {}

  void pass(std::string_view name) {
    if (!name_.empty()) visit(name);
    if (act_) act_(name);
  }

 private:
  void visit(std::string_view name);

  std::string name_;
  std::atomic<int> left_{0};
  const std::function<void(std::string_view)> act_;
};

}  // namespace hone
