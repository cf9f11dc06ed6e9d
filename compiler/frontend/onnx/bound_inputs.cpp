#include "compiler/frontend/onnx/bound_inputs.h"

#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/onnx/tensor_proto.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using Dims = google::protobuf::RepeatedPtrField<onnx::TensorShapeProto_Dimension>;

std::string_view dtypeName(DType dtype) { return name(dtype); }

absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

/// Some exporters write 0 or -1 where they do not know.
bool isKnown(const onnx::TensorShapeProto_Dimension &dim) { return dim.has_dim_value() && dim.dim_value() > 0; }

std::string declaredShape(const Dims &dims) {
  return absl::StrCat("[",
                      absl::StrJoin(dims, ",",
                                    [](std::string *out, const onnx::TensorShapeProto_Dimension &dim) {
                                      out->append(isKnown(dim)              ? absl::StrCat(dim.dim_value())
                                                  : dim.dim_param().empty() ? "?"
                                                                            : dim.dim_param());
                                    }),
                      "]");
}

/// The range of the integers of \p bytes bytes.
std::pair<int64_t, int64_t> signedRange(int64_t bytes) {
  const int64_t most = std::numeric_limits<int64_t>::max() >> (64 - 8 * bytes);
  return {-most - 1, most};
}

/// One number as an integer that keeps the bits of u64, or nothing.
std::optional<int64_t> parseInteger(absl::string_view text, DType dtype) {
  if (dtype == DType::Bool && (text == "true" || text == "false")) return text == "true";
  if (dtype == DType::U64) {
    uint64_t value = 0;
    return absl::SimpleAtoi(text, &value) ? std::optional<int64_t>(static_cast<int64_t>(value)) : std::nullopt;
  }
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) return std::nullopt;
  auto [least, most] = signedRange(sizeOf(dtype));
  if (dtype == DType::Bool) {
    least = 0, most = 1;
  } else if (!isSigned(dtype)) {
    most = most * 2 + 1, least = 0;
  }
  return value < least || value > most ? std::nullopt : std::optional<int64_t>(value);
}

absl::StatusOr<graph::Constant> parseNumbers(const std::string &text, graph::TensorType type) {
  std::vector<std::string> words;
  if (!absl::StripAsciiWhitespace(text).empty()) words = absl::StrSplit(text, ',');
  const auto wrong = [&](absl::string_view word) {
    return invalid("'", word, "' is no number of type ", view(dtypeName(type.dtype)),
                   "; write numbers with commas between them, or the name of a file that ends in .npy");
  };
  std::vector<int64_t> integers;
  std::vector<double> reals;
  for (const std::string &padded : words) {
    const absl::string_view word = absl::StripAsciiWhitespace(padded);
    double real = 0;
    if (isFloat(type.dtype)) {
      if (!absl::SimpleAtod(word, &real)) return wrong(word);
      reals.push_back(real);
    } else {
      const std::optional<int64_t> integer = parseInteger(word, type.dtype);
      if (!integer) return wrong(word);
      integers.push_back(*integer);
    }
  }
  return isFloat(type.dtype) ? graph::makeConstant(std::move(type), reals)
                             : graph::makeConstant(std::move(type), integers);
}

/// The shape that \p count numbers have in an input that is declared so.
absl::StatusOr<Shape> shapeOfNumbers(const onnx::TypeProto::Tensor &declared, int64_t count) {
  if (!declared.has_shape()) {
    return invalid("the model does not say how many dimensions it has; give a .npy file, whose shape counts");
  }
  const Dims &dims = declared.shape().dim();
  Shape shape;
  int64_t elements = 1;
  bool isOpen = false;
  for (const onnx::TensorShapeProto_Dimension &dim : dims) {
    isOpen = isOpen || !isKnown(dim);
    shape.push_back(isKnown(dim) ? dim.dim_value() : count);
    if (__builtin_mul_overflow(elements, shape.back(), &elements)) elements = -1;
  }
  if (isOpen && dims.size() != 1) {
    return invalid("numbers do not say which shape is meant by ", declaredShape(dims),
                   "; give a .npy file, whose shape counts");
  }
  if (elements != count) {
    return invalid(count, count == 1 ? " number is given, but its shape " : " numbers are given, but its shape ",
                   declaredShape(dims), " asks for ", elements);
  }
  return shape;
}

absl::Status checkTensor(const onnx::TypeProto::Tensor &declared, DType dtype, const graph::TensorType &given) {
  const Dims &dims = declared.shape().dim();
  bool fits = given.dtype == dtype;
  if (declared.has_shape()) {
    fits = fits && static_cast<size_t>(dims.size()) == given.shape.size();
    for (int i = 0; fits && i < dims.size(); ++i) {
      fits = !isKnown(dims[i]) || dims[i].dim_value() == given.shape[static_cast<size_t>(i)];
    }
  }
  if (fits) return absl::OkStatus();
  return invalid("it is given as ", view(dtypeName(given.dtype)), graph::shapeText(given.shape),
                 ", but the model declares ", view(dtypeName(dtype)),
                 declared.has_shape() ? declaredShape(dims) : std::string());
}

absl::StatusOr<graph::Constant> readOne(const onnx::ValueInfoProto &input, const BoundValue &value,
                                        const ImportLimits &limits) {
  if (!input.type().has_tensor_type()) return unsupported("it is not a tensor");
  const onnx::TypeProto::Tensor &declared = input.type().tensor_type();
  HONE_ASSIGN_OR_RETURN(const ElementType element, readElementType(declared.elem_type()));
  const DType dtype = element.dtype;
  if (const auto *text = std::get_if<std::string>(&value)) {
    const bool isEmpty = absl::StripAsciiWhitespace(*text).empty();
    const std::vector<std::string> words = absl::StrSplit(*text, ',');
    HONE_ASSIGN_OR_RETURN(Shape shape, shapeOfNumbers(declared, isEmpty ? 0 : static_cast<int64_t>(words.size())));
    return parseNumbers(*text, {dtype, std::move(shape)});
  }
  const auto &constant = std::get<graph::Constant>(value);
  HONE_RETURN_IF_ERROR(checkTensor(declared, dtype, constant->type));
  HONE_ASSIGN_OR_RETURN(const int64_t elements, checkedElements(constant->type.shape, limits));
  const int64_t bytes = elements * sizeOf(dtype);
  if (static_cast<int64_t>(constant->bytes.size()) == bytes) return constant;
  return invalid("it is given with ", constant->bytes.size(), " bytes instead of ", bytes);
}

absl::Status settleExtents(const onnx::ValueInfoProto &input, const Shape &shape,
                           std::map<std::string, int64_t> &extents) {
  const Dims &dims = input.type().tensor_type().shape().dim();
  for (int i = 0; i < dims.size(); ++i) {
    const int64_t extent = shape[static_cast<size_t>(i)];
    if (isKnown(dims[i]) || dims[i].dim_param().empty()) continue;
    auto [entry, isNew] = extents.emplace(dims[i].dim_param(), extent);
    if (isNew || entry->second == extent) continue;
    return invalid("its dimension '", dims[i].dim_param(), "' is ", extent, ", but --bind makes it ", entry->second,
                   " in another input");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BoundInputs> readBoundInputs(const std::vector<const onnx::ValueInfoProto *> &inputs,
                                            const std::map<std::string, BoundValue> &given,
                                            const ImportLimits &limits) {
  BoundInputs result;
  std::vector<std::string> names;
  for (const onnx::ValueInfoProto *input : inputs) {
    names.push_back(absl::StrCat("'", input->name(), "'"));
    const auto found = given.find(input->name());
    if (found == given.end()) continue;
    absl::StatusOr<graph::Constant> constant = readOne(*input, found->second, limits);
    absl::Status status = constant.status();
    if (status.ok()) status = settleExtents(*input, (*constant)->type.shape, result.extents);
    if (!status.ok()) {
      return absl::Status(status.code(),
                          absl::StrCat("input '", input->name(), "', bound by --bind: ", status.message()));
    }
    result.constants.emplace(input->name(), *std::move(constant));
  }
  for (const auto &[name, value] : given) {
    if (result.constants.count(name) != 0) continue;
    return invalid("--bind names '", name, "', but the model's inputs are ",
                   names.empty() ? "none" : absl::StrJoin(names, ", "));
  }
  return result;
}

}  // namespace hone::frontend
