// How this worker reaches its coordinator: addresses, the channel's settings, what goes with every call. Functions
// without state.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/address.h"

namespace hone::worker {

/// The coordinator's. INVALID_ARGUMENT for what is none, and for a host of another machine: there is no encryption.
absl::StatusOr<Address> readAddress(const std::string &text);

std::shared_ptr<grpc::Channel> makeChannel(const std::string &address);

/// Who calls.
void identify(grpc::ClientContext &context, const std::string &name);

/// The code and the sentence, with the remedy if the server sent one.
absl::Status statusOf(const grpc::Status &status);
/// How long the server asks to wait before the call is repeated, by a status of statusOf(); 0: it does not ask for it.
double retrySecondsOf(const absl::Status &status);

}  // namespace hone::worker
