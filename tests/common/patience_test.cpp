// What tests wait with must itself bear what goes on meanwhile.
#include "tests/support/patience.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

namespace hone::test {
namespace {

TEST(Patience, BearsThreadsThatEndWhileTheyAreLookedAt) {
  const pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    for (int round = 0; round < 4000; ++round) std::thread([] {}).join();
    _exit(0);
  }
  siginfo_t ended{};
  while (waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0)
    EXPECT_NO_THROW(isBusy(pid));
  waitpid(pid, nullptr, 0);
  EXPECT_FALSE(isBusy(pid));
}

}  // namespace
}  // namespace hone::test
