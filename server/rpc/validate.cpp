#include "server/rpc/validate.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/base/error_detail.h"
#include "server/kinds/fields.h"

namespace hone::server {

namespace {

constexpr size_t kMostPath = 4096;
constexpr size_t kMostText = 1 << 16;
constexpr int kMostRecords = 1000;
constexpr int kMostSamples = 10000;
constexpr int kMostThreads = 1 << 16;

absl::Status checkRecord(const v1::Record &record) {
  if (record.task().empty()) return absl::InvalidArgumentError("a record has no task");
  HONE_CHECK(checkLength("a record's task", record.task(), kMostText));
  if (!record.has_target()) return absl::InvalidArgumentError("a record has no target");
  HONE_CHECK(checkTarget("a record's target", record.target()));
  HONE_CHECK(checkRange("a record's threads", record.threads(), 1, kMostThreads));
  HONE_CHECK(checkLength("a record's schedule", record.schedule(), kMostText));
  HONE_CHECK(checkLength("a record's error", record.error(), kMostText));
  HONE_CHECK(checkLength("a record's origin", record.origin(), kMostPath));
  HONE_CHECK(checkRange("the number of a record's samples", record.sample_seconds_size(), 0, kMostSamples));
  for (const double seconds : record.sample_seconds())
    if (!std::isfinite(seconds) || seconds < 0)
      return absl::InvalidArgumentError("a record's sample is not a number of seconds of at least 0");
  if (record.sample_seconds().empty() == record.error().empty())
    return absl::InvalidArgumentError("a record has either samples or an error");
  return absl::OkStatus();
}

template <typename Request>
absl::Status checkRecordFilter(const Request &request) {
  HONE_CHECK(checkLength("task", request.task(), kMostText));
  if (request.has_target()) HONE_CHECK(checkTarget("target", request.target()));
  return checkRange("threads", request.threads(), 0, kMostThreads);
}

}  // namespace

// ------------------------------------------------------------------------------------------------------------- Blobs

absl::Status check(const v1::FindMissingRequest &request, const Site &site) {
  HONE_CHECK(checkRange("the number of digests", request.digests_size(), 0, site.limits.maxDigests));
  for (const v1::Digest &digest : request.digests()) HONE_CHECK(checkDigest(digest));
  return absl::OkStatus();
}

absl::Status check(const v1::UploadHeader &header, const Site &site) {
  HONE_CHECK(checkDigestField("digest", header.has_digest(), header.digest(), true));
  HONE_CHECK(checkId("upload_id", header.upload_id()));
  HONE_CHECK(checkRange("offset", header.offset(), 0, header.digest().size_bytes()));
  HONE_CHECK(checkRange("task", header.task(), 0, INT64_MAX));
  HONE_CHECK(checkRange("epoch", header.epoch(), 0, INT64_MAX));
  if (header.digest().size_bytes() > site.limits.maxBlobBytes)
    return withDetail(
        absl::ResourceExhaustedError(absl::StrCat("the blob has ", header.digest().size_bytes(),
                                                  " bytes, and a blob has at most ", site.limits.maxBlobBytes)),
        "TOO_LARGE", "ask the operator for a larger --max-blob-bytes");
  return absl::OkStatus();
}

absl::Status check(const v1::QueryUploadRequest &request, const Site &site) {
  HONE_CHECK(checkDigestField("digest", request.has_digest(), request.digest(), true));
  return checkId("upload_id", request.upload_id());
}

absl::Status check(const v1::DownloadRequest &request, const Site &site) {
  HONE_CHECK(checkDigestField("digest", request.has_digest(), request.digest(), true));
  return checkRange("offset", request.offset(), 0, request.digest().size_bytes());
}

absl::Status check(const v1::ImportRequest &request, const Site &site) {
  HONE_CHECK(checkLength("path", request.path(), kMostPath));
  if (!request.path().starts_with('/') || request.path().find('\0') != std::string::npos)
    return absl::InvalidArgumentError("path is not absolute");
  return checkDigestField("expected", request.has_expected(), request.expected(), false);
}

absl::Status check(const v1::LocateRequest &request, const Site &site) {
  return checkDigestField("digest", request.has_digest(), request.digest(), true);
}

// -------------------------------------------------------------------------------------------------------------- Jobs

absl::Status check(const v1::GetJobRequest &request, const Site &site) { return checkJobId(request.id()); }

absl::Status check(const v1::ListJobsRequest &request, const Site &site) {
  HONE_CHECK(checkPage(request.page_size(), request.page_token()));
  HONE_CHECK(checkLength("user", request.user(), kMostPath));
  HONE_CHECK(checkRange("the number of states", request.states_size(), 0, int64_t{v1::JobState_ARRAYSIZE} * 4));
  for (const int state : request.states())
    if (!v1::JobState_IsValid(state) || state == v1::JOB_STATE_UNSPECIFIED)
      return absl::InvalidArgumentError(absl::StrCat("states names ", state, ", which is no state of a job"));
  return absl::OkStatus();
}

absl::Status check(const v1::WatchRequest &request, const Site &site) {
  HONE_CHECK(checkJobId(request.id()));
  if (request.after_sequence() < 0) return absl::InvalidArgumentError("after_sequence is negative");
  return absl::OkStatus();
}

absl::Status check(const v1::CancelJobRequest &request, const Site &site) { return checkJobId(request.id()); }
absl::Status check(const v1::AttemptsRequest &request, const Site &site) { return checkJobId(request.id()); }

// ------------------------------------------------------------------------------------------------------------- Fleet

absl::Status check(const v1::ListWorkersRequest &request, const Site &site) {
  HONE_CHECK(checkPage(request.page_size(), request.page_token()));
  return request.key().empty() ? absl::OkStatus() : checkName("key", request.key());
}

absl::Status check(const v1::DrainRequest &request, const Site &site) {
  HONE_CHECK(checkName("name", request.name()));
  return checkLength("reason", request.reason(), kMostPath);
}

// ----------------------------------------------------------------------------------------------------------- Records

absl::Status check(const v1::QueryRecordsRequest &request, const Site &site) {
  HONE_CHECK(checkPage(request.page_size(), request.page_token()));
  return checkRecordFilter(request);
}

absl::Status check(const v1::ImportRecordsRequest &request, const Site &site) {
  HONE_CHECK(checkId("request_id", request.request_id()));
  HONE_CHECK(checkRange("the number of records", request.records_size(), 0, kMostRecords));
  for (const v1::Record &record : request.records()) HONE_CHECK(checkRecord(record));
  return absl::OkStatus();
}

absl::Status check(const v1::ExportRecordsRequest &request, const Site &site) { return checkRecordFilter(request); }

absl::Status check(const v1::SubmitRequest &request, const Site &site) {
  return checkSubmit(request, *site.kinds, absl::ToInt64Seconds(site.policy.maxJob));
}

// ------------------------------------------------------------------------------------------------------------ Server

absl::Status check(const v1::GetCapabilitiesRequest &request, const Site &site) { return absl::OkStatus(); }
absl::Status check(const v1::StopRequest &request, const Site &site) { return absl::OkStatus(); }

}  // namespace hone::server
