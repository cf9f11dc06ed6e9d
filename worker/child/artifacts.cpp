#include "worker/child/artifacts.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/core_lock.h"

namespace hone::worker {

std::string pathOf(int descriptor) { return absl::StrCat("/proc/self/fd/", descriptor); }

absl::Status checkFlag(const char *name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("--", name, " takes a whole number from ", low, " to ", high, ", not '", value, "'"));
}

runtime::FillMode fillModeOf(v1::Run::FillMode mode) {
  return mode == v1::Run::ZEROS  ? runtime::FillMode::Zeros
         : mode == v1::Run::ONES ? runtime::FillMode::Ones
                                 : runtime::FillMode::Random;
}

absl::Status statusOf(const runtime::Status &status, const Words &words) {
  const std::string sentence = absl::StrReplaceAll(status.message, words);
  switch (status.code) {
    case HONE_OK:
      return absl::OkStatus();
    case HONE_USAGE:
      return absl::FailedPreconditionError(sentence);
    case HONE_REFUSED:
      return absl::InvalidArgumentError(sentence);
    case HONE_UNAVAILABLE:
      return absl::UnavailableError(sentence);
    case HONE_INTERNAL:
      return absl::InternalError(sentence);
    default:
      return absl::ResourceExhaustedError(sentence);
  }
}

runtime::Rest restOf(int coreLockDescriptor) {
  if (coreLockDescriptor <= 0) return {};
  auto measurement = std::make_shared<std::optional<Measurement>>();
  return [measurement, coreLockDescriptor](const runtime::Sleep &sleep) {
    if (measurement->has_value()) return (*measurement)->rest();
    measurement->emplace(
        Measurement::resume(CoreLock(Descriptor(coreLockDescriptor)), withSiblings(allowedCores()), sleep));
    return false;
  };
}

}  // namespace hone::worker
