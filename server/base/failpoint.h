// The coordinator's failpoints. Constants.
#pragma once

#include <string_view>

#include "common/failpoint.h"

namespace hone::server {

using hone::Failpoints;

/// Every place before or after something becomes durable or is said, for tests that visit each once.
inline constexpr std::string_view kFailpoints[] = {
    "store.commit.before", "store.commit.after", "engine.reply.before", "blob.write.before", "blob.rename.before",
    "blob.rename.after",   "blob.folder.synced", "fleet.lease.sent",    "fleet.ack.sent",
};

}  // namespace hone::server
