// The sample networks, one function each; samples.cpp names them. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>

namespace hone::samples {

/// The model zoo's resnet50-v2-7: pre-activation bottlenecks with the stride on the 3x3 convolution, batch norm on the
/// input; 53 convolutions, 8.2 GFLOP.
std::string resnet50V2(uint64_t seed);

/// MobileNetV2 with width 1.0 at 224 x 224, as torchvision exported it: Conv, BatchNormalization, Clip to 0..6.
std::string mobilenetV2(uint64_t seed);

struct TransformerSizes {
  int64_t layers, hidden, heads, feedForward;
};
/// A BERT encoder over 128 tokens as PyTorch exports it, embeddings included.
std::string bert(const std::string &name, const TransformerSizes &sizes, uint64_t seed);

}  // namespace hone::samples
