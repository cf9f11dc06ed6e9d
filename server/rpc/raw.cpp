#include "server/rpc/raw.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "grpcpp/support/proto_buffer_reader.h"

namespace hone::server {

absl::Status decode(const grpc::ByteBuffer &bytes, google::protobuf::MessageLite &message) {
  grpc::ByteBuffer shared(bytes);  // of counted slices; the reader wants one to change
  grpc::ProtoBufferReader reader(&shared);
  if (!reader.status().ok() || !message.ParseFromZeroCopyStream(&reader))
    return absl::InvalidArgumentError(absl::StrCat("the request is not a valid ", message.GetTypeName()));
  return absl::OkStatus();
}

grpc::ByteBuffer encode(const google::protobuf::MessageLite &message) {
  const size_t size = message.ByteSizeLong();
  grpc_slice slice = grpc_slice_malloc(size);
  message.SerializeWithCachedSizesToArray(GRPC_SLICE_START_PTR(slice));
  const grpc::Slice owned(slice, grpc::Slice::STEAL_REF);
  return {&owned, 1};
}

}  // namespace hone::server
