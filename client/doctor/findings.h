// What `hone doctor` looks at. Each check adds findings; none fails by itself. Functions without state.
#pragma once

#include <string>
#include <vector>

#include "client/service/connection.h"
#include "client/service/endpoint.h"

namespace hone::client {

enum class Health { Good, Warning, Broken };

struct Finding {
  Health health = Health::Good;
  std::string check;  ///< stable, for programs: "server", "clock", …
  std::string found;  ///< a sentence
  std::string fix;    ///< what to do; empty when good
};

using Findings = std::vector<Finding>;

/// Folders, programs (which must be there when this machine does the work itself), contexts.
void checkMachine(bool worksHere, Findings &findings);
/// The private coordinator: whether it runs or could.
void checkPrivate(Findings &findings);
/// Versions, clock, disk, quota.
void checkServer(const Connection &connection, Findings &findings);
/// Builders, and the devices of each key.
void checkWorkers(Connection &connection, Findings &findings);

}  // namespace hone::client
