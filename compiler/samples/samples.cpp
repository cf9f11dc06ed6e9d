#include "compiler/samples/samples.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/samples/networks.h"

namespace hone::samples {
namespace {

struct Sample {
  std::string_view name;
  std::string (*write)(uint64_t seed);
};

constexpr Sample kSamples[] = {
    {"bert-base", [](uint64_t seed) { return bert("bert-base", {12, 768, 12, 3072}, seed); }},
    {"densenet121", densenet121},
    {"gpt2-block", gpt2Block},
    {"inception-v1", inceptionV1},
    {"lstm-tagger", lstmTagger},
    {"minilm-l6", [](uint64_t seed) { return bert("minilm-l6", {6, 384, 12, 1536}, seed); }},
    {"mobilenet-v2", mobilenetV2},
    {"regnet-y-400mf", regnetY400mf},
    {"resnet3d-18", resnet3d18},
    {"resnet50-v2", resnet50V2},
    {"squeezenet1.1", squeezenet11},
    {"unet", unet},
    {"vgg16", vgg16},
    {"yolo-like", yoloLike},
};

}  // namespace

std::vector<std::string> sampleNames() {
  std::vector<std::string> names;
  for (const Sample &sample : kSamples) names.emplace_back(sample.name);
  return names;
}

absl::StatusOr<std::string> sampleModel(std::string_view name, uint64_t seed) {
  for (const Sample &sample : kSamples) {
    if (sample.name == name) return sample.write(seed);
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no sample '", std::string(name), "'; the samples are ",
                                                 absl::StrJoin(sampleNames(), ", ")));
}

}  // namespace hone::samples
