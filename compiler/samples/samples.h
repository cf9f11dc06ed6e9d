// Sample networks: well-known architectures as ONNX files in their usual export forms, with weights from a seed, for
// performance and tests on any machine. The same name and seed give the same bytes everywhere: weights come from
// integer arithmetic and exactly rounded operations only. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hone::samples {

/// "bert-base", "densenet121", …: sorted.
std::vector<std::string> sampleNames();

/// The bytes of an ONNX model. Activations keep about unit size through the network, and a classifier's scores differ
/// clearly, so that comparing results means something. An unknown name is an error that lists the known ones.
absl::StatusOr<std::string> sampleModel(std::string_view name, uint64_t seed);

}  // namespace hone::samples
