// hone-server as a process, for tests. One thread at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace hone::server::testing {

class Program {
 public:
  /// Starts \p file with \p arguments; what it writes goes to \p log. \p environment: "NAME=value" added to ours.
  Program(const std::string &file, const std::vector<std::string> &arguments, const std::string &log,
          const std::vector<std::string> &environment = {}, int inheritedDescriptor = -1);
  ~Program();  ///< ends it
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// The exit code, or 1000 + the signal's number. Nothing after a minute.
  std::optional<int> wait();
  bool isRunning();
  std::string log() const;

 private:
  pid_t pid_ = -1;
  std::string log_;
  std::optional<int> end_;
};

std::string readFile(const std::string &path);
/// GET \p path of HOST:PORT: the status line's number and the body.
std::pair<int, std::string> get(const std::string &address, const std::string &path);

}  // namespace hone::server::testing
