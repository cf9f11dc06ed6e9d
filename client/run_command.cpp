// hone run: the runtime's tool, in this process; or, with a tracker or key, on a device of a coordinator.
#include <chrono>
#include <functional>
#include <iostream>
#include <optional>
#include <vector>

#include "client/commands.h"
#include "client/failure.h"
#include "client/run_remote.h"
#include "common/core_lock.h"
#include "runtime/tools/run_tool.h"

namespace hone::client {

namespace {

constexpr std::chrono::milliseconds kLong{2000};

// Keeps builders of this machine away from our cores while something is measured.
class QuietCores {
 public:
  bool operator()(const runtime::Sleep &sleep) {
    if (hasBegun_) return measurement_.has_value() && measurement_->rest();
    hasBegun_ = true;
    auto measurement = begin(sleep);
    if (measurement.ok())
      measurement_.emplace(*std::move(measurement));
    else if (!absl::IsCancelled(measurement.status()))
      std::cerr << "note: others may build on these cores meanwhile: " << measurement.status().message() << "\n";
    return false;
  }

 private:
  static absl::StatusOr<Measurement> begin(const runtime::Sleep &sleep) {
    auto path = coreLockPath();
    if (!path.ok()) return path.status();
    auto lock = CoreLock::open(*path);
    if (!lock.ok()) return lock.status();
    return Measurement::begin(*std::move(lock), withSiblings(allowedCores()),
                              [sleep, waited = std::chrono::milliseconds()](std::chrono::milliseconds time) mutable {
                                if (waited < kLong && waited + time >= kLong)
                                  std::cerr << "note: waits until nothing is measured or built on these cores\n";
                                waited += time;
                                return sleep(time);
                              });
  }

  bool hasBegun_ = false;
  std::optional<Measurement> measurement_;
};

}  // namespace

int runCommand(const Invocation &invocation) {
  auto remote = splitRunArguments(invocation.arguments);
  if (!remote.ok()) return report(remote.status());
  if (remote->isRemote && !remote->isHelp) return report(runRemotely(*remote));
  QuietCores quiet;
  const int code = runtime::runTool("hone run", remote->local, std::cout, std::cerr, std::ref(quiet));
  if (remote->isHelp) std::cout << remoteRunHelp();
  return code;
}

}  // namespace hone::client
