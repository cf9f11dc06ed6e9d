// Strings in protobuf messages, which have to be UTF-8: a message with others is sent, and nobody can read it.
// Functions without state.
#pragma once

#include <google/protobuf/message.h>

#include "absl/status/status.h"

namespace hone::text {

/// INVALID_ARGUMENT, with the field and its text, when a string anywhere in \p message is not UTF-8.
absl::Status checkUtf8(const google::protobuf::Message &message);

/// Puts asUtf8() in the place of each string that is not UTF-8.
void makeUtf8(google::protobuf::Message &message);

}  // namespace hone::text
