// Hostile work: whatever a model or an artifact does, the lease ends with a reason and the worker goes on.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <thread>

#include "tests/worker/agent_fixture.h"

namespace hone::test {
namespace {

class HostileTest : public AgentTest {
 protected:
  /// What is to end by \p deadline, or at once.
  v1::LeaseResult resultOf(int64_t task, const v1::TaskSpec &spec, std::optional<double> deadline = {}) {
    coordinator_->grant(task, 1, spec, 60, deadline.value_or(120));
    auto result = coordinator_->result(task, deadline.value_or(0));
    EXPECT_FALSE(!result.has_value() || result->is_workers_fault());
    return result.value_or(v1::LeaseResult());
  }
  /// The worker is as good as new: it runs what is harmless, and leaves nothing behind.
  void expectAlive() {
    const v1::LeaseResult result = resultOf(1000, runOf(sampleTar()));
    EXPECT_EQ(result.result().outcome(), v1::Result::DONE) << result.result().sentence();
    expectCleanEnd();
  }
};

TEST_F(HostileTest, ACrashIsAResultWithTheSignalAndTheLog) {
  startBoth();
  const v1::LeaseResult result = resultOf(1, runOf(hostileTar("crash")));
  EXPECT_EQ(result.result().outcome(), v1::Result::DEFECT);
#ifndef HONE_TEST_SANITIZED
  EXPECT_EQ(result.result().sentence(), "the artifact's code crashed in phase run (signal 11, Segmentation fault)");
#endif
  EXPECT_NE(result.log().find("about to crash"), std::string::npos);
  expectAlive();
}

TEST_F(HostileTest, AnEndlessLoopMeetsItsDeadline) {
  startBoth();
  const v1::LeaseResult result = resultOf(1, runOf(hostileTar("loop")), 1);
  EXPECT_EQ(result.result().outcome(), v1::Result::WORK_FAILED);
  EXPECT_EQ(result.result().sentence(), "the work took longer than its deadline of 1 seconds in phase run");
  expectAlive();
}

TEST_F(HostileTest, AFloodIsCutToItsEndAndNonsenseIsADefect) {
  startBoth();
  const v1::LeaseResult result = resultOf(1, runOf(hostileTar("flood")));
  EXPECT_EQ(result.result().outcome(), v1::Result::DEFECT);
  EXPECT_NE(result.result().sentence().find("what is no report"), std::string::npos) << result.result().sentence();
  EXPECT_LE(result.log().size(), 64u << 10);
  EXPECT_NE(result.log().find("flood 199999"), std::string::npos) << "the end of the log is kept";
  EXPECT_NE(result.log().find("flood \\xFF flood"), std::string::npos) << "bytes that are no text are shown";
  expectAlive();
}

#ifndef HONE_TEST_SANITIZED
TEST_F(HostileTest, AMemoryBombEndsAtItsLimit) {
  startCoordinator();
  startWorker({"--roles", "device", "--key", "test", "--child-memory", "512MiB"});
  const v1::LeaseResult result = resultOf(1, runOf(hostileTar("bomb")));
  EXPECT_EQ(result.result().outcome(), v1::Result::DEFECT);
  EXPECT_NE(result.result().sentence().find("signal 6"), std::string::npos) << result.result().sentence();
  // Of its own memory, not beside what may be reserved.
  int got = 0;
  const size_t told = result.log().find("got ");
  ASSERT_NE(told, std::string::npos) << result.log();
  ASSERT_EQ(sscanf(result.log().c_str() + told, "got %d MiB", &got), 1);
  EXPECT_GE(got, 256);
  EXPECT_LE(got, 512);
  expectAlive();
}
#endif

TEST_F(HostileTest, AFullFolderEndsTheWorkAndIsEmptied) {
  startCoordinator();
  startWorker({"--roles", "device", "--key", "test", "--child-disk", "64MiB"});
  const v1::LeaseResult result = resultOf(1, runOf(hostileTar("litter")));
  EXPECT_EQ(result.result().outcome(), v1::Result::WORK_FAILED);
  EXPECT_EQ(result.result().sentence(),
            "the work put more than 64 MiB into its folder in phase run; the worker's --child-disk allows it more");
  expectAlive();
}

/// From here on, for this thread and what it starts, the kernel has no Landlock.
void forgetLandlock() {
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter = {std::size(program), program};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

TEST_F(HostileTest, WhatCannotBeConfinedIsNotDoneUnlessToldTo) {
  startCoordinator();
  std::thread([this] {
    forgetLandlock();
    std::filesystem::create_directory(folder_ + "/strict");
    WorkerProgram strict(folder_ + "/strict", coordinator_->address(), {"--roles", "device", "--key", "test"});
    EXPECT_EQ(strict.wait(), 5);
    EXPECT_NE(strict.log().find("no landlock (Function not implemented)"), std::string::npos) << strict.log();
    EXPECT_NE(strict.log().find("--allow-weak-sandbox"), std::string::npos) << strict.log();
  }).join();
  EXPECT_EQ(coordinator_->hellos(), 0u);
  std::thread([this] {
    forgetLandlock();
    startWorker({"--roles", "device", "--key", "test", "--allow-weak-sandbox"});
  }).join();
  EXPECT_EQ(resultOf(1, runOf(sampleTar())).result().outcome(), v1::Result::DONE);
  // Where the machine allows no namespace either, that comes before it.
  EXPECT_NE(worker_->log().find("; not by "), std::string::npos) << worker_->log();
  EXPECT_NE(worker_->log().find("landlock (Function not implemented)"), std::string::npos) << worker_->log();
}

TEST_F(HostileTest, QuittingWithoutAWordIsADefect) {
  startBoth();
  const v1::LeaseResult result = resultOf(1, runOf(hostileTar("quit")));
  EXPECT_EQ(result.result().outcome(), v1::Result::DEFECT);
  EXPECT_EQ(result.result().sentence(), "the work's process ended without a result in phase run (status 0)");
  expectAlive();
}

TEST_F(HostileTest, NothingLeadsOutOfTheChild) {
  setenv("HONE_TEST_SECRET", "secret", 1);
  startBoth();
  std::filesystem::remove("/tmp/hone-escaped");
  const v1::LeaseResult result = resultOf(1, runOf(hostileTar("escape")));
  EXPECT_EQ(result.result().outcome(), v1::Result::DONE) << result.result().sentence();
  const std::string &log = result.log();
  EXPECT_EQ(log.find("DONE"), std::string::npos) << log;
  for (const char *attempt : {"socket", "fork", "execve", "kill", "ptrace", "mount", "unshare"})
    EXPECT_NE(log.find(std::string(attempt) + ": Operation not permitted"), std::string::npos) << attempt << "\n"
                                                                                               << log;
  EXPECT_NE(log.find("litter: written"), std::string::npos) << log;
  EXPECT_FALSE(std::filesystem::exists("/tmp/hone-escaped"));
  // What confines children is said once.
  const std::string said = worker_->log();
  EXPECT_NE(said.find("state=\"confined by no new privileges"), std::string::npos) << said;
  EXPECT_EQ(said.find("confined by", said.find("confined by") + 1), std::string::npos);
  expectAlive();
}

TEST_F(HostileTest, GarbageIsRefused) {
  startBoth();
  const v1::LeaseResult result = resultOf(1, runOf("this is no tar"));
  EXPECT_EQ(result.result().outcome(), v1::Result::INPUT_REFUSED);
  EXPECT_EQ(result.result().sentence().find("/proc"), std::string::npos) << result.result().sentence();
  v1::TaskSpec spec = runOf(sampleTar());
  *spec.mutable_run()->mutable_inputs() = coordinator_->putBlob("this is no npz");
  const v1::LeaseResult inputs = resultOf(2, spec);
  EXPECT_EQ(inputs.result().outcome(), v1::Result::INPUT_REFUSED);
  EXPECT_EQ(inputs.result().sentence().rfind("the inputs: ", 0), 0u) << inputs.result().sentence();
  spec = runOf(sampleTar());
  spec.mutable_run()->mutable_options()->set_repeat(-1);
  EXPECT_EQ(resultOf(3, spec).result().outcome(), v1::Result::WRONG_USAGE);
  expectAlive();
}

TEST_F(HostileTest, AChildInReserveThatWasKilledIsReplaced) {
  startBoth();
  for (int64_t round = 1; round <= 3; ++round) {
    ASSERT_TRUE(eventually([&] { return !worker_->children().empty(); }));
    for (const pid_t child : worker_->children()) kill(child, SIGKILL);
    EXPECT_EQ(resultOf(round, runOf(sampleTar())).result().outcome(), v1::Result::DONE);
  }
  expectAlive();
}

TEST_F(HostileTest, AFolderThatCannotBeWrittenIsTheWorkersFault) {
  startBoth();
  ASSERT_TRUE(eventually([&] { return !worker_->children().empty(); }));
  // Fetching and spawning need it; as root, only its absence keeps us from writing.
  std::filesystem::remove_all(folder_ + "/data/work");
  coordinator_->grant(1, 1, runOf(sampleTar()));
  const auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->is_workers_fault());
  EXPECT_NE(result->result().sentence().find("this worker cannot write"), std::string::npos);
  std::filesystem::create_directories(folder_ + "/data/work");
  expectAlive();
}

}  // namespace
}  // namespace hone::test
