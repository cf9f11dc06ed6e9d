// Whether a request is one: every field of every request, before anything is done with it. Whether it can be granted is
// for others. INVALID_ARGUMENT with a sentence that names the field. Functions without state.
#pragma once

#include "absl/status/status.h"
#include "hone/v1/blobs.pb.h"
#include "hone/v1/fleet.pb.h"
#include "hone/v1/jobs.pb.h"
#include "hone/v1/records.pb.h"
#include "hone/v1/server.pb.h"
#include "server/rpc/site.h"

namespace hone::server {

absl::Status check(const v1::FindMissingRequest &request, const Site &site);
absl::Status check(const v1::UploadHeader &header, const Site &site);
absl::Status check(const v1::QueryUploadRequest &request, const Site &site);
absl::Status check(const v1::DownloadRequest &request, const Site &site);
absl::Status check(const v1::ImportRequest &request, const Site &site);
absl::Status check(const v1::LocateRequest &request, const Site &site);

absl::Status check(const v1::SubmitRequest &request, const Site &site);
absl::Status check(const v1::GetJobRequest &request, const Site &site);
absl::Status check(const v1::ListJobsRequest &request, const Site &site);
absl::Status check(const v1::WatchRequest &request, const Site &site);
absl::Status check(const v1::CancelJobRequest &request, const Site &site);
absl::Status check(const v1::AttemptsRequest &request, const Site &site);

absl::Status check(const v1::ListWorkersRequest &request, const Site &site);
absl::Status check(const v1::DrainRequest &request, const Site &site);
/// One after Hello; \p isFirst: Hello itself.
absl::Status checkMessage(const v1::WorkerMessage &message, bool isFirst);

absl::Status check(const v1::QueryRecordsRequest &request, const Site &site);
absl::Status check(const v1::ImportRecordsRequest &request, const Site &site);
absl::Status check(const v1::ExportRecordsRequest &request, const Site &site);

absl::Status check(const v1::GetCapabilitiesRequest &request, const Site &site);
absl::Status check(const v1::StopRequest &request, const Site &site);

}  // namespace hone::server
