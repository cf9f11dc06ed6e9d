// Workers as people see them: listings, and draining.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/error_detail.h"
#include "server/engine/workers.h"

namespace hone::server {
namespace {

constexpr int kDefaultPage = 100;
constexpr int kMaxPage = 1000;
constexpr absl::string_view kTokenPrefix = "after:";

}  // namespace

v1::Worker Workers::describe(const WorkerRow &row) const {
  v1::Worker worker;
  worker.set_name(row.name);
  worker.set_key(row.key);
  for (const v1::Role role : row.roles) worker.add_roles(role);
  *worker.mutable_target() = row.target;
  worker.set_version(row.version);
  worker.set_seen_micros(row.seenMicros);
  worker.set_completed(row.completed);
  worker.set_failures(row.failures);
  worker.set_reason(row.reason);
  const Session *session = std::as_const(state_.fleet).find(row.name);
  if (session == nullptr) {
    worker.set_state(v1::WORKER_GONE);
  } else if (row.isQuarantined) {
    worker.set_state(v1::WORKER_QUARANTINED);
  } else if (const Fleet::Setbacks *setbacks = state_.fleet.setbacksOf(row.name);
             setbacks != nullptr && setbacks->heldUntil) {
    worker.set_state(v1::WORKER_HELD_BACK);
    worker.set_reason(
        absl::StrCat("gave work back ", setbacks->inARow, " times in a row; the last time: ", setbacks->reason));
    worker.set_held_back_seconds(absl::ToDoubleSeconds(*setbacks->heldUntil - state_.now));
  } else if (row.isDraining || session->isLeaving) {
    worker.set_state(v1::WORKER_DRAINING);
  } else {
    worker.set_state(v1::WORKER_READY);
  }
  if (session != nullptr) {
    for (const TaskKind *kind : state_.parts.kinds->of(session->hello)) {
      v1::KindVersion &known = *worker.add_kinds();
      known.set_kind(kind->name);
      known.set_version(kind->version);
    }
    worker.set_peer(session->peer);
    worker.set_slots(state_.fleet.slotsOf(row.name));
    worker.set_attached_micros(session->attachedMicros);
    worker.set_seen_micros(state_.nowMicros - absl::ToInt64Microseconds(state_.now - session->heard));
  }
  for (const Lease &lease : state_.leases.of(row.name)) {
    const LiveTask *live = state_.tasks.find(lease.task);
    if (live == nullptr) continue;
    v1::Holding &holding = *worker.add_holdings();
    holding.set_job(live->job->row.id);
    holding.set_user(live->job->row.user);
    holding.set_seconds(absl::ToDoubleSeconds(state_.now - lease.granted));
  }
  return worker;
}

absl::Status Workers::list(const v1::ListWorkersRequest &request, const Callback<v1::ListWorkersResponse> &done) {
  absl::string_view after = request.page_token();
  if (!after.empty() && !absl::ConsumePrefix(&after, kTokenPrefix)) {
    state_.answer<v1::ListWorkersResponse>(
        done, absl::InvalidArgumentError("the page token is not one that a page before gave; begin without one"));
    return absl::OkStatus();
  }
  const int64_t since = state_.nowMicros - absl::ToInt64Microseconds(state_.policy.keepKeys);
  const int most = request.page_size() <= 0 ? kDefaultPage : std::min<int>(request.page_size(), kMaxPage);
  v1::ListWorkersResponse response;
  const auto &rows = state_.fleet.rows();
  for (auto at = rows.upper_bound(std::string(after)); at != rows.end(); ++at) {
    const WorkerRow &row = at->second;
    if (!request.key().empty() && row.key != request.key()) continue;
    const bool isForgotten = std::as_const(state_.fleet).find(row.name) == nullptr && row.seenMicros < since;
    if (isForgotten) continue;
    if (response.workers_size() == most) {
      response.set_next_page_token(absl::StrCat(kTokenPrefix, response.workers(most - 1).name()));
      break;
    }
    *response.add_workers() = describe(row);
  }
  addQueues(request.key(), response);
  state_.answer<v1::ListWorkersResponse>(done, std::move(response));
  return absl::OkStatus();
}

void Workers::addQueues(const std::string &key, v1::ListWorkersResponse &response) const {
  std::map<std::string, Fleet::KeyCount> counts = state_.fleet.counts();
  for (const std::string &waiting : state_.queue.allKeys()) counts.try_emplace(waiting);
  for (const auto &[name, count] : counts) {
    if (!key.empty() && name != key) continue;
    v1::KeyQueue &queue = *response.add_queues();
    queue.set_key(name);
    queue.set_total(count.workers);
    queue.set_free(count.free);
    queue.set_pending(static_cast<int32_t>(state_.queue.waiting(name)));
    const std::optional<int64_t> oldest = state_.queue.oldest(name);
    const LiveTask *live = oldest ? state_.tasks.find(*oldest) : nullptr;
    if (live != nullptr) queue.set_oldest_seconds(absl::ToDoubleSeconds(state_.now - live->ready));
  }
}

absl::Status Workers::drain(const v1::DrainRequest &request, const Callback<v1::Worker> &done) {
  WorkerRow *row = state_.fleet.row(request.name());
  if (row == nullptr) {
    state_.answer<v1::Worker>(done,
                              withDetail(absl::NotFoundError(absl::StrCat("no worker has the name '", request.name(),
                                                                          "'; 'hone devices list' shows the names")),
                                         "UNKNOWN_WORKER", "use a name that 'hone devices list' shows"));
    return absl::OkStatus();
  }
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  row->isDraining = !request.undo();
  row->reason = request.undo() ? std::string() : request.reason();
  if (request.undo()) {
    row->isQuarantined = false;
    row->strikes = 0;
    state_.fleet.completed(row->name);
  }
  if (absl::Status status = state_.parts.store->putWorker(*row); !status.ok()) return status;
  state_.fleet.standingChanged(row->name);
  state_.answer<v1::Worker>(done, describe(*row));
  return absl::OkStatus();
}

}  // namespace hone::server
