// The operators of the domain com.microsoft: what ONNX Runtime's optimiser and quantiser write.
#pragma once

#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {

OperatorDomain microsoftOperators();
/// What the optimiser writes into ONNX's own domain, although it is none of its operators.
OperatorDomain strayMicrosoftOperators();

/// An error where one of the operands is missing: those that follow omitted ones are not counted in the table.
absl::Status requireOperands(const NodeContext &node, std::initializer_list<int> positions);

// block_weights.cpp: weights as small integers with a scale for each block
Result importGatherBlockQuantized(NodeContext &node);
Result importMatMulNBits(NodeContext &node);

// microsoft_attention.cpp
Result importGroupQueryAttention(NodeContext &node);
Result importMultiHeadAttention(NodeContext &node);
Result importPackedAttention(NodeContext &node);
Result importQAttention(NodeContext &node);
Result importRotaryEmbeddingOfPositions(NodeContext &node);

// microsoft_fusions.cpp
Result importBiasGelu(NodeContext &node);
Result importBiasSplitGelu(NodeContext &node);
Result importEmbedLayerNormalization(NodeContext &node);
Result importFastGelu(NodeContext &node);
Result importFusedConv(NodeContext &node);
Result importFusedGemm(NodeContext &node);
Result importFusedMatMul(NodeContext &node);
Result importNhwcConv(NodeContext &node);
Result importQuickGelu(NodeContext &node);
Result importSkipLayerNormalization(NodeContext &node);
Result importSkipSimplifiedLayerNormalization(NodeContext &node);

// quantisation.cpp
Result importDynamicQuantizeMatMul(NodeContext &node);
Result importMatMulIntegerToFloat(NodeContext &node);
Result importQGemm(NodeContext &node);

// linear_quantisation.cpp
Result importQLinearAdd(NodeContext &node);
Result importQLinearAveragePool(NodeContext &node);
Result importQLinearConcat(NodeContext &node);
Result importQLinearConvOfEitherLayout(NodeContext &node);
Result importQLinearGlobalAveragePool(NodeContext &node);
Result importQLinearLeakyRelu(NodeContext &node);
Result importQLinearMul(NodeContext &node);
Result importQLinearReduceMean(NodeContext &node);
Result importQLinearSigmoid(NodeContext &node);
Result importQLinearSoftmax(NodeContext &node);
Result importQLinearWhere(NodeContext &node);

// recurrent.cpp
Result importDynamicQuantizeLstm(NodeContext &node);

}  // namespace hone::frontend
