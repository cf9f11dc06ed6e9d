// Digests of files. Functions without state.
#pragma once

#include "absl/status/statusor.h"
#include "hone/v1/blobs.pb.h"

namespace hone::worker {

/// Of the whole file that \p descriptor has open, whose position stays.
absl::StatusOr<v1::Digest> digestOf(int descriptor);

}  // namespace hone::worker
