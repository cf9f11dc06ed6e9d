// The agent against a coordinator that does what it should not, or nothing, or dies.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/worker/agent_fixture.h"
#include "worker/agent/quiet_lock.h"

namespace hone::test {
namespace {

constexpr double kSoon = 0.4;

TEST_F(AgentTest, RunsALeaseAndSaysWhoItIs) {
  startBoth();
  const v1::Hello hello = coordinator_->hello(1);
  EXPECT_EQ(hello.name(), "tested");
  EXPECT_EQ(hello.key(), "test");
  EXPECT_EQ(hello.roles_size(), 1);
  EXPECT_EQ(hello.builder_slots(), 0);
  EXPECT_EQ(hello.build_id(), "");
  EXPECT_GT(hello.memory_bytes(), 0);
  EXPECT_EQ(hello.api_version(), 2);
  EXPECT_EQ(hello.oldest_api_version(), 1);
  EXPECT_EQ(hello.abi_version(), 1);
  EXPECT_FALSE(hello.target().triple().empty());
  EXPECT_GT(hello.target().cores(), 0);
  v1::TaskSpec spec = runOf(sampleTar());
  spec.mutable_run()->mutable_options()->set_print_time(true);
  spec.mutable_run()->mutable_options()->set_repeat(3);
  spec.mutable_run()->mutable_options()->set_print_top(2);
  spec.mutable_run()->mutable_options()->set_fill_mode(v1::Run::ZEROS);
  coordinator_->grant(7, 3, spec);
  const auto result = coordinator_->result(7);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->epoch(), 3);
  EXPECT_EQ(result->result().outcome(), v1::Result::DONE) << result->result().sentence();
  EXPECT_EQ(result->result().sample_seconds_size(), 3);
  // As the sample's kernels compute it: total of 1000 rows of 0 to 15.
  EXPECT_NE(result->result().printed().find("120000"), std::string::npos) << result->result().printed();
  EXPECT_EQ(coordinator_->blob(result->outputs()).substr(0, 2), "PK");
  // Again: the artifact is not fetched a second time.
  coordinator_->grant(8, 1, spec);
  EXPECT_TRUE(coordinator_->result(8).has_value());
  EXPECT_EQ(coordinator_->downloads(), 1);
  expectCleanEnd();
}

TEST_F(AgentTest, ALeaseBeginsInMilliseconds) {
  startBoth();
  const v1::TaskSpec spec = runOf(sampleTar());
  std::vector<double> times;
  for (int64_t task = 1; task <= 20; ++task) {
    // A reserve is there when the one before was not just now.
    ASSERT_TRUE(eventually([&] { return !worker_->children().empty(); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const auto start = std::chrono::steady_clock::now();
    coordinator_->grant(task, 1, spec);
    ASSERT_TRUE(coordinator_->result(task).has_value());
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  printf("from grant to result of a tiny run: median %.1f ms, worst %.1f ms\n", times[10], times.back());
  EXPECT_LT(times[10], 2000);
  expectCleanEnd();
}

TEST_F(AgentTest, MeasurementsWaitForQuietAndOtherRunsDoNot) {
  startBoth();
  worker::QuietLock lock(folder_ + "/quiet.lock");
  const worker::Cancellation never;
  {
    const auto quiet = lock.measure(never);
    ASSERT_TRUE(quiet.ok());
    v1::TaskSpec timed = runOf(sampleTar());
    timed.mutable_run()->mutable_options()->set_profile(true);
    coordinator_->grant(1, 1, timed);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    EXPECT_FALSE(coordinator_->hasResult(1));
    // The one that waits for quiet can be taken back, and the device does what needs none.
    coordinator_->revoke(1, 1);
    coordinator_->grant(2, 1, runOf(sampleTar()));
    EXPECT_TRUE(coordinator_->result(2).has_value());
    coordinator_->grant(3, 1, timed);
  }
  const auto result = coordinator_->result(3);
  ASSERT_TRUE(result.has_value());
  EXPECT_NE(result->result().printed().find("measured peak"), std::string::npos);
  expectCleanEnd();
}

TEST_F(AgentTest, TheLogIsJsonWhenAskedFor) {
  startCoordinator();
  startWorker({"--roles", "device", "--key", "k", "--log-format", "json"});
  coordinator_->grant(1, 1, runOf(hostileTar("flood")));
  EXPECT_TRUE(coordinator_->result(1).has_value());
  expectCleanEnd();
  std::istringstream lines(worker_->log());
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(parsed.is_object()) << line;
    EXPECT_TRUE(parsed.contains("time") && parsed.contains("level") && parsed.contains("event")) << line;
    const bool isBegin = parsed["event"] == "lease begins";
    EXPECT_TRUE(!isBegin || parsed["job"] == "j-test") << line;
  }
  EXPECT_GE(count, 5);
}

TEST_F(AgentTest, KeepsAResultUntilItsAckOverNewConnections) {
  startBoth({.acknowledges = false});
  coordinator_->grant(1, 1, runOf(sampleTar()));
  EXPECT_TRUE(coordinator_->result(1).has_value());
  for (size_t attempt = 2; attempt <= 3; ++attempt) {
    coordinator_->cut();
    const v1::Hello hello = coordinator_->hello(attempt);
    ASSERT_EQ(hello.held_size(), 1);
    EXPECT_EQ(hello.held(0).task(), 1);
    EXPECT_EQ(hello.held(0).epoch(), 1);
    EXPECT_TRUE(coordinator_->result(1).has_value());
  }
  // It is named in heartbeats until the Ack, and forgotten then.
  EXPECT_TRUE(
      coordinator_->await([](const auto &one) { return one.has_heartbeat() && one.heartbeat().held_size() == 1; }));
  coordinator_->acknowledge(1, 1);
  EXPECT_TRUE(
      coordinator_->await([](const auto &one) { return one.has_heartbeat() && one.heartbeat().held_size() == 0; }));
  coordinator_->cut();
  EXPECT_EQ(coordinator_->hello(4).held_size(), 0);
  expectCleanEnd();
}

TEST_F(AgentTest, GoesOnWithItsWorkWhileTheConnectionIsBroken) {
  startBoth();
  v1::TaskSpec spec = runOf(sampleTar());
  spec.mutable_run()->mutable_options()->set_print_time(true);
  spec.mutable_run()->mutable_options()->set_number(100000000);
  coordinator_->grant(1, 1, spec, 60, 3);  // ends by its deadline
  awaitBusy(1);
  coordinator_->cut();
  const v1::Hello hello = coordinator_->hello(2);
  ASSERT_EQ(hello.held_size(), 1);
  const auto result = coordinator_->result(1, 3);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::WORK_FAILED);
  EXPECT_NE(result->result().sentence().find("deadline of 3 seconds"), std::string::npos);
  expectCleanEnd();
}

TEST_F(AgentTest, DropsWhatTheCoordinatorNoLongerKnowsAsItsOwn) {
  startBoth();
  coordinator_->grant(1, 1, runOf(hostileTar("loop")));
  awaitBusy(1);
  coordinator_->setDropped({heldLease(1, 1)});
  coordinator_->cut();
  coordinator_->hello(2);
  // The device is free again, and the old work's end is nobody's business.
  coordinator_->grant(2, 1, runOf(sampleTar()));
  EXPECT_TRUE(coordinator_->result(2).has_value());
  EXPECT_FALSE(coordinator_->hasResult(1));
  expectCleanEnd();
}

TEST_F(AgentTest, ARevokedLeaseEndsWithoutAResult) {
  startBoth();
  coordinator_->grant(1, 1, runOf(hostileTar("loop")));
  awaitBusy(1);
  coordinator_->revoke(1, 1);
  // Also one that waits for the slot, and one that is not there.
  coordinator_->grant(2, 1, runOf(hostileTar("loop")));
  coordinator_->grant(3, 1, runOf(hostileTar("loop")));
  coordinator_->revoke(3, 1);
  coordinator_->revoke(2, 1);
  coordinator_->revoke(99, 1);
  coordinator_->grant(4, 1, runOf(sampleTar()));
  EXPECT_TRUE(coordinator_->result(4).has_value());
  for (const int64_t task : {1, 2, 3}) EXPECT_FALSE(coordinator_->hasResult(task));
  expectCleanEnd();
}

TEST_F(AgentTest, ANewerEpochOfATaskEndsTheOlder) {
  startBoth();
  coordinator_->grant(1, 1, runOf(hostileTar("loop")));
  awaitBusy(1);
  coordinator_->grant(1, 2, runOf(sampleTar()));
  const auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->epoch(), 2);
  // The same message a second time is the same lease: nothing happens.
  coordinator_->grant(2, 1, runOf(sampleTar()));
  coordinator_->grant(2, 1, runOf(sampleTar()));
  EXPECT_TRUE(coordinator_->result(2).has_value());
  coordinator_->grant(3, 1, runOf(sampleTar()));
  EXPECT_TRUE(coordinator_->result(3).has_value());
  EXPECT_FALSE(coordinator_->hasResult(2));
  expectCleanEnd();
}

TEST_F(AgentTest, GoesOnWhenTheCoordinatorIsAwayForLongerThanTheLease) {
  startBoth();
  coordinator_->grant(1, 1, runOf(hostileTar("loop")), 1.0, 6.0);
  awaitBusy(1);
  coordinator_->stop();
  std::this_thread::sleep_for(std::chrono::seconds(2));
  coordinator_->start();
  EXPECT_EQ(coordinator_->hello(2).held_size(), 1);
  EXPECT_TRUE(coordinator_->result(1, 6).has_value()) << "it is offered: the coordinator decides";
  expectCleanEnd();
}

TEST_F(AgentTest, BringsAResultAgainWhenTheCoordinatorsDiskWasFull) {
  startBoth();
  coordinator_->setDiskFull(3, 0.1);
  coordinator_->grant(7, 2, runOf(sampleTar()));
  const auto result = coordinator_->result(7);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::DONE) << result->result().sentence();
  EXPECT_EQ(coordinator_->refusedUploads(), 3);
  EXPECT_EQ(coordinator_->lastUpload().task(), 7) << "whose result it is";
  EXPECT_EQ(coordinator_->lastUpload().epoch(), 2);
  expectCleanEnd();
}

TEST_F(AgentTest, GivesWorkBackWhoseResultCannotBeBroughtInTime) {
  startBoth();
  coordinator_->setDiskFull(1000, 0.5);
  coordinator_->grant(1, 1, runOf(sampleTar()), 60, 3);
  const auto result = coordinator_->result(1, 3);
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->is_workers_fault()) << "the job is not to fail by it: " << result->result().sentence();
  // What will not pass is the work's end.
  coordinator_->setDiskFull(1000, 0);
  coordinator_->grant(2, 1, runOf(sampleTar()));
  const auto hopeless = coordinator_->result(2);
  ASSERT_TRUE(hopeless.has_value());
  EXPECT_FALSE(hopeless->is_workers_fault());
  EXPECT_NE(hopeless->result().outcome(), v1::Result::DONE);
  expectCleanEnd();
}

TEST_F(AgentTest, DialsAgainWhenTheCoordinatorIsSilent) {
  startBoth({.silenceSeconds = kSoon, .answersHeartbeats = false});
  EXPECT_NO_THROW(coordinator_->hello(3));
  EXPECT_NE(worker_->log().find("silent"), std::string::npos);
  coordinator_->setAnswersHeartbeats(true);
  expectCleanEnd();
}

TEST_F(AgentTest, WaitsForACoordinatorThatIsNotThereYet) {
  startCoordinator();
  coordinator_->stop();
  worker_ = std::make_unique<WorkerProgram>(folder_, coordinator_->address(),
                                            std::vector<std::string>{"--roles", "device", "--key", "k"});
  coordinator_->follow(worker_.get());
  EXPECT_TRUE(eventually([&] { return worker_->log().find("not attached") != std::string::npos; }));
  coordinator_->start();
  EXPECT_NO_THROW(coordinator_->hello(1));
  expectCleanEnd();
}

TEST_F(AgentTest, AFarewellForGoodEndsIt) {
  startBoth();
  v1::CoordinatorMessage message;
  message.mutable_farewell()->set_reason("your version is too old");
  coordinator_->send(message);
  EXPECT_EQ(worker_->wait(), 6) << worker_->log();
  EXPECT_NE(worker_->log().find("your version is too old"), std::string::npos);
}

TEST_F(AgentTest, DrainsOnTheFirstSignal) {
  startBoth({.acknowledges = false});
  v1::TaskSpec spec = runOf(sampleTar());
  spec.mutable_run()->mutable_options()->set_print_time(true);
  spec.mutable_run()->mutable_options()->set_number(100000000);
  coordinator_->grant(1, 1, spec, 60, 2);
  awaitBusy(1);
  worker_->signal(SIGTERM);
  EXPECT_TRUE(coordinator_->await([](const auto &one) { return one.has_goodbye(); }).has_value());
  // What it holds is finished, and its result brought home, also over a break.
  EXPECT_TRUE(coordinator_->result(1, 2).has_value());
  coordinator_->cut();
  EXPECT_EQ(coordinator_->hello(2).held_size(), 1);
  EXPECT_TRUE(coordinator_->await([](const auto &one) { return one.has_goodbye(); }).has_value());
  EXPECT_TRUE(coordinator_->result(1).has_value());
  EXPECT_EQ(worker_->wait(0.3), std::nullopt) << "it left before its result was acknowledged";
  coordinator_->acknowledge(1, 1);
  EXPECT_EQ(worker_->wait(), 0);
  EXPECT_EQ(worker_->litter(), std::vector<std::string>());
}

TEST_F(AgentTest, DoesALeaseThatWasOnItsWayWhenItSaidGoodbye) {
  startBoth({.answersGoodbyes = false});
  worker_->signal(SIGTERM);
  EXPECT_TRUE(coordinator_->await([](const auto &one) { return one.has_goodbye(); }).has_value());
  coordinator_->grant(1, 1, runOf(sampleTar()));
  const auto result = coordinator_->result(1, 10);
  ASSERT_TRUE(result.has_value()) << worker_->log();
  EXPECT_EQ(result->result().outcome(), v1::Result::DONE);
  // One that never hears an answer leaves all the same.
  EXPECT_EQ(worker_->wait(10), 0) << worker_->log();
}

TEST_F(AgentTest, StopsAtOnceOnTheSecondSignal) {
  startBoth();
  coordinator_->grant(1, 1, runOf(hostileTar("loop")));
  awaitBusy(1);
  const std::vector<pid_t> children = worker_->children();
  EXPECT_FALSE(children.empty());
  worker_->signal(SIGTERM);
  EXPECT_TRUE(coordinator_->await([](const auto &one) { return one.has_goodbye(); }).has_value());
  worker_->signal(SIGTERM);
  EXPECT_EQ(worker_->wait(), 130);
  EXPECT_EQ(worker_->litter(), std::vector<std::string>());
  for (const pid_t child : children) EXPECT_NE(kill(child, 0), 0) << "a child lives on";
}

TEST_F(AgentTest, KilledItTakesItsChildrenAlongAndTheNextOneCleansUp) {
  startBoth();
  coordinator_->grant(1, 1, runOf(hostileTar("loop")));
  awaitBusy(1);
  const std::vector<pid_t> children = worker_->children();
  worker_->signal(SIGKILL);
  EXPECT_EQ(worker_->wait(), 1000 + SIGKILL);
  for (const pid_t child : children)
    EXPECT_TRUE(eventually([child] { return kill(child, 0) != 0; })) << "a child lives on";
  EXPECT_FALSE(worker_->litter().empty());
  startWorker();
  expectCleanEnd();
}

TEST_F(AgentTest, GoesOnWithBrokenTransfersAndRepeatsDamagedOnes) {
  startBoth();
  const std::string tar = sampleTar();
  const v1::TaskSpec spec = runOf(tar);
  coordinator_->setNextTransfersBroken();
  coordinator_->grant(1, 1, spec);
  auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::DONE) << result->result().sentence();
  EXPECT_EQ(coordinator_->blob(result->outputs()).size(), static_cast<size_t>(result->outputs().size_bytes()));
  EXPECT_EQ(coordinator_->downloads(), 2);
  // Another artifact: fetched damaged, then whole.
  coordinator_->setNextDownloadDamaged();
  coordinator_->grant(2, 1, runOf(tar + std::string(512, '\0')));
  result = coordinator_->result(2);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(coordinator_->downloads(), 4);
  expectCleanEnd();
}

TEST_F(AgentTest, AMissingBlobIsSaid) {
  startBoth();
  v1::TaskSpec spec = runOf(sampleTar());
  spec.mutable_run()->mutable_artifact()->set_sha256(std::string(64, 'a'));
  coordinator_->grant(1, 1, spec);
  const auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::UNAVAILABLE);
  EXPECT_EQ(result->result().sentence(), "there is no such blob");
  EXPECT_FALSE(result->is_workers_fault());
  expectCleanEnd();
}

TEST_F(AgentTest, OnThePrivateCoordinatorFilesTravelByPath) {
  startBoth({.privateFolder = folder_ + "/private"});
  coordinator_->grant(1, 1, runOf(sampleTar()));
  auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::DONE) << result->result().sentence();
  EXPECT_EQ(coordinator_->blob(result->outputs()).substr(0, 2), "PK");
  EXPECT_EQ(coordinator_->downloads(), 0);
  // The answer to an import is lost.
  coordinator_->setNextTransfersBroken();
  coordinator_->grant(2, 1, runOf(sampleTar()));
  result = coordinator_->result(2);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->result().outcome(), v1::Result::DONE) << result->result().sentence();
  expectCleanEnd();
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/private/staging"));
}

TEST_F(AgentTest, AWorkOfAnotherRoleIsTheWorkersFault) {
  startBoth();
  v1::TaskSpec spec;
  *spec.mutable_compile()->mutable_model() = coordinator_->putBlob("model");
  coordinator_->grant(1, 1, spec);
  const auto result = coordinator_->result(1);
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result->is_workers_fault());
  EXPECT_EQ(result->result().sentence(), "this worker is no builder");
  expectCleanEnd();
}

TEST_F(AgentTest, TwoWorkersDoNotShareAFolder) {
  startBoth();
  const auto [code, text] = runProgram(
      {HONE_TEST_LIGHT_WORKER, "--server", coordinator_->address(), "--key", "k", "--data", folder_ + "/data"});
  EXPECT_EQ(code, 5);
  EXPECT_NE(text.find("another hone-worker has it; give another one with --data"), std::string::npos) << text;
  expectCleanEnd();
}

TEST(Options, AreRefusedWithASentence) {
  const auto complaint = [](std::vector<std::string> words, const char *program = HONE_TEST_LIGHT_WORKER) {
    words.insert(words.begin(), program);
    const auto [code, text] = runProgram(words);
    EXPECT_EQ(code, 2) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
    return text;
  };
  const std::string local = "127.0.0.1:9190";
  EXPECT_EQ(complaint({}), "error: expected --server ADDRESS (or HONE_SERVER), the coordinator to work for\n");
  EXPECT_EQ(complaint({"--server", local, "--roles", "builder"}),
            "error: this hone-worker was built without the compiler and cannot be a builder; give --roles device\n");
  EXPECT_EQ(complaint({"--server", local, "--roles", "cook"}),
            "error: unknown role 'cook'; roles are builder, device\n");
  EXPECT_NE(complaint({"--server", local}).find("a device needs --key KEY"), std::string::npos);
  EXPECT_NE(complaint({"--server", local, "--key", "a b"}).find("--key 'a b' is not"), std::string::npos);
  EXPECT_NE(complaint({"--server", "farm:9190", "--key", "k"}).find("ssh -L 9190:127.0.0.1:9190 farm"),
            std::string::npos);
  EXPECT_NE(complaint({"--server", "farm", "--key", "k"}).find("ssh -L 9190:127.0.0.1:9190 farm"), std::string::npos);
  EXPECT_NE(complaint({"--server", "farm:x", "--key", "k"}).find("is no address"), std::string::npos);
  EXPECT_NE(complaint({"--server", "unix:/" + std::string(200, 'a'), "--key", "k"}).find("is no address"),
            std::string::npos);
  complaint({"--server", local, "--key", "k", "--slots", "0"});
  complaint({"--bogus"});
}

}  // namespace
}  // namespace hone::test
