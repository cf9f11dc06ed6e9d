// What a coordinator answered when it did not do what was asked: one sentence with the remedy. Functions without state.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/service/endpoint.h"

namespace grpc {
class Status;
}

namespace hone::client {

/// \p status as failure.h maps it to exit codes, with the sentence of its ErrorDetail. OK stays OK.
absl::Status fromService(const grpc::Status &status, const Endpoint &endpoint);

/// ErrorDetail.reason of what fromService() gave ("MISSING_BLOB"); empty when there was none.
std::string reasonOf(const absl::Status &status);

/// Whether the same call may succeed a little later: nobody answered, or the answer says so.
bool isPassing(const grpc::Status &status);

}  // namespace hone::client
