// What `hone compile --bind` says: inputs of the model that become constants. Functions without state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hone/v1/work.pb.h"

namespace hone::client {

/// One message per NAME=VALUE, in the order of the names; a value that ends in ".npy" is the name of a file, which is
/// read here. INVALID_ARGUMENT for what has no '=' and for a name that is given twice; NOT_FOUND for a file that
/// cannot be read; DATA_LOSS for one that numpy cannot have written, or that holds no numbers.
absl::StatusOr<std::vector<v1::BoundInput>> parseBoundInputs(const std::vector<std::string> &values);

}  // namespace hone::client
