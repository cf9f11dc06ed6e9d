// The operators of the domain ai.onnx.ml on numbers: what converters of scikit-learn, XGBoost, LightGBM write.
#pragma once

#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {

OperatorDomain mlOperators();

// ml_features.cpp
Result importArrayFeatureExtractor(NodeContext &node);
Result importBinarizer(NodeContext &node);
Result importFeatureVectorizer(NodeContext &node);
Result importImputer(NodeContext &node);
Result importLabelEncoder(NodeContext &node);
Result importNormalizer(NodeContext &node);
Result importOneHotEncoder(NodeContext &node);
Result importScaler(NodeContext &node);

// ml_linear.cpp
Result importLinearClassifier(NodeContext &node);
Result importLinearRegressor(NodeContext &node);

// ml_trees.cpp
Result importTreeEnsemble(NodeContext &node);
Result importTreeEnsembleClassifier(NodeContext &node);
Result importTreeEnsembleRegressor(NodeContext &node);

// ml_vectors.cpp
Result importSvmClassifier(NodeContext &node);
Result importSvmRegressor(NodeContext &node);

}  // namespace hone::frontend
