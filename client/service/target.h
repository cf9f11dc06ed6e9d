// The machine that code is made for, resolved once: from a target's text on this machine, or from the devices of a key.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/service/connection.h"
#include "hone/v1/work.pb.h"

namespace hone::client {

/// Asks hone-worker in a child; remembers the answer for this CPU, these programs and this \p text. Call it before
/// there are Interrupts: the child's wait has its own. INVALID_ARGUMENT for a target that does not exist.
absl::StatusOr<v1::TargetDescription> describeTarget(const std::string &text);

/// The target that all devices of \p key have. NOT_FOUND naming the known keys when nobody has it; INVALID_ARGUMENT
/// when they differ.
absl::StatusOr<v1::TargetDescription> targetOfKey(Connection &connection, const std::string &key);

/// "llvm -mtriple=… -mcpu=…", for messages and listings.
std::string shortText(const v1::TargetDescription &target);

}  // namespace hone::client
