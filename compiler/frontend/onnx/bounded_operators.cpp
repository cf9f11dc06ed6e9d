// Which operators take operands whose sizes depend on data: those whose functions look at no shape as if it were the
// size, and those that treat rows one by one, which may be imported as if padding were rows, too. All others would give
// wrong results, so that they are refused.
#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/sizes.h"
#include "compiler/frontend/onnx/operators.h"

namespace hone::frontend {
namespace {

// Sorted.
constexpr std::string_view kTaking[] = {
    "Abs",
    "Acos",
    "Acosh",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "AveragePool",
    "BatchNormalization",
    "BitShift",
    "BitwiseAnd",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseXor",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Compress",
    "Concat",
    "ConcatFromSequence",
    "Conv",
    "Cos",
    "Cosh",
    "CumSum",
    "Div",
    "Dropout",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "IsInf",
    "IsNaN",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "MeanVarianceNormalization",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "NonMaxSuppression",
    "NonZero",
    "Not",
    "Optional",
    "OptionalGetElement",
    "OptionalHasElement",
    "Or",
    "PRelu",
    "Pad",
    "Pow",
    "RMSNormalization",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Round",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "SequenceConstruct",
    "SequenceInsert",
    "Shape",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "SplitToSequence",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Swish",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
    "Tile",
    "TopK",
    "Transpose",
    "Trilu",
    "Unique",
    "Unsqueeze",
    "Where",
    "Xor",
};

// Those of the domain com.microsoft. Sorted.
constexpr std::string_view kMicrosoftTaking[] = {
    "BiasGelu", "FastGelu", "FusedConv", "FusedGemm", "FusedMatMul", "Gelu", "QuickGelu", "TransposeMatMul", "Trilu",
};

/// How many of the leading dims of an operand are rows that have nothing to do with each other.
using CountRows = absl::StatusOr<int64_t> (*)(const NodeContext &);

absl::StatusOr<int64_t> one(const NodeContext &) { return 1; }

absl::StatusOr<int64_t> allButMatrix(const NodeContext &node) { return std::max<int64_t>(node.rank(0) - 2, 0); }

/// All dims where one number is for all elements, else those in front of the axis that has several.
template <int scale>
absl::StatusOr<int64_t> inFrontOfScales(const NodeContext &node) {
  if (node.build.type(node.input(scale)).elements() == 1) return node.rank(0);
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", 1));
  return normalizeAxis(axis, node.rank(0));
}

/// The rows of a product whose right side, operand \p right, is one matrix.
template <int right>
absl::StatusOr<int64_t> ofProduct(const NodeContext &node) {
  return node.rank(right) == 2 ? node.rank(0) - 1 : int64_t{0};
}

/// Where the new dim comes last, all of those that there are.
absl::StatusOr<int64_t> inFrontOfNewDim(const NodeContext &node) {
  HONE_ASSIGN_OR_RETURN(int64_t axis, node.integer("axis", -1));
  return axis < 0 ? axis + node.rank(0) + 1 : axis;
}

/// Those that keep their extent, by the factors or extents that are given.
absl::StatusOr<int64_t> notResized(const NodeContext &node) {
  if (node.version() >= 18 && node.hasAttribute("axes")) {
    HONE_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, node.integers("axes"));
    HONE_ASSIGN_OR_RETURN(const std::vector<int64_t> resized, normalizeAxes(axes, node.rank(0)));
    return resized.empty() ? node.rank(0) : resized.front();
  }
  return std::min<int64_t>(node.rank(0), 2);
}

struct RowOperator {
  std::string_view name;
  int operand;  ///< whose rows they are
  int beside;   ///< another operand that has one for each, or -1
  CountRows count;
  int sizes = -1;  ///< an operand that may say again how many rows there are
};

// Sorted.
constexpr RowOperator kRowOperators[] = {
    {"ConvTranspose", 0, -1, one},
    {"DepthToSpace", 0, -1, one},
    {"DequantizeLinear", 0, -1, inFrontOfScales<1>},
    {"Det", 0, -1, allButMatrix},
    {"GlobalLpPool", 0, -1, one},
    {"GridSample", 0, 1, one},
    {"GroupNormalization", 0, -1, one},
    {"InstanceNormalization", 0, -1, one},
    {"LRN", 0, -1, one},
    {"LpPool", 0, -1, one},
    {"MatMulInteger", 0, -1, ofProduct<1>},
    {"OneHot", 0, -1, inFrontOfNewDim},
    {"QLinearConv", 0, -1, one},
    {"QLinearMatMul", 0, -1, ofProduct<3>},
    {"QuantizeLinear", 0, -1, inFrontOfScales<1>},
    {"Resize", 0, -1, notResized, 3},
    {"RoiAlign", 1, 2, one},
    {"SpaceToDepth", 0, -1, one},
};

const RowOperator *findRowOperator(std::string_view name) {
  const auto *const found = std::find_if(std::begin(kRowOperators), std::end(kRowOperators),
                                         [&](const RowOperator &known) { return known.name == name; });
  return found == std::end(kRowOperators) ? nullptr : found;
}

/// \p value with the extents of the first \p rows dims of \p data.
Result withRows(Builder &build, ValueId value, ValueId data, int64_t rows) {
  Extents extents(build.shape(value).size(), -1);
  for (int64_t axis = 0; axis < std::min(rows, build.rank(data)); ++axis) {
    if (!build.isBounded(data, axis)) continue;
    const auto along = static_cast<size_t>(axis);
    if (axis >= build.rank(value) || build.shape(value)[along] != build.shape(data)[along]) {
      return unsupported("dim ", axis, ", whose size depends on data, changes its size");
    }
    extents[along] = build.extents(data)[along];
  }
  return build.bounded(value, std::move(extents));
}

/// The list \p sizes with bounds in the place of the sizes of \p data: as if all rows were there.
Result boundsOf(Builder &build, ValueId sizes, ValueId data) {
  HONE_ASSIGN_OR_RETURN(std::vector<ValueId> elements, elementsOf(build, sizes));
  const Extents &extents = build.extents(data);
  for (ValueId &size : elements) {
    const auto found = std::find(extents.begin(), extents.end(), size);
    if (found == extents.end()) continue;
    const int64_t bound = build.shape(data)[static_cast<size_t>(found - extents.begin())];
    HONE_ASSIGN_OR_RETURN(size, build.integer(DType::I64, bound));
  }
  return listOf(build, elements);
}

}  // namespace

absl::StatusOr<Operands> importByRows(const Operator &row, NodeContext &node) {
  const RowOperator &known = *findRowOperator(row.name);
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(const int64_t rows, known.count(node));
  const ValueId data = node.input(known.operand);
  std::vector<ValueId> padded;
  for (int i = 0; i < node.inputCount(); ++i) {
    padded.push_back(node.has(i) ? node.input(i) : kOmitted);
    if (node.has(i) && i == known.sizes && build.numbers(node.input(i)) != nullptr) {
      HONE_ASSIGN_OR_RETURN(padded.back(), boundsOf(build, node.input(i), data));
      if (build.constant(padded.back()) == nullptr) {
        return unsupported("operand ", i,
                           " has sizes that depend on data besides the number of rows, which does, too; "
                           "make that one fixed, for example by TopK with a constant k");
      }
    }
    if (!node.has(i) || !build.isBounded(node.input(i))) continue;
    const int64_t taken = i == known.operand ? rows : i == known.beside ? std::min<int64_t>(rows, 1) : 0;
    for (int64_t axis = taken; axis < node.rank(i); ++axis) {
      if (!build.isBounded(node.input(i), axis)) continue;
      return unsupported("dim ", axis, " of operand ", i,
                         " has a size that depends on data, which this operator takes of rows alone; make it fixed in "
                         "front of it, for example by TopK with a constant k");
    }
    HONE_ASSIGN_OR_RETURN(padded.back(), build.asBounds(node.input(i), node.shape(i)));
  }
  NodeContext plain = node.withInputs(padded, node.version());
  HONE_ASSIGN_OR_RETURN(Operands outputs, row.import(plain));
  for (Operand &output : outputs) {
    HONE_ASSIGN_OR_RETURN(output, withRows(build, tensorOf(output), data, rows));
  }
  return outputs;
}

bool takesBoundedRows(std::string_view name) { return findRowOperator(name) != nullptr; }

bool takesBoundedSizes(std::string_view domain, std::string_view name) {
  if (domain == "com.microsoft") {
    return std::binary_search(std::begin(kMicrosoftTaking), std::end(kMicrosoftTaking), name);
  }
  return domain.empty() && std::binary_search(std::begin(kTaking), std::end(kTaking), name);
}

}  // namespace hone::frontend
