#include "client/service/service_error.h"

#include <grpcpp/support/status.h>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "common/address.h"
#include "hone/v1/server.pb.h"

namespace hone::client {

namespace {

constexpr char kReason[] = "hone.v1.ErrorDetail.reason";

// The codes by which exit codes are chosen (failure.h).
absl::StatusCode codeOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE:
      return absl::StatusCode::kInvalidArgument;
    case grpc::StatusCode::NOT_FOUND:
      return absl::StatusCode::kNotFound;
    case grpc::StatusCode::CANCELLED:
      return absl::StatusCode::kCancelled;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return absl::StatusCode::kPermissionDenied;
    case grpc::StatusCode::INTERNAL:
      return absl::StatusCode::kInternal;
    default:
      // A quota, a full disk, damaged storage, a deadline, a version too old: the server cannot be had for this.
      return absl::StatusCode::kUnavailable;
  }
}

std::string unreachable(const grpc::Status &status, const Endpoint &endpoint) {
  const std::string what = absl::StrCat("cannot reach ", endpoint.name(), ": ", status.error_message());
  if (endpoint.isPrivate()) return absl::StrCat(what, "; `hone server status` says how it is");
  if (const auto address = parseAddress(endpoint.address); address.ok() && !address->isLocal())
    return absl::StrCat(what, "; without TLS a server listens on its own machine only: forward its port with `ssh -L ",
                        kDefaultPort, ":127.0.0.1:", kDefaultPort, " HOST` and use --server localhost");
  return absl::StrCat(what, "; start hone-server there, or leave ",
                      endpoint.origin.empty() ? "--server" : endpoint.origin, " out to use this machine alone");
}

}  // namespace

absl::Status fromService(const grpc::Status &status, const Endpoint &endpoint) {
  if (status.ok()) return absl::OkStatus();
  v1::ErrorDetail detail;
  const bool isOurs = !status.error_details().empty() && detail.ParseFromString(status.error_details());
  std::string sentence = status.error_message();
  if (!isOurs && status.error_code() == grpc::StatusCode::UNAVAILABLE) sentence = unreachable(status, endpoint);
  if (!isOurs && status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
    sentence =
        absl::StrCat(endpoint.name(), " did not answer in time; `hone doctor", endpoint.flags, "` looks into it");
  if (!isOurs && status.error_code() == grpc::StatusCode::UNIMPLEMENTED)
    sentence = absl::StrCat(endpoint.name(), " does not know this call; install the same version of hone there");
  if (isOurs && !detail.remedy().empty() && sentence.find(detail.remedy()) == std::string::npos)
    absl::StrAppend(&sentence, "; ", detail.remedy());
  if (isOurs && !detail.request_id().empty() && status.error_code() == grpc::StatusCode::INTERNAL)
    absl::StrAppend(&sentence, " (request ", detail.request_id(), " in the server's log)");
  if (sentence.empty()) sentence = absl::StrCat(endpoint.name(), " answered with code ", status.error_code());
  absl::Status result(codeOf(status.error_code()), sentence);
  if (isOurs && !detail.reason().empty()) result.SetPayload(kReason, absl::Cord(detail.reason()));
  return result;
}

std::string reasonOf(const absl::Status &status) {
  const auto reason = status.GetPayload(kReason);
  return reason.has_value() ? std::string(*reason) : std::string();
}

bool isPassing(const grpc::Status &status) {
  v1::ErrorDetail detail;
  if (!status.error_details().empty() && detail.ParseFromString(status.error_details()))
    return detail.retry_seconds() > 0;
  return status.error_code() == grpc::StatusCode::UNAVAILABLE;
}

}  // namespace hone::client
