// A forked child that works until it is killed or done, and tells over a pipe what it has done. One owner; kills and
// reaps the child at the end. The test must be single-threaded when it forks.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

namespace hone::server::testing {

class Child {
 public:
  /// Writes a line to the parent; what it returned from has been handed to the kernel.
  using Tell = std::function<void(const std::string &line)>;

  explicit Child(const std::function<void(const Tell &)> &work) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe(ends), 0);
    process_ = fork();
    if (process_ == 0) {
      close(ends[0]);
      work([&](const std::string &line) {
        const std::string bytes = line + "\n";
        if (write(ends[1], bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) _exit(3);
      });
      _exit(0);
    }
    close(ends[1]);
    pipe_ = ends[0];
  }
  Child(const Child &) = delete;
  Child &operator=(const Child &) = delete;
  ~Child() {
    kill();
    if (pipe_ >= 0) close(pipe_);
  }

  /// The next line; false: there are no more, or none within a minute.
  bool line(std::string &line) {
    for (;;) {
      if (const size_t end = text_.find('\n'); end != std::string::npos) {
        line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return true;
      }
      pollfd waiting{pipe_, POLLIN, 0};
      if (poll(&waiting, 1, 60000) <= 0) return false;
      char room[4096];
      const ssize_t count = read(pipe_, room, sizeof room);
      if (count <= 0) return false;
      text_.append(room, static_cast<size_t>(count));
    }
  }

  /// kill -9. What was told before can still be read.
  void kill() {
    if (process_ > 0) ::kill(process_, SIGKILL);
    wait();
  }
  /// How it ended, as waitpid() says.
  int wait() {
    if (process_ > 0) {
      waitpid(process_, &status_, 0);
      process_ = -1;
    }
    return status_;
  }
  bool wasKilled() { return WIFSIGNALED(wait()) && WTERMSIG(status_) == SIGKILL; }

 private:
  pid_t process_ = -1;
  int pipe_ = -1;
  int status_ = 0;
  std::string text_;
};

}  // namespace hone::server::testing
