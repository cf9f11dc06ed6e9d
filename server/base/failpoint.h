// Named places where a test ends the process as `kill -9` would, to see what survives. A place is named where it is
// passed: failpoints.pass("store.commit.before"). Thread-safe; costs one comparison when nothing is set.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

namespace hone::server {

class Failpoints {
 public:
  Failpoints() = default;
  /// \p text is "name" or "name:N": the N-th pass of that place kills. Empty: none.
  explicit Failpoints(std::string_view text);

  void pass(std::string_view name) {
    if (!name_.empty()) visit(name);
  }

 private:
  void visit(std::string_view name);

  std::string name_;
  std::atomic<int> left_{0};
};

/// Every place there is, for tests that visit each once.
inline constexpr std::string_view kFailpoints[] = {
    "store.commit.before", "store.commit.after", "engine.reply.before", "blob.write.before", "blob.rename.before",
    "blob.rename.after",   "blob.folder.synced", "fleet.lease.sent",    "fleet.ack.sent",
};

}  // namespace hone::server
