#include "tests/worker/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "proto/frames.h"
#include "tests/runtime/sample_artifact.h"

namespace hone::test {

OnceResult once(const std::string &program, const v1::Work &work, const std::string &input) {
  const std::string folder = temporaryFolder();
  writeFile(folder + "/input", input);
  std::filesystem::create_directory(folder + "/tmp");
  std::string place = "TMPDIR=" + folder + "/tmp";
  char *environment[] = {place.data(), nullptr};
  int sockets[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, sockets[1], 3);
  posix_spawn_file_actions_addopen(&actions, kOnceInput, (folder + "/input").c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, kOnceOutput, (folder + "/output").c_str(), O_WRONLY | O_CREAT, 0600);
  std::vector<std::string> words = {program, "--once", "--fd", "3"};
  std::vector<char *> arguments;
  for (std::string &word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = -1;
  EXPECT_EQ(posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environment), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(sockets[1]);
  EXPECT_TRUE(proto::writeFrame(sockets[0], work).ok());
  proto::FrameReader reader(sockets[0]);
  OnceResult end;
  v1::Report report;
  while (!report.has_result() && reader.read(report).ok()) continue;
  EXPECT_TRUE(report.has_result()) << "the child died";
  end.result = report.result();
  close(sockets[0]);
  waitpid(pid, nullptr, 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder + "/tmp")) << "the child left something behind";
  end.output = readFile(folder + "/output");
  return end;
}

}  // namespace hone::test
