// The workers of a coordinator, all pages of them. Functions without state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/service/connection.h"
#include "hone/v1/fleet.pb.h"

namespace hone::client {

struct FleetList {
  std::vector<v1::Worker> workers;
  std::vector<v1::KeyQueue> queues;
};

/// \p key: of the devices wanted; empty: every worker.
absl::StatusOr<FleetList> listFleet(Connection &connection, const std::string &key);

bool isDevice(const v1::Worker &worker);
bool isBuilder(const v1::Worker &worker);

/// "known keys are a, b", or that there is none.
std::string namesOfKeys(const FleetList &fleet);

}  // namespace hone::client
