// Messages as gRPC hands them over when it does not parse them itself. We parse, since gRPC answers a message that is
// none (truncated, of another type, not UTF-8) with UNIMPLEMENTED and no sentence. Functions without state.
#pragma once

#include "absl/status/status.h"
#include "google/protobuf/message_lite.h"
#include "grpcpp/support/byte_buffer.h"

namespace hone::server {

/// INVALID_ARGUMENT when the bytes are no such message.
absl::Status decode(const grpc::ByteBuffer &bytes, google::protobuf::MessageLite &message);

grpc::ByteBuffer encode(const google::protobuf::MessageLite &message);

}  // namespace hone::server
