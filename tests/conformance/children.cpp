#include "tests/conformance/children.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>

namespace hone::conformance {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kReasonBytes = 2000;

struct Child {
  size_t number = 0;
  pid_t process = -1;
  int result = -1;  ///< pipe: outcome, space, reason
  int errors = -1;  ///< pipe: what the child wrote to stderr
  std::string resultText, errorText;
  Clock::time_point deadline;
  bool isLate = false;
};

void limitTo(int resource, rlim_t value, rlim_t beyond = 0) {
  const rlimit limit{value, value + beyond};
  setrlimit(resource, &limit);
}

[[noreturn]] void beChild(size_t number, int result, int errors, const ChildLimits &limits,
                          const std::function<CaseResult(size_t)> &work) {
  dup2(errors, STDERR_FILENO);
  limitTo(RLIMIT_CORE, 0);
  limitTo(RLIMIT_CPU, static_cast<rlim_t>(limits.cpu.count()), 5);  // SIGXCPU, then SIGKILL
  if (limits.memoryBytes != 0) limitTo(RLIMIT_AS, limits.memoryBytes);
  CaseResult answer;
  try {
    answer = work(number);
  } catch (const std::exception &exception) {
    answer = {Outcome::Crashed, std::string("exception: ") + exception.what()};
  }
  std::replace(answer.reason.begin(), answer.reason.end(), '\n', ' ');
  const std::string text = std::string(name(answer.outcome)) + " " + answer.reason.substr(0, kReasonBytes);
  const bool isWritten = write(result, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  std::fflush(nullptr);
  _exit(isWritten ? 0 : 1);
}

Child start(size_t number, const ChildLimits &limits, const std::function<CaseResult(size_t)> &work) {
  int result[2], errors[2];
  if (pipe2(result, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0) {
    std::perror("pipe");
    std::abort();
  }
  std::fflush(nullptr);
  const pid_t process = fork();
  if (process < 0) {
    std::perror("fork");
    std::abort();
  }
  if (process == 0) beChild(number, result[1], errors[1], limits, work);
  close(result[1]);
  close(errors[1]);
  return {number, process, result[0], errors[0], "", "", Clock::now() + limits.clock, false};
}

/// Reads what is there; closes the pipe at its end.
void drain(int &pipe, std::string &text) {
  char buffer[4096];
  const ssize_t count = read(pipe, buffer, sizeof(buffer));
  if (count > 0) {
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > 64 * kReasonBytes) text.erase(0, text.size() - 32 * kReasonBytes);
  } else if (count == 0 || errno != EINTR) {
    close(pipe);
    pipe = -1;
  }
}

/// The line of a report that says most: a sanitizer's or LLVM's summary, else the last one.
std::string tellingLine(const std::string &text) {
  for (const char *mark : {"SUMMARY: ", "runtime error: ", "Assertion", "LLVM ERROR", "terminate called"}) {
    const size_t at = text.find(mark);
    if (at == std::string::npos) continue;
    const size_t begin = text.rfind('\n', at) + 1;
    return text.substr(begin, text.find('\n', at) - begin);
  }
  const size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t begin = text.rfind('\n', end) + 1;
  return text.substr(begin, end - begin + 1);
}

CaseResult finish(const Child &child, const ChildLimits &limits) {
  int status = 0;
  while (waitpid(child.process, &status, 0) < 0 && errno == EINTR) {
  }
  if (child.isLate) return {Outcome::Hung, "no end within " + std::to_string(limits.clock.count()) + " s"};
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
    return {Outcome::Hung, "no end within " + std::to_string(limits.cpu.count()) + " s of CPU time"};
  }
  const size_t space = child.resultText.find(' ');
  const auto outcome = parseOutcome(child.resultText.substr(0, space));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && outcome) return {*outcome, child.resultText.substr(space + 1)};
  std::string how = WIFSIGNALED(status) ? std::string(strsignal(WTERMSIG(status)))
                                        : "exit code " + std::to_string(WEXITSTATUS(status));
  const std::string line = tellingLine(child.errorText);
  return {Outcome::Crashed, line.empty() ? how : how + ": " + line};
}

/// Waits until something happens to one of \p children, and ends those that take too long.
void attend(std::vector<Child> &children) {
  std::vector<pollfd> files;
  Clock::time_point next = Clock::time_point::max();
  for (const Child &child : children) {
    for (const int pipe : {child.result, child.errors}) {
      if (pipe >= 0) files.push_back({pipe, POLLIN, 0});
    }
    if (!child.isLate) next = std::min(next, child.deadline);
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now()).count();
  poll(files.data(), files.size(), static_cast<int>(std::clamp<int64_t>(left, 0, 60'000)));
  for (const pollfd &file : files) {
    if (file.revents == 0) continue;
    for (Child &child : children) {
      if (child.result == file.fd) drain(child.result, child.resultText);
      if (child.errors == file.fd) drain(child.errors, child.errorText);
    }
  }
  for (Child &child : children) {
    if (child.isLate || Clock::now() < child.deadline) continue;
    child.isLate = true;
    kill(child.process, SIGKILL);
  }
}

}  // namespace

void runInChildren(size_t count, int jobs, const ChildLimits &limits, const std::function<CaseResult(size_t)> &work,
                   const std::function<void(size_t, const CaseResult &)> &done) {
  std::vector<Child> children;
  size_t next = 0;
  while (next < count || !children.empty()) {
    while (next < count && children.size() < static_cast<size_t>(jobs)) children.push_back(start(next++, limits, work));
    attend(children);
    for (size_t i = children.size(); i-- > 0;) {
      if (children[i].result >= 0 || children[i].errors >= 0) continue;
      const Child child = std::move(children[i]);
      children.erase(children.begin() + static_cast<std::ptrdiff_t>(i));
      done(child.number, finish(child, limits));
    }
  }
}

}  // namespace hone::conformance
