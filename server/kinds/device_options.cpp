#include "server/kinds/device_options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hone::server {

namespace {
constexpr int64_t kMostThreads = 1 << 16;
}

absl::Status checkFillMode(v1::Run::FillMode mode) {
  if (v1::Run::FillMode_IsValid(mode)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("fill_mode is ", static_cast<int>(mode), ", which is none of RANDOM, ZEROS, ONES"));
}

absl::Status checkThreads(int64_t threads) { return checkRange("threads", threads, 0, kMostThreads); }

void addBlob(std::vector<v1::Digest> &digests, const v1::Digest &digest) {
  const bool isKnown = std::any_of(digests.begin(), digests.end(),
                                   [&](const v1::Digest &other) { return other.sha256() == digest.sha256(); });
  if (!digest.sha256().empty() && !isKnown) digests.push_back(digest);
}

}  // namespace hone::server
