// What tests of the agent share: a fake coordinator, jobs, and a worker.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/runtime/sample_artifact.h"
#include "tests/worker/fake_coordinator.h"
#include "tests/worker/worker_program.h"

namespace hone::test {

/// The sample artifact around the module of the tests' CMake target hone_worker_test_module_NAME.
inline std::string hostileTar(const std::string &name) {
  const std::string module = readFile(std::string(HONE_TEST_HOSTILE_MODULES) + "/" + name + ".so");
  return tarOf({{"mod.so", module},
                {"mod.json", seal(sampleJson(module, sampleParameters()))},
                {"mod.params", sampleParameters()}});
}

class AgentTest : public testing::Test {
 protected:
  void startCoordinator(FakeCoordinator::Settings settings = {}) {
    coordinator_ = std::make_unique<FakeCoordinator>(folder_, std::move(settings));
  }
  void startWorker(std::vector<std::string> more = {"--roles", "device", "--key", "test"},
                   const std::string &program = HONE_TEST_LIGHT_WORKER) {
    const size_t hellos = coordinator_->hellos();
    worker_ = std::make_unique<WorkerProgram>(folder_, coordinator_->address(), std::move(more), program);
    coordinator_->follow(worker_.get());
    coordinator_->hello(hellos + 1);
  }
  void startBoth(FakeCoordinator::Settings settings = {}) {
    startCoordinator(std::move(settings));
    startWorker();
  }
  v1::TaskSpec runOf(const std::string &tar) {
    v1::TaskSpec spec;
    *spec.mutable_run()->mutable_artifact() = coordinator_->putBlob(tar);
    spec.mutable_run()->mutable_options()->set_threads(1);
    return spec;
  }
  /// Waits for a child that is at work on a lease.
  void awaitBusy(int64_t task) {
    ASSERT_TRUE(coordinator_
                    ->await([task](const v1::WorkerMessage &one) {
                      return one.has_progress() && one.progress().task() == task;
                    })
                    .has_value());
  }
  void startProber(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--roles", "builder", "--slots", "1"});
    startWorker(std::move(more), HONE_TEST_PROBE_WORKER);
  }
  /// Ends the worker as systemd does, and looks whether it leaves anything.
  void expectCleanEnd() {
    worker_->signal(SIGTERM);
    EXPECT_EQ(worker_->wait(), 0) << worker_->log();
    EXPECT_EQ(worker_->litter(), std::vector<std::string>());
  }

  const std::string folder_ = temporaryFolder();
  std::unique_ptr<FakeCoordinator> coordinator_;
  std::unique_ptr<WorkerProgram> worker_;
};

}  // namespace hone::test
