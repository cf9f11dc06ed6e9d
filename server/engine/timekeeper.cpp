#include "server/engine/timekeeper.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace hone::server {
namespace {

constexpr int kMostPerPass = 500;
constexpr absl::Duration kSilenceEvery = absl::Seconds(1);
constexpr absl::Duration kHousekeepingEvery = absl::Seconds(60);
constexpr absl::Duration kCollectionEvery = absl::Minutes(10);

}  // namespace

absl::StatusOr<bool> Timekeeper::pass() {
  int left = kMostPerPass;
  for (; left > 0; --left) {
    const Lease *lease = state_.leases.due(state_.now);
    if (lease == nullptr) break;
    if (absl::Status status = expire(Lease(*lease)); !status.ok()) return status;
  }
  for (; left > 0; --left) {
    const std::optional<int64_t> job = state_.deadlines.due(state_.now);
    if (!job) break;
    if (absl::Status status = overdue(*state_.jobs.find(*job)); !status.ok()) return status;
  }
  for (; left > 0; --left) {
    const std::optional<int64_t> task = state_.pauses.due(state_.now);
    if (!task) break;
    transitions_.enqueue(*state_.tasks.find(*task));
  }
  state_.fleet.endHoldings(state_.now);
  if (state_.now >= nextSilence_) {
    if (absl::Status status = checkSilence(); !status.ok()) return status;
    nextSilence_ = state_.now + kSilenceEvery;
  }
  if (state_.now < nextHousekeeping_) return left == 0;
  const absl::StatusOr<bool> more = housekeeping();
  if (!more.ok()) return more.status();
  return left == 0 || *more;
}

absl::Duration Timekeeper::next() const {
  absl::Duration next = std::min(nextSilence_, nextHousekeeping_);
  if (const std::optional<absl::Duration> lease = state_.leases.next()) next = std::min(next, *lease);
  for (const std::optional<absl::Duration> &due :
       {state_.deadlines.next(), state_.pauses.next(), state_.fleet.nextHoldingEnd()}) {
    if (due) next = std::min(next, *due);
  }
  return next;
}

void Timekeeper::hurry() { nextSilence_ = nextHousekeeping_ = nextCollection_ = -absl::InfiniteDuration(); }

absl::Status Timekeeper::expire(const Lease &lease) {
  const bool isSilent = lease.silentUntil <= lease.workUntil;
  const std::string detail =
      isSilent ? absl::StrCat("worker ", lease.worker, " did not renew its lease for ",
                              absl::FormatDuration(state_.policy.lease))
               : absl::StrCat("worker ", lease.worker, " went on for longer than the ",
                              absl::FormatDuration(state_.policy.maxWork), " that one attempt may take");
  if (const Session *session = state_.fleet.find(lease.worker)) {
    v1::CoordinatorMessage message;
    message.mutable_revoke()->set_task(lease.task);
    message.mutable_revoke()->set_epoch(lease.epoch);
    state_.group->after([link = session->link, message = std::move(message)] { link->send(message); });
  }
  return transitions_.giveBack(*state_.tasks.find(lease.task), kExpired, detail);
}

absl::Status Timekeeper::overdue(LiveJob &job) {
  const absl::Duration given = absl::Microseconds(job.row.deadlineMicros - job.row.submittedMicros);
  // Of many tasks the oldest is the one that keeps the job.
  const Task &task = state_.tasks.find(*job.tasks.begin())->task;
  const std::string where = task.isLeased ? absl::StrCat("worker ", task.worker, " was at it, attempt ", task.attempts)
                            : task.key.empty()
                                ? "it was waiting for a builder"
                                : absl::StrCat("it was waiting for a device with the key '", task.key, "'");
  return transitions_.fail(job,
                           absl::StrCat("the job did not end within its ", absl::FormatDuration(given), ": ", where,
                                        "; give it a longer deadline, or see 'hone devices list' for who is there"));
}

absl::Status Timekeeper::checkSilence() {
  for (const Session *session : state_.fleet.sessions()) {
    if (state_.now - session->heard < state_.policy.silence) continue;
    const std::string reason =
        absl::StrCat("nothing was heard for ", absl::FormatDuration(state_.now - session->heard));
    if (absl::Status status = workers_.detach(session->id, reason); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Timekeeper::writeWorkers() {
  for (const Session *session : state_.fleet.sessions()) {
    WorkerRow *row = state_.fleet.row(session->name());
    if (row == nullptr) continue;  // its hello is to be applied again
    row->seenMicros = state_.nowMicros - absl::ToInt64Microseconds(state_.now - session->heard);
    state_.unwrittenWorkers.insert(session->name());
  }
  if (state_.unwrittenWorkers.empty()) return absl::OkStatus();
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  for (const std::string &name : state_.unwrittenWorkers) {
    const WorkerRow *row = state_.fleet.row(name);
    if (row == nullptr) continue;
    if (absl::Status status = state_.parts.store->putWorker(*row); !status.ok()) return status;
  }
  state_.unwrittenWorkers.clear();
  return absl::OkStatus();
}

absl::StatusOr<bool> Timekeeper::housekeeping() {
  if (!isRemoving_) {
    if (absl::Status status = writeWorkers(); !status.ok()) return status;
    if (absl::Status status = retention_.removeOldWorkers(); !status.ok()) return status;
  }
  const absl::StatusOr<bool> more = retention_.removeOldJobs();
  if (!more.ok()) return more.status();
  isRemoving_ = *more;
  if (isRemoving_) return true;  // in the next group
  nextHousekeeping_ = state_.now + kHousekeepingEvery;
  if (state_.now < nextCollection_) return false;
  nextCollection_ = state_.now + kCollectionEvery;
  state_.group->after([this] {
    retention_.collectBlobs();
    retention_.sweepUploads();
  });
  return false;
}

}  // namespace hone::server
