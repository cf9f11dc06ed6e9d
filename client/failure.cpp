#include "client/failure.h"

#include <cstdio>
#include <string>

#include "text/printable.h"

namespace hone::client {

ExitCode exitCode(const absl::Status &status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::Done;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::WrongUsage;
    case absl::StatusCode::kDataLoss:
      return ExitCode::InputRefused;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kUnavailable:
      return ExitCode::Unavailable;
    case absl::StatusCode::kPermissionDenied:
      return ExitCode::NotAllowed;
    case absl::StatusCode::kCancelled:
      return ExitCode::Interrupted;
    case absl::StatusCode::kInternal:
      return ExitCode::Defect;
    default:
      return ExitCode::WorkFailed;
  }
}

int report(const absl::Status &status) {
  if (!status.ok()) fprintf(stderr, "error: %s\n", text::printable(std::string(status.message())).c_str());
  return static_cast<int>(exitCode(status));
}

}  // namespace hone::client
