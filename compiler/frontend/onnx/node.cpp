#include "compiler/frontend/onnx/node.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/body.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/graph/constants.h"

namespace hone::frontend {
namespace {

using Attribute = onnx::AttributeProto;

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

/// Models of IR version 1 leave the type out; then what is there tells it.
Attribute::AttributeType typeOf(const Attribute &attribute) {
  if (attribute.type() != Attribute::UNDEFINED) return attribute.type();
  if (attribute.has_f()) return Attribute::FLOAT;
  if (attribute.has_i()) return Attribute::INT;
  if (attribute.has_s()) return Attribute::STRING;
  if (attribute.has_t()) return Attribute::TENSOR;
  if (attribute.has_g()) return Attribute::GRAPH;
  if (attribute.floats_size() != 0) return Attribute::FLOATS;
  if (attribute.ints_size() != 0) return Attribute::INTS;
  if (attribute.strings_size() != 0) return Attribute::STRINGS;
  return Attribute::UNDEFINED;
}

}  // namespace

NodeContext NodeContext::withInputs(const std::vector<ValueId> &inputs, int64_t version) const {
  Operands operands;
  for (const ValueId input : inputs) operands.push_back(input == kOmitted ? Operand() : Operand(input));
  return {proto_, version, std::move(operands), usedOutputs_, build, options_, subgraphs_};
}

const Attribute *NodeContext::find(std::string_view name) const {
  for (const Attribute &attribute : proto_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

absl::StatusOr<const Attribute *> NodeContext::get(std::string_view name, Attribute::AttributeType type) const {
  const Attribute *attribute = find(name);
  if (attribute == nullptr) return invalid("attribute '", view(name), "' is missing");
  if (Attribute::AttributeType found = typeOf(*attribute); found != type) {
    return invalid("attribute '", view(name), "' has type ", Attribute::AttributeType_Name(found), " instead of ",
                   Attribute::AttributeType_Name(type));
  }
  return attribute;
}

absl::StatusOr<int64_t> NodeContext::integer(std::string_view name, std::optional<int64_t> otherwise) const {
  if (otherwise && !hasAttribute(name)) return *otherwise;
  HONE_ASSIGN_OR_RETURN(const Attribute *attribute, get(name, Attribute::INT));
  return attribute->i();
}

absl::StatusOr<double> NodeContext::real(std::string_view name, std::optional<double> otherwise) const {
  if (otherwise && !hasAttribute(name)) return *otherwise;
  HONE_ASSIGN_OR_RETURN(const Attribute *attribute, get(name, Attribute::FLOAT));
  return static_cast<double>(attribute->f());
}

absl::StatusOr<ElementType> NodeContext::elementType(std::string_view name, ElementType otherwise) const {
  HONE_ASSIGN_OR_RETURN(const int64_t dataType, integer(name, 0));
  if (dataType == onnx::TensorProto::UNDEFINED) return otherwise;
  return readElementType(dataType);
}

absl::StatusOr<std::string> NodeContext::text(std::string_view name, std::optional<std::string> otherwise) const {
  if (otherwise && !hasAttribute(name)) return *otherwise;
  HONE_ASSIGN_OR_RETURN(const Attribute *attribute, get(name, Attribute::STRING));
  return attribute->s();
}

absl::StatusOr<size_t> NodeContext::choice(std::string_view name, const std::vector<std::string_view> &words) const {
  HONE_ASSIGN_OR_RETURN(std::string given, text(name, std::string(words[0])));
  const auto found = std::find(words.begin(), words.end(), given);
  if (found != words.end()) return static_cast<size_t>(found - words.begin());
  std::string known(words[0]);
  for (size_t i = 1; i < words.size(); ++i) known += (i + 1 < words.size() ? ", " : " or ") + std::string(words[i]);
  return invalid("attribute '", view(name), "' is '", given, "', not ", known);
}

absl::StatusOr<std::vector<int64_t>> NodeContext::integers(std::string_view name) const {
  const Attribute *attribute = find(name);
  // An empty list and a missing type cannot be told apart in models of IR version 1.
  if (attribute != nullptr && typeOf(*attribute) == Attribute::UNDEFINED) return std::vector<int64_t>();
  HONE_ASSIGN_OR_RETURN(attribute, get(name, Attribute::INTS));
  return std::vector<int64_t>(attribute->ints().begin(), attribute->ints().end());
}

absl::StatusOr<std::vector<double>> NodeContext::reals(std::string_view name) const {
  HONE_ASSIGN_OR_RETURN(const Attribute *attribute, get(name, Attribute::FLOATS));
  return std::vector<double>(attribute->floats().begin(), attribute->floats().end());
}

absl::StatusOr<std::vector<std::string>> NodeContext::texts(std::string_view name) const {
  HONE_ASSIGN_OR_RETURN(const Attribute *attribute, get(name, Attribute::STRINGS));
  return std::vector<std::string>(attribute->strings().begin(), attribute->strings().end());
}

absl::StatusOr<graph::Constant> NodeContext::tensor(std::string_view name) const {
  HONE_ASSIGN_OR_RETURN(const Attribute *attribute, get(name, Attribute::TENSOR));
  return readTensor(attribute->t(), options_);
}

Result NodeContext::tensorValue(std::string_view name) const {
  HONE_ASSIGN_OR_RETURN(graph::Constant constant, tensor(name));
  HONE_ASSIGN_OR_RETURN(const ElementType type, readElementType(find(name)->t().data_type()));
  HONE_ASSIGN_OR_RETURN(const ValueId value, build.constant(std::move(constant)));
  build.setElementType(value, type);
  return value;
}

absl::StatusOr<graph::Constant> NodeContext::sparseTensor(std::string_view name) const {
  HONE_ASSIGN_OR_RETURN(const Attribute *attribute, get(name, Attribute::SPARSE_TENSOR));
  return readSparseTensor(attribute->sparse_tensor(), options_);
}

absl::StatusOr<std::unique_ptr<Subgraph>> NodeContext::subgraph(std::string_view name) const {
  HONE_ASSIGN_OR_RETURN(const Attribute *attribute, get(name, Attribute::GRAPH));
  return subgraphs_(attribute->g());
}

std::string NodeContext::whatDecides(ValueId value) const {
  // Larger inputs are data: nobody writes them on a command line.
  constexpr int64_t kMostNumbers = 64;
  std::vector<std::string> names, flags;
  for (const graph::Port &input : build.inputsBehind(value)) {
    names.push_back(input.name);
    if (build.type(input.value).elements() <= kMostNumbers)
      flags.push_back(absl::StrCat("--bind ", input.name, "=VALUE"));
  }
  if (names.empty()) return "depends on the contents of the network's inputs";
  const bool isOne = names.size() == 1;
  const std::string follows = absl::StrCat("follows from the ", isOne ? "input " : "inputs ", listNames(names));
  if (flags.size() < names.size()) return follows;
  return absl::StrCat(follows, ", which ", absl::StrJoin(flags, " "), isOne ? " makes a constant" : " make constants");
}

absl::StatusOr<const graph::ConstantData *> NodeContext::constantInput(int position, std::string_view what) const {
  const graph::ConstantData *constant = build.constant(input(position));
  if (constant != nullptr && !build.isBounded(input(position))) return constant;
  const bool isSize = what == "sizes" || what == "shape";
  return unsupported("operand ", position, " (", view(what), ", value '", proto_.input(position),
                     "') depends on the contents of the network's inputs, but has to be known at compile time: it may "
                     "follow only from constants, from shapes, which --input-shapes binds, and from inputs that --bind "
                     "makes constants",
                     isSize ? ", or from numbers that Clip, Min and Max keep within constants" : "");
}

absl::StatusOr<std::vector<int64_t>> NodeContext::constantIntegers(int position, std::string_view what) const {
  HONE_ASSIGN_OR_RETURN(const graph::ConstantData *constant, constantInput(position, what));
  if (!isInteger(constant->type.dtype) || constant->type.shape.size() > 1) {
    return invalid("operand ", position, " (", view(what), ") has to be a list of integers");
  }
  std::vector<int64_t> result(static_cast<size_t>(constant->type.elements()));
  graph::readElements(*constant, 0, 1, constant->type.elements(), result.data());
  return result;
}

absl::StatusOr<int64_t> NodeContext::constantInteger(int position, std::string_view what) const {
  HONE_ASSIGN_OR_RETURN(std::vector<int64_t> values, constantIntegers(position, what));
  if (values.size() == 1) return values[0];
  return invalid("operand ", position, " (", view(what), ") has ", values.size(), " elements instead of 1");
}

absl::StatusOr<double> NodeContext::constantNumber(int position, std::string_view what) const {
  HONE_ASSIGN_OR_RETURN(const graph::ConstantData *constant, constantInput(position, what));
  if (constant->type.elements() == 1) return graph::elementAsDouble(*constant, 0);
  return invalid("operand ", position, " (", view(what), ") has ", constant->type.elements(), " elements instead of 1");
}

absl::StatusOr<std::optional<std::vector<int64_t>>> NodeContext::listFrom(std::string_view attribute,
                                                                          int position) const {
  std::optional<std::vector<int64_t>> result;
  if (has(position)) {
    HONE_ASSIGN_OR_RETURN(result, constantIntegers(position, attribute));
  } else if (hasAttribute(attribute)) {
    HONE_ASSIGN_OR_RETURN(result, integers(attribute));
  }
  return result;
}

}  // namespace hone::frontend
