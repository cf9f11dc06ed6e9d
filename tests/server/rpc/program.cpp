#include "tests/server/rpc/program.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/support/patience.h"

namespace hone::server::testing {

namespace {

// While it closes, a coordinator gives the calls under way so long.
constexpr std::chrono::seconds kGrace(5);

}  // namespace

Program::Program(const std::string &file, const std::vector<std::string> &arguments, const std::string &log,
                 const std::vector<std::string> &environment, int inheritedDescriptor)
    : log_(log) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  if (inheritedDescriptor >= 0) posix_spawn_file_actions_adddup2(&actions, inheritedDescriptor, 3);
  std::vector<std::string> words = {file};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char *> argv;
  for (std::string &word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<std::string> more = environment;
  std::vector<char *> variables;
  for (char **one = environ; *one != nullptr; ++one) variables.push_back(*one);
  for (std::string &one : more) variables.push_back(one.data());
  variables.push_back(nullptr);
  const int error = posix_spawn(&pid_, file.c_str(), &actions, nullptr, argv.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + file);
}

Program::~Program() {
  if (!isRunning()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Program::signal(int number) const { kill(pid_, number); }

bool Program::isRunning() {
  if (end_.has_value()) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  end_ = WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
  return false;
}

std::optional<int> Program::wait() {
  test::IdleTime idle([this] { return test::isBusy(pid_); });
  while (isRunning() && !idle.isUp(kGrace)) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return end_;
}

std::string Program::log() const { return readFile(log_); }

std::string readFile(const std::string &path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::pair<int, std::string> get(const std::string &address, const std::string &path) {
  const size_t colon = address.rfind(':');
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &name.sin_addr);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string answer;
  if (connect(socket, reinterpret_cast<const sockaddr *>(&name), sizeof name) == 0) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    send(socket, request.data(), request.size(), MSG_NOSIGNAL);
    char bytes[4096];
    for (ssize_t count = 0; (count = read(socket, bytes, sizeof bytes)) > 0;)
      answer.append(bytes, static_cast<size_t>(count));
  }
  close(socket);
  const size_t body = answer.find("\r\n\r\n");
  if (body == std::string::npos) return {0, ""};
  return {std::stoi(answer.substr(9, 3)), answer.substr(body + 4)};
}

}  // namespace hone::server::testing
