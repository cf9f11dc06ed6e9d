// What a child inherits, seen by a shell in it.
#include "common/spawn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "common/descriptor.h"

namespace hone {
namespace {

// What \p script writes to its standard output.
std::string say(const std::string &script, SpawnSettings settings = {}) {
  auto pipe = makePipe();
  if (!pipe.ok()) return "no pipe";
  settings.command = {"/bin/sh", "-c", script};
  settings.descriptors.push_back({pipe->second.get(), STDOUT_FILENO});
  const auto pid = spawn(std::move(settings));
  if (!pid.ok()) return std::string(pid.status().message());
  pipe->second.reset();
  std::string text;
  char bytes[4096];
  for (ssize_t count = 0; (count = read(pipe->first.get(), bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<size_t>(count));
  waitpid(*pid, nullptr, 0);
  return text;
}

TEST(Spawn, WhatIsNoProgramIsSaid) {
  const auto pid = spawn({.command = {"/no/such/program"}});
  EXPECT_EQ(pid.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(pid.status().message(), "cannot start '/no/such/program': No such file or directory");
  EXPECT_FALSE(spawn({.command = {"/bin/true"}, .descriptors = {{9999, 3}}}).ok());
  EXPECT_FALSE(spawn({.command = {"/bin/true"}, .folder = "/no/such/folder"}).ok());
}

TEST(Spawn, NothingIsInheritedThatWasNotNamed) {
  // One that children would inherit, with a number below those that are given.
  const Descriptor secret(open("/dev/zero", O_RDONLY));
  ASSERT_TRUE(secret.isOpen());
  SpawnSettings settings;
  settings.descriptors = {{secret.get(), secret.get() + 1}};
  const std::string expected = std::to_string(secret.get() + 1) + "\n";
  EXPECT_EQ(say("for d in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$d ] && echo $d; done", settings), expected);
  EXPECT_EQ(say("readlink /proc/$$/fd/0"), "/dev/null\n");
}

TEST(Spawn, DescriptorsThatTradeTheirNumbersArriveWhole) {
  auto zero = Descriptor::open("/dev/zero", O_RDONLY);
  auto full = Descriptor::open("/dev/full", O_RDONLY);
  ASSERT_TRUE(zero.ok() && full.ok());
  SpawnSettings settings;
  settings.descriptors = {{zero->get(), full->get()}, {full->get(), zero->get()}};
  const std::string a = std::to_string(full->get()), b = std::to_string(zero->get());
  EXPECT_EQ(say("readlink /proc/$$/fd/" + a + " /proc/$$/fd/" + b, std::move(settings)), "/dev/zero\n/dev/full\n");
}

TEST(Spawn, EnvironmentAndFolderAreThoseGiven) {
  SpawnSettings settings;
  settings.environment = {"ONLY=this", "PATH=/usr/bin:/bin"};
  settings.folder = "/usr";
  setenv("HONE_SPAWN_TEST", "ours", 1);
  EXPECT_EQ(say("echo $ONLY-$HONE_SPAWN_TEST; pwd", settings), "this-\n/usr\n");
  EXPECT_EQ(say("echo $HONE_SPAWN_TEST"), "ours\n");
}

TEST(Spawn, SignalsAreAsAtTheStartOfAProgram) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  signal(SIGHUP, SIG_IGN);
  const std::string masks = say("exec grep -E '^Sig(Blk|Ign):' /proc/self/status");
  signal(SIGHUP, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(masks.substr(0, masks.find("SigIgn")), "SigBlk:\t0000000000000000\n");
  // SIGHUP is the lowest bit; the C library keeps two high ones to itself.
  EXPECT_TRUE(masks.ends_with("0\n")) << masks;
}

}  // namespace
}  // namespace hone
