// Hostile work: whatever a model or an artifact does, the lease ends with a reason and the worker goes on.
#include <sys/stat.h>

#include <filesystem>

#include "tests/worker/agent_fixture.h"

namespace hone::test {
namespace {

class HostileTest : public AgentTest {
 protected:
  v1::LeaseResult resultOf(int64_t task, const v1::TaskSpec &spec, double deadline = 120) {
    coordinator_->grant(task, 1, spec, 60, deadline);
    auto result = coordinator_->result(task, 150);
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
  expectAlive();
}
#endif

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
