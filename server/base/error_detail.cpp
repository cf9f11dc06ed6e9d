#include "server/base/error_detail.h"

#include <string>

#include "absl/strings/cord.h"

namespace hone::server {

namespace {

constexpr char kPayload[] = "type.googleapis.com/hone.v1.ErrorDetail";

}  // namespace

absl::Status withDetail(absl::Status status, std::string_view reason, std::string_view remedy, absl::Duration retry) {
  v1::ErrorDetail detail;
  detail.set_reason(std::string(reason));
  detail.set_remedy(std::string(remedy));
  detail.set_retry_seconds(absl::ToDoubleSeconds(retry));
  status.SetPayload(kPayload, absl::Cord(detail.SerializeAsString()));
  return status;
}

v1::ErrorDetail detailOf(const absl::Status &status) {
  v1::ErrorDetail detail;
  if (const auto payload = status.GetPayload(kPayload); payload && detail.ParseFromString(std::string(*payload)))
    return detail;
  if (absl::IsInvalidArgument(status)) {
    detail.set_reason("INVALID_REQUEST");
  } else {
    detail.set_reason(absl::StatusCodeToString(status.code()));
  }
  if (absl::IsUnavailable(status)) detail.set_retry_seconds(1);
  return detail;
}

}  // namespace hone::server
