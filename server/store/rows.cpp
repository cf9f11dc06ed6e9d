#include "server/store/rows.h"

#include <array>
#include <bit>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/sha256.h"

namespace hone::server {

const char *nameOf(AttemptEnd end) {
  constexpr std::array<const char *, 6> kEnds = {"done", "failed", "lost", "expired", "cancelled", "returned"};
  return kEnds[static_cast<size_t>(end)];
}

namespace sqlite {
namespace {

constexpr std::array<const char *, 6> kStates = {"", "pending", "running", "succeeded", "failed", "cancelled"};

/// Its length before it: no two lists of texts look the same.
void appendText(std::string &to, std::string_view text) {
  absl::StrAppend(&to, text.size(), ":", absl::string_view(text.data(), text.size()), ";");
}

}  // namespace

const char *stateName(v1::JobState state) {
  const auto index = static_cast<size_t>(state);
  return index < kStates.size() ? kStates[index] : "";
}

v1::JobState stateOf(std::string_view name) {
  for (size_t index = 0; index < kStates.size(); ++index) {
    if (name == kStates[index]) return static_cast<v1::JobState>(index);
  }
  return v1::JOB_STATE_UNSPECIFIED;
}

bool isFinal(v1::JobState state) {
  return state == v1::JOB_SUCCEEDED || state == v1::JOB_FAILED || state == v1::JOB_CANCELLED;
}

std::string targetText(const v1::TargetDescription &target) {
  std::string text;
  appendText(text, target.triple());
  appendText(text, target.cpu());
  absl::StrAppend(&text, target.features_size(), ";");
  for (const std::string &feature : target.features()) appendText(text, feature);
  absl::StrAppend(&text, target.vector_bytes(), ";", target.vector_registers(), ";", target.l1_bytes(), ";");
  absl::StrAppend(&text, target.l2_bytes(), ";", target.l3_bytes(), ";", target.cores());
  return text;
}

std::string samplesToBytes(const v1::Record &record) {
  std::string bytes;
  for (const double sample : record.sample_seconds()) {
    const auto bits = std::bit_cast<uint64_t>(sample);
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(bits >> shift & 0xff));
  }
  return bytes;
}

void samplesFromBytes(std::string_view bytes, v1::Record &record) {
  for (size_t begin = 0; begin + 8 <= bytes.size(); begin += 8) {
    uint64_t bits = 0;
    for (size_t i = 0; i < 8; ++i) bits |= uint64_t{static_cast<unsigned char>(bytes[begin + i])} << (8 * i);
    record.add_sample_seconds(std::bit_cast<double>(bits));
  }
}

std::string recordIdentity(const v1::Record &record) {
  std::string text;
  appendText(text, record.task());
  appendText(text, targetText(record.target()));
  absl::StrAppend(&text, record.threads(), ";");
  appendText(text, record.schedule());
  appendText(text, samplesToBytes(record));
  return sha256Bytes(text);
}

std::vector<v1::Digest> blobsOf(const v1::JobResult &result) {
  std::vector<v1::Digest> digests = {result.artifact(), result.outputs()};
  std::erase_if(digests, [](const v1::Digest &digest) { return digest.sha256().empty(); });
  return digests;
}

absl::StatusOr<v1::Job> jobFromRow(const Use &use) {
  v1::Job job;
  job.set_id(use.text(1));
  job.set_user(use.text(2));
  job.set_priority(static_cast<int32_t>(use.integer(3)));
  job.set_label(use.text(4));
  job.set_state(stateOf(use.view(5)));
  job.set_submitted_micros(use.integer(6));
  job.set_started_micros(use.integer(7));
  job.set_ended_micros(use.integer(8));
  job.set_attempts(static_cast<int32_t>(use.integer(9)));
  job.set_worker(use.text(10));
  job.set_last_sequence(use.integer(11));
  job.set_tasks(static_cast<int32_t>(use.integer(14)));
  job.set_ended_tasks(static_cast<int32_t>(use.integer(15)));
  if (isFinal(job.state())) {
    if (absl::Status status = parse(use.view(kJobResult), *job.mutable_result()); !status.ok()) return status;
  }
  v1::SubmitRequest request;
  if (absl::Status status = parse(use.view(kJobMessage), request); !status.ok()) return status;
  *job.mutable_spec() = std::move(*request.mutable_spec());
  return job;
}

std::string pageToken(int64_t last, std::string_view question) {
  return absl::StrFormat(
      "%d-%s", last,
      sha256Hex(absl::StrCat(last, ";", absl::string_view(question.data(), question.size()))).substr(0, 16));
}

absl::StatusOr<int64_t> lastOfToken(const std::string &token, std::string_view question) {
  int64_t last = 0;
  const size_t dash = token.find('-');
  if (dash != std::string::npos && absl::SimpleAtoi(token.substr(0, dash), &last) && last > 0 &&
      pageToken(last, question) == token) {
    return last;
  }
  return absl::InvalidArgumentError(
      "the page token is not one that an answer to the same question gave: begin without one");
}

absl::StatusOr<int64_t> pageSize(int64_t asked) {
  if (asked < 0) return absl::InvalidArgumentError(absl::StrCat("page_size is ", asked, ", and must be at least 0"));
  if (asked == 0) return 100;
  return std::min<int64_t>(asked, 1000);
}

}  // namespace sqlite
}  // namespace hone::server
