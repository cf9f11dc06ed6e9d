#include "compiler/frontend/onnx/ml_operators.h"

namespace hone::frontend {
namespace {

constexpr std::string_view kMaps =
    "it works on maps from keys to values, and a compiled network has single tensors; export the model without them "
    "(skl2onnx: options={'zipmap': False})";

constexpr Exclusion kExclusions[] = {
    {"CastMap", kMaps},
    {"CategoryMapper", kText},
    {"DictVectorizer", kMaps},
    {"ZipMap", kMaps},
};

}  // namespace

OperatorDomain mlOperators() { return {"ai.onnx.ml", {}, kExclusions, ""}; }

}  // namespace hone::frontend
