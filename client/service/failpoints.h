// The client's failpoints. Constants.
#pragma once

#include <string_view>

#include "common/failpoint.h"

namespace hone::client {

/// Every place before or after a job's way goes on, for tests that visit each once.
inline constexpr std::string_view kFailpoints[] = {
    "client.upload.middle", "client.upload.done",     "client.submit.answered",
    "client.watch.heard",   "client.download.middle", "client.download.done",
};

}  // namespace hone::client
