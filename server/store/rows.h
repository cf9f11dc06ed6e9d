// How messages and enumerations look in the database's rows. Functions without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace hone::server::sqlite {

/// As the CHECK constraints have it: "pending", …; "" for JOB_STATE_UNSPECIFIED.
const char *stateName(v1::JobState state);
v1::JobState stateOf(std::string_view name);
bool isFinal(v1::JobState state);

/// The target as text, the same for equal targets and no others: records are found by it.
std::string targetText(const v1::TargetDescription &target);

/// SHA-256 of what makes a record that record (task, target, threads, schedule, samples), 32 bytes.
std::string recordIdentity(const v1::Record &record);

std::string samplesToBytes(const v1::Record &record);
void samplesFromBytes(std::string_view bytes, v1::Record &record);

/// What a job's result names.
std::vector<v1::Digest> blobsOf(const v1::JobResult &result);

/// Columns of `job JOIN request`, for jobFromRow().
#define HONE_JOB_COLUMNS                                                                                           \
  "number, id, user, priority, label, state, submitted, started, ended, attempts, worker, last_sequence, result, " \
  "message, tasks, ended_tasks"
inline constexpr int kJobResult = 12, kJobMessage = 13;  // the columns of any length
/// DATA_LOSS when a message in it cannot be read.
absl::StatusOr<v1::Job> jobFromRow(const Use &use);

/// A page token: the last row of the page and what was asked for, so that it serves no other question.
std::string pageToken(int64_t last, std::string_view question);
absl::StatusOr<int64_t> lastOfToken(const std::string &token, std::string_view question);
/// INVALID_ARGUMENT for less than 0.
absl::StatusOr<int64_t> pageSize(int64_t asked);

/// DATA_LOSS for bytes that are no such message.
template <typename Message>
absl::Status parse(std::string_view bytes, Message &message) {
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::OkStatus();
  return absl::DataLossError("a message in the database cannot be read: look at it with 'hone-server fsck'");
}

}  // namespace hone::server::sqlite
