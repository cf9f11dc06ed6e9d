// What a request must look like before anybody looks at the service's state. Pure functions.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "hone/v1/jobs.pb.h"

namespace hone::server {

/// INVALID_ARGUMENT with the field, its value and what is allowed.
absl::Status checkSubmit(const v1::SubmitRequest &request);

/// The blobs that \p spec reads, each once.
std::vector<v1::Digest> blobsOf(const v1::JobSpec &spec);

}  // namespace hone::server
