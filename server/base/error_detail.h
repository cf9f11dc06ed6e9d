// What a status says besides its sentence, for programs: hone.v1.ErrorDetail, carried as a payload of absl::Status
// from whoever finds the error to the wire. Functions without state.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hone/v1/server.pb.h"

namespace hone::server {

/// \p status (not OK) with a reason (UPPER_CASE, stable: "MISSING_BLOB"), a remedy (a sentence; may be empty) and how
/// long a program waits before it repeats the call (0: it does not).
absl::Status withDetail(absl::Status status, std::string_view reason, std::string_view remedy = {},
                        absl::Duration retry = absl::ZeroDuration());

/// What withDetail() attached; else a reason made of the code ("NOT_FOUND", "INVALID_REQUEST"), and for UNAVAILABLE one
/// second before a repetition.
v1::ErrorDetail detailOf(const absl::Status &status);

}  // namespace hone::server
