#include "compiler/frontend/onnx/ml_operators.h"

namespace hone::frontend {
namespace {

// Sorted by name.
constexpr Operator kOperators[] = {
    // name, first and last version, least and most operands, function
    {"ArrayFeatureExtractor", 1, 5, 2, 2, importArrayFeatureExtractor},
    {"Binarizer", 1, 5, 1, 1, importBinarizer},
    {"FeatureVectorizer", 1, 5, 1, kAnyNumber, importFeatureVectorizer},
    {"Imputer", 1, 5, 1, 1, importImputer},
    {"LabelEncoder", 1, 5, 1, 1, importLabelEncoder},
    {"LinearClassifier", 1, 5, 1, 1, importLinearClassifier},
    {"LinearRegressor", 1, 5, 1, 1, importLinearRegressor},
    {"Normalizer", 1, 5, 1, 1, importNormalizer},
    {"OneHotEncoder", 1, 5, 1, 1, importOneHotEncoder},
    {"SVMClassifier", 1, 5, 1, 1, importSvmClassifier},
    {"SVMRegressor", 1, 5, 1, 1, importSvmRegressor},
    {"Scaler", 1, 5, 1, 1, importScaler},
    {"TreeEnsemble", 5, 5, 1, 1, importTreeEnsemble},
    {"TreeEnsembleClassifier", 1, 5, 1, 1, importTreeEnsembleClassifier},
    {"TreeEnsembleRegressor", 1, 5, 1, 1, importTreeEnsembleRegressor},
};

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

OperatorDomain mlOperators() { return {"ai.onnx.ml", kOperators, kExclusions, ""}; }

}  // namespace hone::frontend
