#include "tests/worker/worker_program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/runtime/sample_artifact.h"

namespace hone::test {

namespace fs = std::filesystem;

namespace {

pid_t spawn(std::vector<std::string> words, const std::string &log) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  std::vector<char *> arguments;
  for (std::string &word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + words[0]);
  return pid;
}

int codeOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status); }

}  // namespace

WorkerProgram::WorkerProgram(std::string folder, const std::string &server, std::vector<std::string> more,
                             const std::string &program)
    : folder_(std::move(folder)) {
  std::vector<std::string> words = {program,           "--server",     server,
                                    "--name",          "tested",       "--data",
                                    folder_ + "/data", "--quiet-lock", folder_ + "/quiet.lock"};
  words.insert(words.end(), more.begin(), more.end());
  pid_ = spawn(std::move(words), folder_ + "/log");
}

WorkerProgram::~WorkerProgram() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void WorkerProgram::signal(int number) const { kill(pid_, number); }

bool WorkerProgram::isRunning() const {
  siginfo_t info{};
  return pid_ > 0 && waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

std::optional<int> WorkerProgram::wait(double seconds) {
  IdleTime idle([this] { return isBusy(true); });
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  int status = 0;
  while (seconds > 0 ? Clock::now() < end : !idle.isUp()) {
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return codeOf(status);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return std::nullopt;
}

std::string WorkerProgram::log() const { return readFile(folder_ + "/log"); }

std::vector<std::string> WorkerProgram::litter() const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto &entry : fs::directory_iterator(folder_ + "/data/work", error))
    names.push_back(entry.path().filename());
  return names;
}

std::vector<pid_t> WorkerProgram::children() const {
  std::vector<pid_t> pids;
  // Any of its threads may be the parent.
  for (const auto &thread : threadsOf(pid_)) {
    std::ifstream file(thread / "children");
    for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
  }
  return pids;
}

bool WorkerProgram::isBusy(bool withChildren) const {
  if (test::isBusy(pid_)) return true;
  const std::vector<pid_t> pids = withChildren ? children() : std::vector<pid_t>();
  return std::any_of(pids.begin(), pids.end(), [](pid_t pid) { return test::isBusy(pid); });
}

std::pair<int, std::string> runProgram(const std::vector<std::string> &arguments) {
  const std::string log = temporaryFolder() + "/log";
  const pid_t pid = spawn(arguments, log);
  int status = 0;
  waitpid(pid, &status, 0);
  return {codeOf(status), readFile(log)};
}

}  // namespace hone::test
