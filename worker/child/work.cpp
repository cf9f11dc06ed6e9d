#include "worker/child/work.h"

#include <algorithm>
#include <exception>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "text/message.h"

namespace hone::worker {

namespace {

v1::Result::Outcome outcomeOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return v1::Result::DONE;
    case absl::StatusCode::kFailedPrecondition:
      return v1::Result::WRONG_USAGE;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kDataLoss:
      return v1::Result::INPUT_REFUSED;
    case absl::StatusCode::kResourceExhausted:
      return v1::Result::WORK_FAILED;
    case absl::StatusCode::kUnavailable:
      return v1::Result::UNAVAILABLE;
    case absl::StatusCode::kPermissionDenied:
      return v1::Result::NOT_ALLOWED;
    default:
      return v1::Result::DEFECT;
  }
}

absl::Status dispatch(const v1::Work &work, const std::vector<Kind> &kinds, const ReportProgress &progress, Kept &kept,
                      v1::Result &result) {
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const Kind &kind) { return kind.kind == work.kind_case(); });
  if (found != kinds.end()) return found->run(work, progress, kept, result);
  return absl::UnimplementedError("this hone-worker does not know that kind of work; install the one of your hone");
}

}  // namespace

v1::Result doWork(const v1::Work &work, const std::vector<Kind> &kinds, const ReportProgress &progress, Kept &kept) {
  v1::Result result;
  absl::Status status;
  try {
    status = dispatch(work, kinds, progress, kept, result);
  } catch (const std::bad_alloc &) {
    status = absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception &error) {
    status = absl::InternalError(absl::StrCat("an unexpected exception: ", error.what()));
  }
  if (!status.ok()) {
    result.Clear();
    result.set_outcome(outcomeOf(status.code()));
    result.set_sentence(std::string(status.message()));
  }
  // Models, artifacts and arrays have words of any bytes.
  text::makeUtf8(result);
  return result;
}

}  // namespace hone::worker
