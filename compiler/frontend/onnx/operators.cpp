#include "compiler/frontend/onnx/operators.h"

#include <algorithm>
#include <set>
#include <span>
#include <string>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/microsoft_operators.h"
#include "compiler/frontend/onnx/ml_operators.h"

namespace hone::frontend {
namespace {

// Sorted by name. A row holds from the version in which its form began; where the function itself tells the forms of
// several versions apart, one row covers them all. Versions outside every row of a name are unsupported. The last
// version is the one up to which the row was checked: raise it when the function has been read against a newer one.
using Op = ScalarOp;
constexpr Operator kOperators[] = {
    // name, first and last version, least and most operands, function
    {"Abs", 1, 18, 1, 1, unary<Op::Abs>},
    {"Acos", 7, 28, 1, 1, importAcos},
    {"Acosh", 9, 28, 1, 1, importAcosh},
    {"Add", 1, 18, 2, 2, importAdd},
    {"AffineGrid", 20, 28, 2, 2, importAffineGrid},
    {"And", 1, 18, 2, 2, binary<Op::And>},
    {"ArgMax", 1, 18, 1, 1, importArgMax},
    {"ArgMin", 1, 18, 1, 1, importArgMin},
    {"Asin", 7, 28, 1, 1, importAsin},
    {"Asinh", 9, 28, 1, 1, importAsinh},
    {"Atan", 7, 28, 1, 1, unary<Op::Atan>},
    {"Atanh", 9, 28, 1, 1, importAtanh},
    {"Attention", 23, 28, 3, 7, importAttention},
    {"AveragePool", 1, 28, 1, 1, importAveragePool},
    {"BatchNormalization", 1, 18, 5, 5, importBatchNormalization},
    {"BitCast", 26, 28, 1, 1, importBitCast},
    {"BitShift", 11, 28, 2, 2, importBitShift},
    {"BitwiseAnd", 18, 18, 2, 2, binary<Op::BitAnd>},
    {"BitwiseNot", 18, 18, 1, 1, unary<Op::BitNot>},
    {"BitwiseOr", 18, 18, 2, 2, binary<Op::BitOr>},
    {"BitwiseXor", 18, 18, 2, 2, binary<Op::BitXor>},
    {"BlackmanWindow", 17, 18, 1, 1, importBlackmanWindow},
    {"Cast", 1, 28, 1, 1, importCast},
    {"CastLike", 15, 28, 2, 2, importCastLike},
    {"CausalConvWithState", 27, 28, 2, 4, importCausalConvWithState},
    {"Ceil", 1, 18, 1, 1, unary<Op::Ceil>},
    {"Celu", 12, 28, 1, 1, importCelu},
    {"CenterCropPad", 18, 28, 2, 2, importCenterCropPad},
    {"Clip", 1, 10, 1, 1, importClip},
    {"Clip", 11, 18, 1, 3, importClip},
    {"Col2Im", 18, 28, 3, 3, importCol2Im},
    {"Compress", 9, 28, 2, 2, importCompress},
    {"Concat", 1, 18, 1, kAnyNumber, importConcat},
    {"ConcatFromSequence", 11, 28, 1, 1, importConcatFromSequence},
    {"Constant", 1, 28, 0, 0, importConstant},
    {"ConstantOfShape", 9, 28, 1, 1, importConstantOfShape},
    {"Conv", 1, 28, 2, 3, importConv},
    {"ConvInteger", 10, 18, 2, 4, importConvInteger},
    {"ConvTranspose", 1, 28, 2, 3, importConvTranspose},
    {"Cos", 7, 28, 1, 1, unary<Op::Cos>},
    {"Cosh", 9, 28, 1, 1, importCosh},
    {"CumProd", 26, 28, 2, 2, importCumProd},
    {"CumSum", 11, 28, 2, 2, importCumSum},
    {"DFT", 17, 19, 1, 2, importDft},
    {"DFT", 20, 28, 1, 3, importDft},
    {"DeformConv", 19, 28, 3, 5, importDeformConv},
    {"DepthToSpace", 1, 28, 1, 1, importDepthToSpace},
    {"DequantizeLinear", 10, 28, 2, 3, importDequantizeLinear},
    {"Det", 11, 28, 1, 1, importDet},
    {"Div", 1, 18, 2, 2, binary<Op::Div>},
    {"Dropout", 1, 11, 1, 1, importDropout},
    {"Dropout", 12, 28, 1, 3, importDropout},
    {"DynamicQuantizeLinear", 11, 18, 1, 1, importDynamicQuantizeLinear},
    {"Einsum", 12, 28, 1, kAnyNumber, importEinsum},
    {"Elu", 1, 28, 1, 1, importElu},
    {"Equal", 1, 28, 2, 2, binary<Op::Equal>},
    {"Erf", 9, 18, 1, 1, unary<Op::Erf>},
    {"Exp", 1, 18, 1, 1, unary<Op::Exp>},
    {"Expand", 8, 18, 2, 2, importExpand},
    {"EyeLike", 9, 28, 1, 1, importEyeLike},
    {"Flatten", 1, 28, 1, 1, importFlatten},
    {"Floor", 1, 18, 1, 1, unary<Op::Floor>},
    {"GRU", 1, 28, 3, 6, importGru},
    {"Gather", 1, 28, 2, 2, importGather},
    {"GatherElements", 11, 28, 2, 2, importGatherElements},
    {"GatherND", 11, 28, 2, 2, importGatherND},
    {"Gelu", 20, 28, 1, 1, importGelu},
    {"Gemm", 1, 10, 3, 3, importGemm},
    {"Gemm", 11, 18, 2, 3, importGemm},
    {"GlobalAveragePool", 1, 28, 1, 1, importGlobalAveragePool},
    {"GlobalLpPool", 1, 28, 1, 1, importGlobalLpPool},
    {"GlobalMaxPool", 1, 28, 1, 1, importGlobalMaxPool},
    {"Greater", 1, 18, 2, 2, binarySwapped<Op::Less>},
    {"GreaterOrEqual", 12, 18, 2, 2, binarySwapped<Op::LessEqual>},
    {"GridSample", 16, 28, 2, 2, importGridSample},
    {"GroupNormalization", 18, 28, 3, 3, importGroupNormalization},
    {"HammingWindow", 17, 18, 1, 1, importHammingWindow},
    {"HannWindow", 17, 18, 1, 1, importHannWindow},
    {"HardSigmoid", 1, 28, 1, 1, importHardSigmoid},
    {"HardSwish", 14, 28, 1, 1, importHardSwish},
    {"Hardmax", 1, 18, 1, 1, importHardmax},
    {"Identity", 1, 28, 1, 1, importIdentity},
    {"If", 1, 28, 1, 1, importIf},
    {"InstanceNormalization", 1, 28, 3, 3, importInstanceNormalization},
    {"IsInf", 10, 28, 1, 1, importIsInf},
    {"IsNaN", 9, 28, 1, 1, importIsNan},
    {"LRN", 1, 18, 1, 1, importLrn},
    {"LSTM", 1, 28, 3, 8, importLstm},
    {"LayerNormalization", 17, 28, 2, 3, importLayerNormalization},
    {"LeakyRelu", 1, 18, 1, 1, importLeakyRelu},
    {"Less", 1, 18, 2, 2, binary<Op::Less>},
    {"LessOrEqual", 12, 18, 2, 2, binary<Op::LessEqual>},
    {"LinearAttention", 27, 28, 3, 6, importLinearAttention},
    {"Log", 1, 18, 1, 1, unary<Op::Log>},
    {"LogSoftmax", 1, 18, 1, 1, importLogSoftmax},
    {"Loop", 1, 28, 0, kAnyNumber, importLoop},
    {"LpNormalization", 1, 28, 1, 1, importLpNormalization},
    {"LpPool", 1, 28, 1, 1, importLpPool},
    {"MatMul", 1, 18, 2, 2, importMatMul},
    {"MatMulInteger", 10, 18, 2, 4, importMatMulInteger},
    {"Max", 1, 18, 1, kAnyNumber, variadic<Op::Max>},
    {"MaxPool", 1, 28, 1, 1, importMaxPool},
    {"MaxRoiPool", 1, 28, 2, 2, importMaxRoiPool},
    {"MaxUnpool", 9, 28, 2, 3, importMaxUnpool},
    {"Mean", 1, 18, 1, kAnyNumber, importMean},
    {"MeanVarianceNormalization", 9, 18, 1, 1, importMeanVarianceNormalization},
    {"MelWeightMatrix", 17, 18, 5, 5, importMelWeightMatrix},
    {"Min", 1, 18, 1, kAnyNumber, variadic<Op::Min>},
    {"Mish", 18, 28, 1, 1, importMish},
    {"Mod", 10, 28, 2, 2, importMod},
    {"Mul", 1, 18, 2, 2, binary<Op::Mul>},
    {"Neg", 1, 18, 1, 1, unary<Op::Neg>},
    {"NegativeLogLikelihoodLoss", 12, 28, 2, 3, importNegativeLogLikelihoodLoss},
    {"NonMaxSuppression", 10, 28, 2, 5, importNonMaxSuppression},
    {"NonZero", 9, 28, 1, 1, importNonZero},
    {"Not", 1, 18, 1, 1, unary<Op::Not>},
    {"OneHot", 9, 28, 3, 3, importOneHot},
    {"Optional", 15, 28, 0, 1, importOptional},
    {"OptionalGetElement", 15, 28, 1, 1, importOptionalGetElement},
    {"OptionalHasElement", 15, 28, 0, 1, importOptionalHasElement},
    {"Or", 1, 18, 2, 2, binary<Op::Or>},
    {"PRelu", 1, 18, 2, 2, importPRelu},
    {"Pad", 1, 10, 1, 1, importPad},
    {"Pad", 11, 17, 2, 3, importPad},
    {"Pad", 18, 28, 2, 4, importPad},
    {"Pow", 1, 18, 2, 2, importPow},
    {"QLinearConv", 10, 18, 8, 9, importQLinearConv},
    {"QLinearMatMul", 10, 28, 8, 8, importQLinearMatMul},
    {"QuantizeLinear", 10, 28, 2, 3, importQuantizeLinear},
    {"RMSNormalization", 23, 28, 2, 2, importRmsNormalization},
    {"RNN", 1, 28, 3, 6, importRnn},
    {"Range", 11, 28, 3, 3, importRange},
    {"Reciprocal", 1, 18, 1, 1, importReciprocal},
    {"ReduceL1", 1, 17, 1, 1, importReduceL1},
    {"ReduceL1", 18, 18, 1, 2, importReduceL1},
    {"ReduceL2", 1, 17, 1, 1, importReduceL2},
    {"ReduceL2", 18, 18, 1, 2, importReduceL2},
    {"ReduceLogSum", 1, 17, 1, 1, importReduceLogSum},
    {"ReduceLogSum", 18, 28, 1, 2, importReduceLogSum},
    {"ReduceLogSumExp", 1, 17, 1, 1, importReduceLogSumExp},
    {"ReduceLogSumExp", 18, 28, 1, 2, importReduceLogSumExp},
    {"ReduceMax", 1, 17, 1, 1, importReduceMax},
    {"ReduceMax", 18, 28, 1, 2, importReduceMax},
    {"ReduceMean", 1, 17, 1, 1, importReduceMean},
    {"ReduceMean", 18, 18, 1, 2, importReduceMean},
    {"ReduceMin", 1, 17, 1, 1, importReduceMin},
    {"ReduceMin", 18, 28, 1, 2, importReduceMin},
    {"ReduceProd", 1, 17, 1, 1, importReduceProd},
    {"ReduceProd", 18, 18, 1, 2, importReduceProd},
    {"ReduceSum", 1, 12, 1, 1, importReduceSum},
    {"ReduceSum", 13, 18, 1, 2, importReduceSum},
    {"ReduceSumSquare", 1, 17, 1, 1, importReduceSumSquare},
    {"ReduceSumSquare", 18, 18, 1, 2, importReduceSumSquare},
    {"Relu", 1, 18, 1, 1, importRelu},
    {"Reshape", 1, 4, 1, 1, importReshape},
    {"Reshape", 5, 28, 2, 2, importReshape},
    {"Resize", 10, 10, 2, 2, importResize},
    {"Resize", 11, 12, 3, 4, importResize},
    {"Resize", 13, 28, 1, 4, importResize},
    {"ReverseSequence", 10, 28, 2, 2, importReverseSequence},
    {"RoiAlign", 10, 28, 3, 3, importRoiAlign},
    {"RotaryEmbedding", 23, 28, 3, 4, importRotaryEmbedding},
    {"Round", 11, 28, 1, 1, unary<Op::Round>},
    {"STFT", 17, 28, 2, 4, importStft},
    {"Scan", 8, 8, 0, kAnyNumber, importScan},
    {"Scan", 9, 28, 1, kAnyNumber, importScan},
    {"Scatter", 9, 10, 3, 3, importScatterElements},
    {"ScatterElements", 11, 28, 3, 3, importScatterElements},
    {"ScatterND", 11, 28, 3, 3, importScatterND},
    {"Selu", 1, 28, 1, 1, importSelu},
    {"SequenceAt", 11, 28, 2, 2, importSequenceAt},
    {"SequenceConstruct", 11, 28, 1, kAnyNumber, importSequenceConstruct},
    {"SequenceEmpty", 11, 28, 0, 0, importSequenceEmpty},
    {"SequenceErase", 11, 28, 1, 2, importSequenceErase},
    {"SequenceInsert", 11, 28, 2, 3, importSequenceInsert},
    {"SequenceLength", 11, 28, 1, 1, importSequenceLength},
    {"SequenceMap", 17, 28, 1, kAnyNumber, importSequenceMap},
    {"Shape", 1, 28, 1, 1, importShape},
    {"Shrink", 9, 18, 1, 1, importShrink},
    {"Sigmoid", 1, 18, 1, 1, importSigmoid},
    {"Sign", 9, 18, 1, 1, unary<Op::Sign>},
    {"Sin", 7, 28, 1, 1, unary<Op::Sin>},
    {"Sinh", 9, 28, 1, 1, importSinh},
    {"Size", 1, 28, 1, 1, importSize},
    {"Slice", 1, 9, 1, 1, importSlice},
    {"Slice", 10, 18, 3, 5, importSlice},
    {"Softmax", 1, 18, 1, 1, importSoftmax},
    {"SoftmaxCrossEntropyLoss", 12, 18, 2, 3, importSoftmaxCrossEntropyLoss},
    {"Softplus", 1, 28, 1, 1, importSoftplus},
    {"Softsign", 1, 28, 1, 1, importSoftsign},
    {"SpaceToDepth", 1, 28, 1, 1, importSpaceToDepth},
    {"Split", 1, 1, 1, 2, importSplit},
    {"Split", 2, 12, 1, 1, importSplit},
    {"Split", 13, 18, 1, 2, importSplit},
    {"SplitToSequence", 11, 28, 1, 2, importSplitToSequence},
    {"Sqrt", 1, 18, 1, 1, unary<Op::Sqrt>},
    {"Squeeze", 1, 12, 1, 1, importSqueeze},
    {"Squeeze", 13, 28, 1, 2, importSqueeze},
    {"Sub", 1, 18, 2, 2, binary<Op::Sub>},
    {"Sum", 1, 18, 1, kAnyNumber, variadic<Op::Add>},
    {"SwiGLU", 28, 28, 2, 2, importSwiGlu},
    {"Swish", 24, 28, 1, 1, importSwish},
    {"Tan", 7, 28, 1, 1, unary<Op::Tan>},
    {"Tanh", 1, 18, 1, 1, unary<Op::Tanh>},
    {"TensorScatter", 24, 28, 2, 3, importTensorScatter},
    {"ThresholdedRelu", 10, 28, 1, 1, importThresholdedRelu},
    {"Tile", 1, 5, 3, 3, importTile},
    {"Tile", 6, 18, 2, 2, importTile},
    {"TopK", 1, 9, 1, 1, importTopK},
    {"TopK", 10, 28, 2, 2, importTopK},
    {"Transpose", 1, 28, 1, 1, importTranspose},
    {"Trilu", 14, 18, 1, 2, importTrilu},
    {"Unique", 11, 28, 1, 1, importUnique},
    {"Unsqueeze", 1, 12, 1, 1, importUnsqueeze},
    {"Unsqueeze", 13, 28, 2, 2, importUnsqueeze},
    {"Upsample", 1, 8, 1, 1, importUpsample},
    {"Upsample", 9, 9, 2, 2, importUpsample},
    {"Where", 9, 18, 3, 3, importWhere},
    {"Xor", 1, 18, 2, 2, binary<Op::Xor>},
};

// What ONNX tries out.
constexpr Operator kPreviewOperators[] = {
    {"FlexAttention", 1, 1, 3, 3, importFlexAttention},
};

constexpr std::string_view kRandom =
    "it gives other results each time; feed the random numbers as an input of the network";

constexpr Exclusion kExclusions[] = {
    {"Bernoulli", kRandom},
    {"ImageDecoder",
     "it reads files of pictures; decode them in the program that runs the network, and feed the pixels"},
    {"Multinomial", kRandom},
    {"RandomNormal", kRandom},
    {"RandomNormalLike", kRandom},
    {"RandomUniform", kRandom},
    {"RandomUniformLike", kRandom},
    {"StringNormalizer", kText},
    {"TfIdfVectorizer", kText},
};

}  // namespace

std::string_view exclusionOf(std::string_view domain, std::string_view name) {
  for (const OperatorDomain &table : operatorDomains()) {
    if (table.name != domain) continue;
    for (const Exclusion &exclusion : table.exclusions) {
      if (exclusion.name == name) return exclusion.reason;
    }
    return table.otherwise;
  }
  return "";
}

std::span<const Operator> operators() { return kOperators; }

std::span<const OperatorDomain> operatorDomains() {
  static const OperatorDomain kDomains[] = {
      {"", kOperators, kExclusions, ""},
      {"ai.onnx.preview", kPreviewOperators, {}, ""},
      mlOperators(),
      microsoftOperators(),
      strayMicrosoftOperators(),
  };
  return kDomains;
}

int64_t lastOpset(const OperatorDomain &domain, const Operator &row) {
  // Other domains have no table of versions: what was checked is what holds.
  if (!domain.name.empty()) return row.last;
  for (const int64_t version : operatorVersions(row.name)) {
    if (version > row.last) return version - 1;
  }
  return kNewestOpset;
}

absl::StatusOr<Operands> ImportFunction::operator()(NodeContext &node) const {
  if (!takesTensorsOnly()) return ofOperands_(node);
  HONE_ASSIGN_OR_RETURN(ValueId first, ofTensors_(node));
  Operands outputs = {first};
  outputs.insert(outputs.end(), node.furtherOutputs().begin(), node.furtherOutputs().end());
  return outputs;
}

const Operator *findOperator(std::string_view domain, std::string_view name, int64_t version) {
  for (const OperatorDomain &table : operatorDomains()) {
    if (table.name != domain) continue;
    for (const Operator &row : table.operators) {
      if (row.name == name && row.first <= version && version <= lastOpset(table, row)) return &row;
    }
  }
  return nullptr;
}

std::vector<std::string> supportedOperators() {
  std::set<std::string> names;
  for (const Operator &row : operators()) names.emplace(row.name);
  return {names.begin(), names.end()};
}

}  // namespace hone::frontend
