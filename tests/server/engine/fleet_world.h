// The engine and the model of it, and what happens to both: after each group of changes what clients, workers and the
// store are told is what the model says. For one test's thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/server/engine/bench.h"
#include "tests/server/engine/failing_store.h"
#include "tests/server/engine/fleet_moves.h"
#include "tests/server/probe/probe.h"

namespace hone::server::testing {

/// The workers that there are.
const std::vector<std::string> &fleetNames();

Policy policyOf(const model::Rules &rules);

/// The engine, the model, and what happens to both.
class World {
 public:
  World();

  const model::Model &model() const { return model_; }

  /// False: the two disagree.
  bool perform(const model::Events &events);

  void fsck();

 private:
  void perform(model::Event event);
  bool act(model::Event &event);
  bool submit(model::Event &event);
  void sendItems(const model::Event &event, const v1::Lease &lease);
  void sendResult(const model::Event &event, const v1::Lease &lease);
  void heartbeat(const model::Event &event, const std::vector<v1::Lease> &leases);
  void compare(const std::map<std::string, std::vector<std::string>> &heard);
  void compareJob(const model::Job &job);
  void compareTasks();
  void compareWorkers();

  model::Model model_;
  FailingStore::Faults faults_;
  Bench bench_{policyOf(model_.rules), [this](Store *store) { return std::make_unique<FailingStore>(store, faults_); },
               nullptr, kindsWithProbe()};
  std::map<std::string, std::unique_ptr<TestWorker>> players_;
  std::map<std::string, v1::SubmitRequest> requests_;  // by job
  std::set<std::string> over_;                         // jobs that were found as they must be after their end
  v1::Digest artifact_;
};

}  // namespace hone::server::testing
