// How this worker reaches its coordinator: addresses, the channel's settings, what goes with every call. Functions
// without state.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace hone::worker {

/// "HOST:PORT" or "unix:/path" as gRPC takes it. INVALID_ARGUMENT for a host of another machine: there is no
/// encryption.
absl::Status checkAddress(const std::string &address);

std::shared_ptr<grpc::Channel> makeChannel(const std::string &address);

/// Who calls.
void identify(grpc::ClientContext &context, const std::string &name);

/// The code and the sentence, with the remedy if the server sent one.
absl::Status statusOf(const grpc::Status &status);

}  // namespace hone::worker
