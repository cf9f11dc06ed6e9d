#include "server/engine/retention.h"

#include <utility>

namespace hone::server {
namespace {

constexpr int64_t kJobsPerStep = 200;
constexpr int64_t kBlobsPerScan = 500;
constexpr absl::Duration kBelievedJump = absl::Hours(1);
constexpr absl::Duration kDoubtFor = absl::Hours(24);

}  // namespace

int64_t Retention::trustedNow() {
  const int64_t lead = state_.nowMicros - absl::ToInt64Microseconds(state_.now);
  const bool isBelieved = !lead_ || lead - *lead_ < absl::ToInt64Microseconds(kBelievedJump) ||
                          (doubtedSince_ && state_.now - *doubtedSince_ >= kDoubtFor);
  if (isBelieved) {
    lead_ = lead;
    doubtedSince_.reset();
  } else if (!doubtedSince_) {
    doubtedSince_ = state_.now;
  }
  return *lead_ + absl::ToInt64Microseconds(state_.now);
}

absl::StatusOr<bool> Retention::removeOldJobs() {
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  const int64_t before = trustedNow() - absl::ToInt64Microseconds(state_.policy.keepJobs);
  const absl::StatusOr<int64_t> removed = state_.parts.store->removeEndedJobs(before, kJobsPerStep);
  if (!removed.ok()) return removed.status();
  return *removed == kJobsPerStep;
}

absl::Status Retention::removeOldWorkers() {
  const int64_t before = trustedNow() - absl::ToInt64Microseconds(state_.policy.keepJobs);
  if (!state_.fleet.forgetUnseen(before)) return absl::OkStatus();
  if (absl::Status status = state_.group->change(); !status.ok()) return status;
  return state_.parts.store->removeWorkers(before);
}

void Retention::collectBlobs() {
  if (isScanning_) return;
  isScanning_ = true;
  used_.clear();
  const int64_t before = trustedNow() - absl::ToInt64Microseconds(state_.policy.blobGrace);
  const int64_t cacheBefore = trustedNow() - absl::ToInt64Microseconds(state_.policy.keepCache);
  files_.run([this, before, cacheBefore] {
    absl::StatusOr<std::vector<v1::Digest>> found =
        state_.parts.store->unreferencedBlobs(before, kBlobsPerScan, cacheBefore);
    if (!found.ok()) found = std::vector<v1::Digest>();  // the next scan tries again
    state_.post({.apply = [this, found = *std::move(found)] {
      removeFiles(found);
      return absl::OkStatus();
    }});
  });
}

void Retention::removeFiles(const std::vector<v1::Digest> &found) {
  std::vector<v1::Digest> garbage;
  for (const v1::Digest &digest : found) {
    if (used_.contains(digest.sha256())) continue;
    garbage.push_back(digest);
    doomed_.insert(digest.sha256());
  }
  isScanning_ = !garbage.empty();
  used_.clear();
  if (garbage.empty()) return;
  const bool wasMany = static_cast<int64_t>(found.size()) == kBlobsPerScan;
  files_.run([this, garbage = std::move(garbage), wasMany] {
    std::vector<v1::Digest> removed;
    for (const v1::Digest &digest : garbage) {
      const absl::Status status = state_.parts.blobs->remove(digest);
      if (status.ok() || absl::IsNotFound(status)) removed.push_back(digest);
    }
    state_.post({.apply = [this, removed, wasMany] { return removeRows(removed, wasMany); },
                 .ifUndone = Command::IfUndone::RepeatedLater});
  });
}

absl::Status Retention::removeRows(const std::vector<v1::Digest> &removed, bool wasMany) {
  if (!removed.empty()) {
    if (absl::Status status = state_.group->change(); !status.ok()) return status;
  }
  for (const v1::Digest &digest : removed) {
    if (absl::Status status = state_.parts.store->removeBlob(digest); !status.ok()) return status;
  }
  state_.group->after([this, wasMany] {
    doomed_.clear();
    isScanning_ = false;
    if (wasMany) collectBlobs();
  });
  return absl::OkStatus();
}

void Retention::sweepUploads() {
  const int64_t seconds = absl::ToInt64Seconds(state_.policy.blobGrace);
  files_.run([blobs = state_.parts.blobs, seconds] { blobs->sweepUploads(seconds); });
}

}  // namespace hone::server
