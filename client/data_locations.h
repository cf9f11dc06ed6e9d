// Which files beside it an ONNX model names as those of its tensors' data (external data). The client parses no model:
// it only goes over the bytes as protobuf frames them, in small memory, and takes those names. Whether the model is
// one is for a worker to say. A function without state.
#pragma once

#include <google/protobuf/io/zero_copy_stream.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hone::client {

/// Sorted, each once, none of them empty; nothing is known of them but their length and that they are UTF-8 without
/// NUL. None when \p model is damaged. DATA_LOSS with a sentence when they are too many or no names.
absl::StatusOr<std::vector<std::string>> dataLocations(google::protobuf::io::ZeroCopyInputStream &model);

}  // namespace hone::client
