// A worker's Result as this program reports it. A function without state.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "hone/v1/work.pb.h"

namespace hone::client {

/// \p subject: the file that the work was about, named before what was wrong with it; may be empty. A defect comes as
/// INTERNAL.
absl::Status statusOf(const v1::Result &result, const std::string &subject);

}  // namespace hone::client
