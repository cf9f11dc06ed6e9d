#include "client/result_status.h"

#include "absl/strings/str_cat.h"

namespace hone::client {

absl::Status statusOf(const v1::Result &result, const std::string &subject) {
  const std::string sentence = subject.empty() ? result.sentence() : absl::StrCat(subject, ": ", result.sentence());
  switch (result.outcome()) {
    case v1::Result::DONE:
      return absl::OkStatus();
    // The option is at fault, not the file.
    case v1::Result::WRONG_USAGE:
      return absl::InvalidArgumentError(result.sentence());
    case v1::Result::INPUT_REFUSED:
      return absl::DataLossError(sentence);
    case v1::Result::UNAVAILABLE:
      return absl::UnavailableError(sentence);
    case v1::Result::NOT_ALLOWED:
      return absl::PermissionDeniedError(sentence);
    case v1::Result::DEFECT:
      return absl::InternalError(sentence);
    default:
      return absl::ResourceExhaustedError(sentence);
  }
}

}  // namespace hone::client
