// What prepares features: scaling, filling in, encoding, choosing.
#include <cmath>
#include <numeric>

#include "compiler/base/status.h"
#include "compiler/frontend/onnx/ml_operators.h"
#include "compiler/frontend/onnx/ml_scores.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Op = ScalarOp;

/// A list of one number, or of one for each feature: the last dim of the data.
absl::Status checkPerFeature(const NodeContext &node, const char *name, size_t count) {
  const int64_t features = node.rank(0) == 0 ? 1 : node.shape(0).back();
  if (count == 1 || static_cast<int64_t>(count) == features) return absl::OkStatus();
  return invalid("attribute '", name, "' has ", count, " entries, neither 1 nor one for each of ", features,
                 " features");
}

Result perFeature(NodeContext &node, const char *name, DType dtype, const std::vector<double> &values) {
  HONE_RETURN_IF_ERROR(checkPerFeature(node, name, values.size()));
  return constantOf(node.build, dtype, {static_cast<int64_t>(values.size())}, values);
}

/// Both equal, NaN and NaN too where \p matchesNan.
Result same(Builder &build, const Result &a, const Result &b, bool matchesNan) {
  Result isEqual = build.apply(Op::Equal, {a, b});
  if (!matchesNan) return isEqual;
  Result areNan = build.apply(Op::And, {build.apply(Op::IsNan, {a}), build.apply(Op::IsNan, {b})});
  return build.apply(Op::Or, {isEqual, areNan});
}

/// The keys or the values of a LabelEncoder: the one of several attributes that is given.
absl::StatusOr<graph::Constant> oneOf(const NodeContext &node, const std::string &prefix) {
  if (node.hasAttribute(prefix + "_tensor")) return node.tensor(prefix + "_tensor");
  if (node.hasAttribute(prefix + "_floats")) {
    HONE_ASSIGN_OR_RETURN(std::vector<double> values, node.reals(prefix + "_floats"));
    return graph::makeConstant({DType::F32, {static_cast<int64_t>(values.size())}}, values);
  }
  if (node.hasAttribute(prefix + "_int64s")) {
    HONE_ASSIGN_OR_RETURN(std::vector<int64_t> values, node.integers(prefix + "_int64s"));
    return graph::makeConstant({DType::I64, {static_cast<int64_t>(values.size())}}, values);
  }
  return unsupported("the ", prefix, " are text: ", absl::string_view(kText.data(), kText.size()));
}

/// What stands for keys that are not there, of the values' \p dtype.
absl::StatusOr<graph::Constant> defaultOf(const NodeContext &node, DType dtype) {
  if (node.hasAttribute("default_tensor")) {
    HONE_ASSIGN_OR_RETURN(graph::Constant tensor, node.tensor("default_tensor"));
    if (tensor->type.elements() == 1) return tensor;
    return invalid("attribute 'default_tensor' has ", tensor->type.elements(), " elements instead of 1");
  }
  if (isFloat(dtype)) {
    HONE_ASSIGN_OR_RETURN(double value, node.real("default_float", -0.0));
    return graph::makeConstant({dtype, {1}}, std::vector<double>{value});
  }
  HONE_ASSIGN_OR_RETURN(int64_t value, node.integer("default_int64", -1));
  return graph::makeConstant({dtype, {1}}, std::vector<int64_t>{value});
}

}  // namespace

Result importScaler(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(std::vector<double> offsets, node.reals("offset"));
  HONE_ASSIGN_OR_RETURN(std::vector<double> scales, node.reals("scale"));
  const DType dtype = node.dtype(0) == DType::F64 ? DType::F64 : DType::F32;
  Result centred = build.apply(Op::Sub, {build.cast(node.input(0), dtype), perFeature(node, "offset", dtype, offsets)});
  Result scaled = build.apply(Op::Mul, {centred, perFeature(node, "scale", dtype, scales)});
  return build.cast(scaled, DType::F32);
}

// Rows whose divisor is 0 stay as they are.
Result importNormalizer(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(std::string norm, node.text("norm", "MAX"));
  Result x = build.cast(node.input(0), DType::F32);
  const int64_t rank = node.rank(0);
  if (rank < 1) return invalid("takes rows of features, not a scalar");
  const std::vector<int64_t> axes = {rank == 1 ? 0 : 1};
  Result size;
  if (norm == "MAX") {
    size = build.reduce(graph::ReduceKind::Max, x, axes, true);
  } else if (norm == "L1") {
    size = build.reduce(graph::ReduceKind::Sum, build.apply(Op::Abs, {x}), axes, true);
  } else if (norm == "L2") {
    size = build.apply(Op::Sqrt, {build.reduce(graph::ReduceKind::Sum, build.apply(Op::Mul, {x, x}), axes, true)});
  } else {
    return invalid("attribute 'norm' is '", norm, "', not MAX, L1 or L2");
  }
  Result isNothing = build.apply(Op::Equal, {size, build.number(DType::F32, 0)});
  return build.apply(Op::Div, {x, build.apply(Op::Select, {isNothing, build.number(DType::F32, 1), size})});
}

Result importBinarizer(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(double threshold, node.real("threshold", 0.0));
  const DType dtype = node.dtype(0) == DType::F64 ? DType::F64 : DType::F32;
  Result isAbove = build.apply(Op::Less, {build.number(dtype, threshold), build.cast(node.input(0), dtype)});
  return build.cast(isAbove, node.dtype(0));
}

Result importImputer(NodeContext &node) {
  Builder &build = node.build;
  const DType dtype = node.dtype(0);
  Result x = node.input(0);
  if (isFloat(dtype)) {
    HONE_ASSIGN_OR_RETURN(std::vector<double> values, node.reals("imputed_value_floats"));
    HONE_ASSIGN_OR_RETURN(double replaced, node.real("replaced_value_float", 0.0));
    Result isMissing =
        std::isnan(replaced) ? build.apply(Op::IsNan, {x}) : build.apply(Op::Equal, {x, build.number(dtype, replaced)});
    return build.apply(Op::Select, {isMissing, perFeature(node, "imputed_value_floats", dtype, values), x});
  }
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> values, node.integers("imputed_value_int64s"));
  HONE_ASSIGN_OR_RETURN(int64_t replaced, node.integer("replaced_value_int64", 0));
  HONE_RETURN_IF_ERROR(checkPerFeature(node, "imputed_value_int64s", values.size()));
  Result isMissing = build.apply(Op::Equal, {x, build.integer(dtype, replaced)});
  return build.apply(Op::Select, {isMissing, build.cast(build.integers(values), dtype), x});
}

// Each part has the width that is said, cut or filled up with zeros.
Result importFeatureVectorizer(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> widths, integersOrNone(node, "inputdimensions"));
  if (!widths.empty() && static_cast<int>(widths.size()) != node.inputCount()) {
    return invalid("attribute 'inputdimensions' has ", widths.size(), " entries for ", node.inputCount(), " operands");
  }
  std::vector<Result> parts;
  for (int i = 0; i < node.inputCount(); ++i) {
    if (!node.has(i)) return invalid("operand ", i, " is missing");
    HONE_ASSIGN_OR_RETURN(ValueId rows, featureRows(node.withInputs({node.input(i)}, node.version()), DType::F32));
    const int64_t count = build.shape(rows)[0], width = build.shape(rows)[1];
    const int64_t wanted = widths.empty() ? width : widths[static_cast<size_t>(i)];
    if (wanted < 1) return invalid("attribute 'inputdimensions' has ", wanted);
    HONE_RETURN_IF_ERROR(build.checkSize({DType::F32, {count, wanted}}));
    Result part = build.slice(rows, {0, 0}, {1, 1}, {count, std::min(width, wanted)});
    if (wanted > width) part = build.pad(part, {{0, 0, 0, wanted - width}, graph::PadMode::Constant, 0});
    parts.push_back(part);
  }
  return build.concat(parts, 1);
}

// A category that is not in the list gives zeros.
Result importOneHotEncoder(NodeContext &node) {
  Builder &build = node.build;
  if (!node.hasAttribute("cats_int64s")) {
    return unsupported("the categories are text: ", absl::string_view(kText.data(), kText.size()));
  }
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> categories, node.integers("cats_int64s"));
  Shape shape = node.shape(0);
  shape.push_back(1);
  Result data = build.reshape(build.cast(node.input(0), DType::I64), shape);
  return build.cast(build.apply(Op::Equal, {data, build.integers(categories)}), DType::F32);
}

Result importArrayFeatureExtractor(NodeContext &node) {
  Builder &build = node.build;
  if (node.rank(0) < 1) return invalid("takes 1 dim or more");
  if (!isInteger(node.dtype(1))) return invalid("the positions are not integers");
  Shape shape = node.shape(0);
  if (shape.size() == 1) shape.insert(shape.begin(), 1);
  Result places = build.reshape(node.input(1), {build.type(node.input(1)).elements()});
  return build.gather(build.reshape(node.input(0), shape), places, static_cast<int64_t>(shape.size()) - 1);
}

// Of keys that are there more than once, the last one counts.
Result importLabelEncoder(NodeContext &node) {
  Builder &build = node.build;
  HONE_ASSIGN_OR_RETURN(graph::Constant keys, oneOf(node, "keys"));
  HONE_ASSIGN_OR_RETURN(graph::Constant values, oneOf(node, "values"));
  const int64_t count = keys->type.elements();
  if (values->type.elements() != count) return invalid(values->type.elements(), " values for ", count, " keys");
  HONE_ASSIGN_OR_RETURN(graph::Constant otherwise, defaultOf(node, values->type.dtype));
  bool hasNan = false;
  for (int64_t i = 0; isFloat(keys->type.dtype) && i < count; ++i) {
    hasNan = hasNan || std::isnan(graph::elementAsDouble(*keys, i));
  }
  if (hasNan && !isFloat(node.dtype(0))) return invalid("a key is NaN, but the data are integers");
  const Shape shape = node.shape(0);
  Result data = build.reshape(node.input(0), {build.type(node.input(0)).elements(), 1});
  Result key = build.reshape(build.cast(build.constant(keys), node.dtype(0)), {count});
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 1);
  Result number = build.constant(graph::makeConstant({DType::I32, {count}}, numbers));
  Result found = build.apply(Op::Select, {same(build, data, key, hasNan), number, build.integer(DType::I32, 0)});
  Result place = build.reduce(graph::ReduceKind::Max, found, {1}, false);
  Result table = build.concat({build.cast(build.reshape(build.constant(otherwise), {1}), values->type.dtype),
                               build.reshape(build.constant(values), {count})},
                              0);
  return build.reshape(build.gather(table, place, 0), shape);
}

}  // namespace hone::frontend
