// Binding of the dimensions of the model's inputs.
#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/onnx/model.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

/// What exporters write for "I do not know": no names, for dims that are called so need not be equal.
constexpr std::string_view kNoNames[] = {"?", "*", "-1", "None"};

struct Dimension {
  std::optional<int64_t> extent;  ///< empty: not known
  std::string name;               ///< shared by dims that are equal; may be empty
};

struct Input {
  std::string name;
  DType dtype = DType::F32;
  std::optional<std::vector<Dimension>> dims;  ///< empty: not even the rank is known
};

absl::StatusOr<Input> readInput(const onnx::ValueInfoProto &proto, const ImportLimits &limits) {
  Input input;
  input.name = proto.name();
  if (!proto.type().has_tensor_type()) {
    return unsupported("input '", input.name,
                       "' is not a tensor (but a sequence, an optional or a map); export the "
                       "model with an input for each of its tensors");
  }
  const onnx::TypeProto::Tensor &type = proto.type().tensor_type();
  absl::StatusOr<ElementType> element = readElementType(type.elem_type());
  if (!element.ok()) {
    return absl::Status(element.status().code(),
                        absl::StrCat("input '", input.name, "': ", element.status().message()));
  }
  input.dtype = element->dtype;
  if (!type.has_shape()) return input;
  if (type.shape().dim_size() > limits.rank) {
    return invalid("input '", input.name, "' has ", type.shape().dim_size(), " dimensions; the limit is ", limits.rank);
  }
  input.dims.emplace();
  for (const auto &dim : type.shape().dim()) {
    // Some exporters write 0 or -1 where they do not know.
    std::optional<int64_t> extent;
    if (dim.has_dim_value() && dim.dim_value() > 0) extent = dim.dim_value();
    const std::string &name = dim.dim_param();
    bool isName = std::find(std::begin(kNoNames), std::end(kNoNames), name) == std::end(kNoNames);
    input.dims->push_back({extent, isName ? name : ""});
  }
  return input;
}

std::string inputNames(const std::vector<Input> &inputs) {
  std::vector<std::string> names;
  for (const Input &input : inputs) names.push_back(absl::StrCat("'", input.name, "'"));
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

/// "[N,3,?,?]"
std::string declaredShape(const Input &input) {
  std::vector<std::string> dims;
  for (const Dimension &dim : *input.dims) {
    dims.push_back(dim.extent ? absl::StrCat(*dim.extent) : dim.name.empty() ? "?" : dim.name);
  }
  return absl::StrCat("[", absl::StrJoin(dims, ","), "]");
}

/// A shape that could be meant: one sample, an image of the usual size, a sequence of the usual length.
std::string suggestedShape(const Input &input) {
  if (!input.dims) return "[1,3,224,224]";
  std::vector<std::string> dims;
  size_t rank = input.dims->size();
  for (size_t i = 0; i < rank; ++i) {
    int64_t usual = i == 0 ? 1 : rank == 4 ? (i == 1 ? 3 : 224) : 128;
    dims.push_back(absl::StrCat((*input.dims)[i].extent.value_or(usual)));
  }
  return absl::StrCat("[", absl::StrJoin(dims, ","), "]");
}

/// Puts the given shape into the input, and the extents of its named dims into \p extents.
absl::Status bind(const graph::Shape &shape, Input &input, std::map<std::string, int64_t> &extents) {
  if (!input.dims) input.dims.emplace(shape.size());
  if (input.dims->size() != shape.size()) {
    return invalid("input '", input.name, "' has ", input.dims->size(), " dimensions, ", declaredShape(input),
                   ", but --input-shapes gives ", graph::shapeText(shape));
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    Dimension &dim = (*input.dims)[i];
    if (shape[i] < 0) continue;
    if (dim.extent && *dim.extent != shape[i]) {
      return invalid("dimension ", i, " of input '", input.name, "' is ", *dim.extent,
                     " in the model, but --input-shapes gives ", shape[i],
                     "; export the model with a dynamic dimension to choose it here");
    }
    dim.extent = shape[i];
    if (dim.name.empty()) continue;
    auto [entry, isNew] = extents.emplace(dim.name, shape[i]);
    if (!isNew && entry->second != shape[i]) {
      return invalid("--input-shapes binds the dimension '", dim.name, "' to ", entry->second, " and, in input '",
                     input.name, "', to ", shape[i]);
    }
  }
  return absl::OkStatus();
}

absl::Status unboundError(const std::vector<Input> &inputs) {
  std::vector<std::string> sentences, flags;
  std::string parameter;
  for (const Input &input : inputs) {
    bool isBound = input.dims.has_value();
    for (size_t i = 0; isBound && i < input.dims->size(); ++i) isBound = (*input.dims)[i].extent.has_value();
    if (isBound) continue;
    sentences.push_back(absl::StrCat("'", input.name, "' ", input.dims ? declaredShape(input) : "of unknown rank"));
    flags.push_back(absl::StrCat(input.name, ":", suggestedShape(input)));
    if (input.dims && input.dims->size() == 1 && isInteger(input.dtype)) parameter = input.name;
  }
  if (sentences.empty()) return absl::OkStatus();
  return invalid(sentences.size() == 1 ? "the input " : "the inputs ", absl::StrJoin(sentences, ", "),
                 sentences.size() == 1 ? " has" : " have", " dimensions that are not bound; add --input-shapes \"",
                 absl::StrJoin(flags, " "), "\" with the extents that you mean",
                 parameter.empty() ? "" : absl::StrCat(", or --bind ", parameter, "=VALUE if that is a shape or axes"));
}

}  // namespace

absl::StatusOr<std::map<std::string, graph::TensorType>> bindInputs(
    const std::vector<const onnx::ValueInfoProto *> &protos, const std::map<std::string, graph::Shape> &shapes,
    std::map<std::string, int64_t> extents, const ImportLimits &limits) {
  std::vector<Input> inputs;
  std::map<std::string, graph::Shape> unknown = shapes;
  for (const onnx::ValueInfoProto *proto : protos) {
    HONE_ASSIGN_OR_RETURN(Input input, readInput(*proto, limits));
    auto given = shapes.find(input.name);
    if (given != shapes.end()) HONE_RETURN_IF_ERROR(bind(given->second, input, extents));
    unknown.erase(input.name);
    inputs.push_back(std::move(input));
  }
  if (!unknown.empty()) {
    return invalid("--input-shapes names '", unknown.begin()->first, "', but the model's inputs are ",
                   inputNames(inputs));
  }
  for (Input &input : inputs) {
    for (size_t i = 0; input.dims && i < input.dims->size(); ++i) {
      Dimension &dim = (*input.dims)[i];
      auto bound = extents.find(dim.name);
      if (!dim.extent && bound != extents.end()) dim.extent = bound->second;
    }
  }
  HONE_RETURN_IF_ERROR(unboundError(inputs));
  std::map<std::string, graph::TensorType> types;
  for (const Input &input : inputs) {
    graph::TensorType type{input.dtype, {}};
    for (const Dimension &dim : *input.dims) type.shape.push_back(*dim.extent);
    absl::Status size = checkedElements(type.shape, limits).status();
    if (!size.ok()) return invalid("input '", input.name, "': ", size.message());
    types.emplace(input.name, std::move(type));
  }
  return types;
}

}  // namespace hone::frontend
