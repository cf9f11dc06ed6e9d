// What all work on a device has in common, whatever it runs: the options that say how inputs are made up, how often
// and on how many threads it runs; and blobs, each named once. Functions without state.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "hone/v1/blobs.pb.h"
#include "hone/v1/work.pb.h"
#include "server/kinds/fields.h"

namespace hone::server {

constexpr int64_t kMostRuns = 1 << 20;

absl::Status checkFillMode(v1::Run::FillMode mode);
/// 0 threads: what the machine allows.
absl::Status checkThreads(int64_t threads);

/// \p Options are those of a Run or a Bench. How often it repeats is for the kind to say.
template <typename Options>
absl::Status checkDeviceOptions(const Options &options) {
  HONE_CHECK(checkFillMode(options.fill_mode()));
  HONE_CHECK(checkRange("number", options.number(), 0, kMostRuns));
  HONE_CHECK(checkRange("warmup", options.warmup(), 0, kMostRuns));
  return checkThreads(options.threads());
}

/// Appends \p digest unless it is empty or there already.
void addBlob(std::vector<v1::Digest> &digests, const v1::Digest &digest);

}  // namespace hone::server
