#include "compiler/frontend/onnx/microsoft_operators.h"

namespace hone::frontend {
namespace {

// Sorted by name.
constexpr Operator kOperators[] = {
    // name, first and last version, least and most operands, function
    {"Attention", 1, 1, 2, 7, importPackedAttention},
    {"BiasGelu", 1, 1, 2, 2, importBiasGelu},
    {"BiasSplitGelu", 1, 1, 2, 2, importBiasSplitGelu},
    {"DequantizeLinear", 1, 1, 2, 3, importDequantizeLinear},
    {"DynamicQuantizeLSTM", 1, 1, 3, 12, importDynamicQuantizeLstm},
    {"DynamicQuantizeMatMul", 1, 1, 3, 5, importDynamicQuantizeMatMul},
    {"EmbedLayerNormalization", 1, 1, 1, 9, importEmbedLayerNormalization},
    {"FastGelu", 1, 1, 1, 2, importFastGelu},
    {"FusedConv", 1, 1, 2, 4, importFusedConv},
    {"FusedGemm", 1, 1, 2, 3, importFusedGemm},
    {"FusedMatMul", 1, 1, 2, 2, importFusedMatMul},
    {"GatherBlockQuantized", 1, 1, 3, 4, importGatherBlockQuantized},
    {"Gelu", 1, 1, 1, 1, importGelu},
    {"GroupQueryAttention", 1, 1, 1, 17, importGroupQueryAttention},
    {"MatMulIntegerToFloat", 1, 1, 4, 7, importMatMulIntegerToFloat},
    {"MatMulNBits", 1, 1, 3, 6, importMatMulNBits},
    {"MultiHeadAttention", 1, 1, 1, 10, importMultiHeadAttention},
    {"NhwcConv", 1, 1, 2, 3, importNhwcConv},
    {"NhwcFusedConv", 1, 1, 2, 4, importNhwcConv},
    {"QAttention", 1, 1, 5, 9, importQAttention},
    {"QGemm", 1, 1, 6, 9, importQGemm},
    {"QLinearAdd", 1, 1, 2, 8, importQLinearAdd},
    {"QLinearAveragePool", 1, 1, 2, 5, importQLinearAveragePool},
    {"QLinearConcat", 1, 1, 3, kAnyNumber, importQLinearConcat},
    {"QLinearConv", 1, 1, 8, 9, importQLinearConvOfEitherLayout},
    {"QLinearGlobalAveragePool", 1, 1, 5, 5, importQLinearGlobalAveragePool},
    {"QLinearLeakyRelu", 1, 1, 2, 5, importQLinearLeakyRelu},
    {"QLinearMul", 1, 1, 2, 8, importQLinearMul},
    {"QLinearReduceMean", 1, 1, 2, 5, importQLinearReduceMean},
    {"QLinearSigmoid", 1, 1, 2, 5, importQLinearSigmoid},
    {"QLinearSoftmax", 1, 1, 2, 5, importQLinearSoftmax},
    {"QLinearWhere", 1, 1, 9, 9, importQLinearWhere},
    {"QuantizeLinear", 1, 1, 2, 3, importQuantizeLinear},
    {"QuickGelu", 1, 1, 1, 1, importQuickGelu},
    {"RotaryEmbedding", 1, 1, 4, 4, importRotaryEmbeddingOfPositions},
    {"SkipLayerNormalization", 1, 1, 3, 5, importSkipLayerNormalization},
    {"SkipSimplifiedLayerNormalization", 1, 1, 3, 4, importSkipSimplifiedLayerNormalization},
    {"TransposeMatMul", 1, 1, 2, 2, importFusedMatMul},
    {"Trilu", 1, 1, 1, 2, importTrilu},
};

constexpr Operator kStrayOperators[] = {
    {"LayerNormalization", 1, 16, 2, 3, importLayerNormalization},
    {"SimplifiedLayerNormalization", 1, kNewestOpset, 2, 2, importRmsNormalization},
};

constexpr Exclusion kExclusions[] = {
    {"Tokenizer", kText},
};

constexpr std::string_view kOtherwise =
    "it is one of ONNX Runtime's own; give the model as it was in front of ONNX Runtime's optimiser (which is "
    "graph_optimization_level ORT_DISABLE_ALL), and quantise it in QuantFormat.QDQ";

}  // namespace

absl::Status requireOperands(const NodeContext &node, std::initializer_list<int> positions) {
  for (const int position : positions) {
    if (!node.has(position)) return invalid("operand ", position, " is missing");
  }
  return absl::OkStatus();
}

OperatorDomain microsoftOperators() { return {"com.microsoft", kOperators, kExclusions, kOtherwise}; }

OperatorDomain strayMicrosoftOperators() { return {"", kStrayOperators, {}, ""}; }

}  // namespace hone::frontend
