// The tables of operators: which operators there are in each domain, in which versions, and the functions that map them
// onto core ops. A further operator is one row in its domain's table (operators.cpp for ONNX's own) and a function here
// and in the file of its family. Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "compiler/frontend/onnx/node.h"

namespace hone::frontend {

/// The newest opset of ONNX's own domain that operator_versions.cpp knows.
inline constexpr int64_t kNewestOpset = 28;
inline constexpr int kAnyNumber = -1;

/// How an operator becomes core ops. Nearly all take tensors and return the first of their outputs; further ones go to
/// NodeContext::addOutput. Those that take or give sequences and optionals check their operands themselves
/// and return all outputs.
class ImportFunction {
 public:
  using OfTensors = Result (*)(NodeContext &);
  using OfOperands = absl::StatusOr<Operands> (*)(NodeContext &);
  constexpr ImportFunction(OfTensors function) : ofTensors_(function) {}
  constexpr ImportFunction(OfOperands function) : ofOperands_(function) {}

  bool takesTensorsOnly() const { return ofTensors_ != nullptr; }
  absl::StatusOr<Operands> operator()(NodeContext &node) const;

 private:
  OfTensors ofTensors_ = nullptr;
  OfOperands ofOperands_ = nullptr;
};

/// A row holds from opset `first` on, and beyond `last` up to the next version of the operator: what did not change
/// since it was checked has the meaning that was checked.
struct Operator {
  std::string_view name;
  int64_t first, last;       ///< opset versions for which the function was checked, both inclusive
  int minInputs, maxInputs;  ///< kAnyNumber: no upper limit. Operands below the minimum cannot be omitted
  ImportFunction import;
};

/// An operator that cannot be imported: why, and what to do.
struct Exclusion {
  std::string_view name, reason;
};

/// The operators of one domain; ONNX's own is "".
struct OperatorDomain {
  std::string_view name;
  std::span<const Operator> operators;  ///< sorted by name
  std::span<const Exclusion> exclusions;
  std::string_view otherwise;  ///< what to do about operators that are in neither list; may be empty
};

/// The row for an operator of \p domain in the opset \p version; null when there is none.
const Operator *findOperator(std::string_view domain, std::string_view name, int64_t version);
std::span<const OperatorDomain> operatorDomains();
/// The last opset in which \p row of \p domain holds: the one before the operator's next version.
int64_t lastOpset(const OperatorDomain &domain, const Operator &row);
/// The rows of ONNX's own domain.
std::span<const Operator> operators();

/// The versions of \p name in ONNX's own domain, ascending: the opsets in which its definition was made or changed.
/// Empty for a name that is none of its operators.
std::span<const int64_t> operatorVersions(std::string_view name);
/// What cannot be, for there are only tensors of numbers.
inline constexpr std::string_view kText =
    "it works on text; do this step in the program that runs the network, and feed its result";
/// Whether the operator \p name of \p domain takes operands whose sizes depend on data.
bool takesBoundedSizes(std::string_view domain, std::string_view name);
/// Whether the operator of the default domain called \p name treats rows one by one, so that how many there are may
/// depend on data.
bool takesBoundedRows(std::string_view name);
/// What such an operator gives: it is imported as if the padding of its operands were rows, too.
absl::StatusOr<Operands> importByRows(const Operator &row, NodeContext &node);
/// Why the operator \p name of \p domain cannot be one of them, and what to do; empty when nothing but work is missing.
std::string_view exclusionOf(std::string_view domain, std::string_view name);

// elementwise.cpp
Result importUnary(NodeContext &node, ScalarOp op);
Result importBinary(NodeContext &node, ScalarOp op, bool swapped);
Result importVariadic(NodeContext &node, ScalarOp op);
template <ScalarOp op>
Result unary(NodeContext &node) {
  return importUnary(node, op);
}
template <ScalarOp op>
Result binary(NodeContext &node) {
  return importBinary(node, op, false);
}
template <ScalarOp op>
Result binarySwapped(NodeContext &node) {
  return importBinary(node, op, true);
}
template <ScalarOp op>
Result variadic(NodeContext &node) {
  return importVariadic(node, op);
}
Result importAdd(NodeContext &node);
Result importBitCast(NodeContext &node);
Result importBitShift(NodeContext &node);
Result importCast(NodeContext &node);
Result importCastLike(NodeContext &node);
Result importIsInf(NodeContext &node);
Result importIsNan(NodeContext &node);
Result importMean(NodeContext &node);
Result importMod(NodeContext &node);
Result importPow(NodeContext &node);
Result importReciprocal(NodeContext &node);
Result importWhere(NodeContext &node);
/// The second operand as numpy's broadcasting wants it, whatever the version's own rule was.
Result broadcastOperand(NodeContext &node);

// trigonometry.cpp
Result importAcos(NodeContext &node);
Result importAcosh(NodeContext &node);
Result importAsin(NodeContext &node);
Result importAsinh(NodeContext &node);
Result importAtanh(NodeContext &node);
Result importCosh(NodeContext &node);
Result importSinh(NodeContext &node);

// activation.cpp
Result importCelu(NodeContext &node);
Result importClip(NodeContext &node);
Result importElu(NodeContext &node);
Result importGelu(NodeContext &node);
Result importHardSigmoid(NodeContext &node);
Result importHardSwish(NodeContext &node);
Result importLeakyRelu(NodeContext &node);
Result importMish(NodeContext &node);
Result importPRelu(NodeContext &node);
Result importRelu(NodeContext &node);
Result importSelu(NodeContext &node);
Result importShrink(NodeContext &node);
Result importSigmoid(NodeContext &node);
Result importSoftplus(NodeContext &node);
Result importSoftsign(NodeContext &node);
Result importSwiGlu(NodeContext &node);
Result importSwish(NodeContext &node);
Result importThresholdedRelu(NodeContext &node);

// convolution.cpp, transposed_convolution.cpp
Result importConv(NodeContext &node);
Result importConvTranspose(NodeContext &node);

// col2im.cpp, deform_conv.cpp
Result importCol2Im(NodeContext &node);
Result importDeformConv(NodeContext &node);

// pooling.cpp
Result importAveragePool(NodeContext &node);
Result importGlobalAveragePool(NodeContext &node);
Result importGlobalLpPool(NodeContext &node);
Result importGlobalMaxPool(NodeContext &node);
Result importLpNormalization(NodeContext &node);
Result importLpPool(NodeContext &node);
Result importLrn(NodeContext &node);
Result importMaxPool(NodeContext &node);

// pooling_positions.cpp
Result importMaxUnpool(NodeContext &node);

// attention.cpp
Result importAttention(NodeContext &node);
Result importCausalConvWithState(NodeContext &node);
Result importFlexAttention(NodeContext &node);
Result importLinearAttention(NodeContext &node);
Result importRotaryEmbedding(NodeContext &node);
Result importTensorScatter(NodeContext &node);

// recurrent.cpp
Result importGru(NodeContext &node);
Result importLstm(NodeContext &node);
Result importRnn(NodeContext &node);

// einsum.cpp
Result importEinsum(NodeContext &node);

// resize.cpp
Result importResize(NodeContext &node);
Result importUpsample(NodeContext &node);

// matmul.cpp
Result importGemm(NodeContext &node);
Result importMatMul(NodeContext &node);
/// With vectors as rows or columns, as numpy's matmul takes them.
Result matMulOfAnyRank(Builder &build, Result a, Result b);

// quantisation.cpp
Result importConvInteger(NodeContext &node);
Result importDequantizeLinear(NodeContext &node);
Result importDynamicQuantizeLinear(NodeContext &node);
Result importMatMulInteger(NodeContext &node);
Result importQLinearConv(NodeContext &node);
Result importQLinearMatMul(NodeContext &node);
Result importQuantizeLinear(NodeContext &node);

// losses.cpp
Result importNegativeLogLikelihoodLoss(NodeContext &node);
Result importSoftmaxCrossEntropyLoss(NodeContext &node);

// control_flow.cpp
absl::StatusOr<Operands> importIf(NodeContext &node);
/// Whether what is chosen from has to have one shape; of any sizes, the result has the larger bounds, and its sizes
/// depend on data.
enum class Sizes : uint8_t { Equal, Any };
/// \p whenTrue or \p whenFalse, as \p condition (one bool) says at run time; \p what names them in the error.
absl::StatusOr<Operand> choose(Builder &build, ValueId condition, const Operand &whenTrue, const Operand &whenFalse,
                               const std::string &what, Sizes sizes = Sizes::Equal);

// loops.cpp, scans.cpp: graphs that are repeated
absl::StatusOr<Operands> importLoop(NodeContext &node);
absl::StatusOr<Operands> importScan(NodeContext &node);
absl::StatusOr<Operands> importSequenceMap(NodeContext &node);

// sequences.cpp: lists of tensors, and values that may be absent
absl::StatusOr<Operands> importConcatFromSequence(NodeContext &node);
absl::StatusOr<Operands> importOptional(NodeContext &node);
absl::StatusOr<Operands> importOptionalGetElement(NodeContext &node);
absl::StatusOr<Operands> importOptionalHasElement(NodeContext &node);
absl::StatusOr<Operands> importSequenceAt(NodeContext &node);
absl::StatusOr<Operands> importSequenceConstruct(NodeContext &node);
absl::StatusOr<Operands> importSequenceEmpty(NodeContext &node);
absl::StatusOr<Operands> importSequenceErase(NodeContext &node);
absl::StatusOr<Operands> importSequenceInsert(NodeContext &node);
absl::StatusOr<Operands> importSequenceLength(NodeContext &node);
absl::StatusOr<Operands> importSplitToSequence(NodeContext &node);
/// \p parts, which have one shape, side by side along a new axis.
Result stack(Builder &build, const Sequence &parts, int64_t axis);

// normalisation.cpp
Result importBatchNormalization(NodeContext &node);
Result importDropout(NodeContext &node);
Result importGroupNormalization(NodeContext &node);
Result importInstanceNormalization(NodeContext &node);
Result importLayerNormalization(NodeContext &node);
Result importMeanVarianceNormalization(NodeContext &node);
Result importRmsNormalization(NodeContext &node);
Result importSoftmax(NodeContext &node);
Result importLogSoftmax(NodeContext &node);

// reduction.cpp
Result importReduceL1(NodeContext &node);
Result importReduceL2(NodeContext &node);
Result importReduceLogSum(NodeContext &node);
Result importReduceLogSumExp(NodeContext &node);
Result importReduceMax(NodeContext &node);
Result importReduceMean(NodeContext &node);
Result importReduceMin(NodeContext &node);
Result importReduceProd(NodeContext &node);
Result importReduceSum(NodeContext &node);
Result importReduceSumSquare(NodeContext &node);

// ordering.cpp: what compares or adds up along an axis
Result importArgMax(NodeContext &node);
Result importArgMin(NodeContext &node);
Result importCumProd(NodeContext &node);
Result importCumSum(NodeContext &node);
Result importHardmax(NodeContext &node);

// sorting.cpp
Result importTopK(NodeContext &node);

// indexing.cpp: elements at places that another operand holds
Result importGatherElements(NodeContext &node);
Result importGatherND(NodeContext &node);
Result importReverseSequence(NodeContext &node);
Result importScatterElements(NodeContext &node);
Result importScatterND(NodeContext &node);

// patterns.cpp: results that follow from positions
Result importEyeLike(NodeContext &node);
Result importOneHot(NodeContext &node);
Result importTrilu(NodeContext &node);

// sampling.cpp, roi_align.cpp: pictures between their pixels
Result importAffineGrid(NodeContext &node);
Result importGridSample(NodeContext &node);
Result importMaxRoiPool(NodeContext &node);
Result importRoiAlign(NodeContext &node);

// determinant.cpp
Result importDet(NodeContext &node);

// spectral.cpp: windows, Fourier transforms, mel bands
Result importBlackmanWindow(NodeContext &node);
Result importDft(NodeContext &node);
Result importHammingWindow(NodeContext &node);
Result importHannWindow(NodeContext &node);
Result importMelWeightMatrix(NodeContext &node);
Result importStft(NodeContext &node);

// selection.cpp: by constants; the size of the result has to be known
Result importCompress(NodeContext &node);
Result importNonZero(NodeContext &node);

// non_max_suppression.cpp
Result importNonMaxSuppression(NodeContext &node);

// unique.cpp
Result importUnique(NodeContext &node);

// constants.cpp
Result importConstant(NodeContext &node);
Result importConstantOfShape(NodeContext &node);
Result importRange(NodeContext &node);
Result importShape(NodeContext &node);
Result importSize(NodeContext &node);

// reshaping.cpp: the same elements in another shape
Result importExpand(NodeContext &node);
Result importFlatten(NodeContext &node);
absl::StatusOr<Operands> importIdentity(NodeContext &node);
Result importReshape(NodeContext &node);
Result importSqueeze(NodeContext &node);
Result importUnsqueeze(NodeContext &node);

// bounded_padding.cpp
/// Pad where the sizes of \p data depend on data; \p fill is what constant pads have.
Result padAtRunTime(Builder &build, ValueId data, graph::PadAttributes attributes, const Result &fill);

// movement.cpp: elements in other places
Result importCenterCropPad(NodeContext &node);
Result importConcat(NodeContext &node);
Result importDepthToSpace(NodeContext &node);
Result importGather(NodeContext &node);
Result importPad(NodeContext &node);
Result importSlice(NodeContext &node);
Result importSpaceToDepth(NodeContext &node);
Result importSplit(NodeContext &node);
Result importTile(NodeContext &node);
Result importTranspose(NodeContext &node);
/// Part of one axis; everything of the others.
Result sliceAxis(Builder &build, ValueId data, int64_t axis, int64_t start, int64_t extent);

}  // namespace hone::frontend
