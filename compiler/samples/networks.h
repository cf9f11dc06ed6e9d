// The sample networks, one function each; samples.cpp names them. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>

namespace hone::samples {

/// The model zoo's resnet50-v2-7: pre-activation bottlenecks with the stride on the 3x3 convolution, batch norm on the
/// input; 53 convolutions, 8.2 GFLOP.
std::string resnet50V2(uint64_t seed);

/// torchvision's r3d_18 on 16 frames of 112 x 112, as PyTorch exports it with dynamo: 20 convolutions of three dims,
/// 81 GFLOP.
std::string resnet3d18(uint64_t seed);

/// torchvision's regnet_y_400mf at 224 x 224, as PyTorch exports it with dynamo: convolutions in groups of 8 channels,
/// squeeze and excitation.
std::string regnetY400mf(uint64_t seed);

/// MobileNetV2 with width 1.0 at 224 x 224, as torchvision exported it: Conv, BatchNormalization, Clip to 0..6.
std::string mobilenetV2(uint64_t seed);

/// The model zoo's squeezenet1.1-7, from Gluon: fire modules (Concat), a convolution as classifier.
std::string squeezenet11(uint64_t seed);

/// The model zoo's vgg16-7, from Gluon: 13 convolutions of 3x3, three dense layers, 138 million weights.
std::string vgg16(uint64_t seed);

/// The model zoo's densenet121, from Caffe: batch norms whose scale and shift are Mul and Add; 58 Concats.
std::string densenet121(uint64_t seed);

/// The model zoo's inception-v1, from Caffe (bvlc_googlenet), with its local response norms.
std::string inceptionV1(uint64_t seed);

/// A detector of YOLO's kind at 320 x 320 as its exporter writes it, from images to boxes and scores of 2100 anchors.
std::string yoloLike(uint64_t seed);

/// Embedding, two bidirectional LSTM layers of 256, linear, over 96 tokens, as PyTorch exports them.
std::string lstmTagger(uint64_t seed);

/// GPT-2's embeddings, first block and last norm over 128 tokens, causal, as PyTorch exports them.
std::string gpt2Block(uint64_t seed);

/// A U-Net with transposed convolutions at 256 x 256, as PyTorch exports it.
std::string unet(uint64_t seed);

struct TransformerSizes {
  int64_t layers, hidden, heads, feedForward;
};
/// A BERT encoder over 128 tokens as PyTorch exports it, embeddings included.
std::string bert(const std::string &name, const TransformerSizes &sizes, uint64_t seed);

}  // namespace hone::samples
