#include "client/service/fleet_list.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/service/calls.h"

namespace hone::client {

absl::StatusOr<FleetList> listFleet(Connection &connection, const std::string &key) {
  FleetList fleet;
  v1::ListWorkersRequest request;
  request.set_page_size(1000);
  request.set_key(key);
  do {
    auto page = listWorkers(connection, request);
    if (!page.ok()) return page.status();
    fleet.workers.insert(fleet.workers.end(), page->workers().begin(), page->workers().end());
    fleet.queues.assign(page->queues().begin(), page->queues().end());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return fleet;
}

namespace {
bool has(const v1::Worker &worker, v1::Role role) {
  return std::find(worker.roles().begin(), worker.roles().end(), role) != worker.roles().end();
}
}  // namespace

bool isDevice(const v1::Worker &worker) { return has(worker, v1::ROLE_DEVICE); }
bool isBuilder(const v1::Worker &worker) { return has(worker, v1::ROLE_BUILDER); }

std::string namesOfKeys(const FleetList &fleet) {
  std::set<std::string> keys;
  for (const v1::Worker &worker : fleet.workers)
    if (isDevice(worker) && worker.state() != v1::WORKER_GONE) keys.insert(worker.key());
  if (keys.empty()) return "no device is attached: start hone-worker with --roles device there";
  return absl::StrCat("known keys are ", absl::StrJoin(keys, ", "));
}

}  // namespace hone::client
