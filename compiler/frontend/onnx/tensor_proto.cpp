#include "compiler/frontend/onnx/tensor_proto.h"

#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/builder.h"
#include "compiler/frontend/onnx/external_data.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/print.h"

namespace hone::frontend {
namespace {

using onnx::TensorProto;

/// Copies a typed list of the message (int32_data, float_data, …) to elements of \p Element.
template <typename Element, typename List>
absl::Status copyList(const List &list, int64_t count, graph::ConstantData &result) {
  if (list.size() != count) return invalid("holds ", list.size(), " elements, its shape asks for ", count);
  for (int i = 0; i < list.size(); ++i) {
    auto value = static_cast<Element>(list[i]);
    std::memcpy(result.bytes.data() + static_cast<size_t>(i) * sizeof(Element), &value, sizeof(Element));
  }
  return absl::OkStatus();
}

absl::Status copyTyped(const TensorProto &tensor, int64_t count, graph::ConstantData &result) {
  switch (result.type.dtype) {
    case DType::F32:
      return copyList<float>(tensor.float_data(), count, result);
    case DType::F64:
      return copyList<double>(tensor.double_data(), count, result);
    case DType::I64:
      return copyList<int64_t>(tensor.int64_data(), count, result);
    case DType::U64:
      return copyList<uint64_t>(tensor.uint64_data(), count, result);
    case DType::U32:
      return copyList<uint32_t>(tensor.uint64_data(), count, result);
    case DType::I32:
      return copyList<int32_t>(tensor.int32_data(), count, result);
    case DType::I16:
    case DType::U16:
    case DType::F16:
    case DType::BF16:
      return copyList<uint16_t>(tensor.int32_data(), count, result);
    case DType::Bool:
    case DType::I8:
    case DType::U8:
      return copyList<uint8_t>(tensor.int32_data(), count, result);
  }
  return invalid("has an unknown element type");
}

/// Narrow elements in a row without gaps, \p stride bits each, the first in the lowest bits.
absl::Status unpackNarrow(std::string_view packed, int64_t stride, NarrowType type, int64_t count,
                          graph::ConstantData &result) {
  const int unused = 8 - bitsOf(type);
  const int64_t bytes = (count * stride + 7) / 8;
  if (static_cast<int64_t>(packed.size()) != bytes) {
    return invalid("holds ", packed.size(), " bytes, its shape ", graph::shapeText(result.type.shape), " asks for ",
                   bytes);
  }
  const auto byte = [&](int64_t at) {
    return at < bytes ? static_cast<unsigned>(static_cast<unsigned char>(packed[static_cast<size_t>(at)])) : 0U;
  };
  std::vector<char> elements(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t start = i * stride;
    // Moved to the top of a byte and back, where the sign of a signed number spreads.
    const auto high = static_cast<uint8_t>((byte(start / 8) | byte(start / 8 + 1) << 8) >> (start % 8) << unused);
    const bool hasSign = isSigned(result.type.dtype);
    elements[static_cast<size_t>(i)] =
        static_cast<char>(hasSign ? static_cast<int8_t>(high) >> unused : high >> unused);
  }
  result.bytes = std::move(elements);
  return absl::OkStatus();
}

absl::Status readNarrow(const TensorProto &tensor, NarrowType type, int64_t count, const ImportOptions &options,
                        graph::ConstantData &result) {
  // Unpacked they are larger than in the model.
  const int64_t most = options.limits.constantBytes;
  if (count > most) return invalid("the constants take more than ", most, " bytes");
  const int bits = bitsOf(type);
  if (isExternal(tensor)) {
    HONE_ASSIGN_OR_RETURN(const graph::ConstantBytes packed,
                          readExternal(tensor, (count * bits + 7) / 8, 1, options.dataFiles));
    return unpackNarrow(packed.text(), bits, type, count, result);
  }
  if (tensor.has_raw_data()) return unpackNarrow(tensor.raw_data(), bits, type, count, result);
  // Lists hold bytes of that, too, but one entry for each element of 6 bits or more.
  const std::string listed(tensor.int32_data().begin(), tensor.int32_data().end());
  return unpackNarrow(listed, bits < 6 ? bits : 8, type, count, result);
}

/// The elements that are in the message, as they are counted or as raw bytes.
absl::Status readInside(const TensorProto &tensor, int64_t count, graph::ConstantData &result) {
  const graph::Shape &shape = result.type.shape;
  const int64_t bytes = count * sizeOf(result.type.dtype);
  // Before allocating anything: the data must be there, whatever the shape says.
  if (tensor.has_raw_data() && static_cast<int64_t>(tensor.raw_data().size()) != bytes) {
    return invalid("holds ", tensor.raw_data().size(), " bytes, its shape ", graph::shapeText(shape), " asks for ",
                   bytes);
  }
  if (!tensor.has_raw_data() && static_cast<size_t>(count) > tensor.ByteSizeLong()) {
    return invalid("holds fewer elements than its shape ", graph::shapeText(shape), " asks for");
  }
  if (tensor.has_raw_data()) {
    result.bytes.assign(tensor.raw_data().begin(), tensor.raw_data().end());
    return absl::OkStatus();
  }
  result.bytes.resize(static_cast<size_t>(bytes));
  return copyTyped(tensor, count, result);
}

absl::StatusOr<graph::Constant> readData(const TensorProto &tensor, const ImportOptions &options) {
  if (tensor.has_segment()) return unsupported("is one segment of a tensor");
  HONE_ASSIGN_OR_RETURN(const ElementType type, readElementType(tensor.data_type()));
  graph::Shape shape(tensor.dims().begin(), tensor.dims().end());
  HONE_ASSIGN_OR_RETURN(int64_t count, checkedElements(shape, options.limits));
  auto result = std::make_shared<graph::ConstantData>();
  result->type = {type.dtype, std::move(shape)};
  if (type.narrow) {
    HONE_RETURN_IF_ERROR(readNarrow(tensor, *type.narrow, count, options, *result));
  } else if (isExternal(tensor)) {
    const int64_t size = sizeOf(type.dtype);
    HONE_ASSIGN_OR_RETURN(result->bytes, readExternal(tensor, count * size, size, options.dataFiles));
  } else {
    HONE_RETURN_IF_ERROR(readInside(tensor, count, *result));
  }
  if (type.dtype == DType::Bool) {
    for (char &byte : result->bytes) byte = byte != 0 ? 1 : 0;
  }
  return graph::Constant(std::move(result));
}

}  // namespace

absl::StatusOr<ElementType> readElementType(int64_t dataType) {
  switch (dataType) {
    case TensorProto::FLOAT:
      return DType::F32;
    case TensorProto::DOUBLE:
      return DType::F64;
    case TensorProto::FLOAT16:
      return DType::F16;
    case TensorProto::BFLOAT16:
      return DType::BF16;
    case TensorProto::INT8:
      return DType::I8;
    case TensorProto::INT16:
      return DType::I16;
    case TensorProto::INT32:
      return DType::I32;
    case TensorProto::INT64:
      return DType::I64;
    case TensorProto::UINT8:
      return DType::U8;
    case TensorProto::UINT16:
      return DType::U16;
    case TensorProto::UINT32:
      return DType::U32;
    case TensorProto::UINT64:
      return DType::U64;
    case TensorProto::BOOL:
      return DType::Bool;
    case TensorProto::STRING:
    case TensorProto::COMPLEX64:
    case TensorProto::COMPLEX128:
      return unsupported("element type ", TensorProto::DataType_Name(static_cast<TensorProto::DataType>(dataType)),
                         " is not supported");
    default:
      break;
  }
  // Those that came with later versions of the format, by number.
  constexpr NarrowType kNewer[] = {NarrowType::Float8E4M3FN,   NarrowType::Float8E4M3FNUZ, NarrowType::Float8E5M2,
                                   NarrowType::Float8E5M2FNUZ, NarrowType::UInt4,          NarrowType::Int4,
                                   NarrowType::Float4E2M1,     NarrowType::Float8E8M0,     NarrowType::UInt2,
                                   NarrowType::Int2,           NarrowType::Float6E2M3,     NarrowType::Float6E3M2};
  constexpr int64_t kFirst = 17;
  if (dataType >= kFirst && dataType < kFirst + static_cast<int64_t>(std::size(kNewer))) {
    return kNewer[static_cast<size_t>(dataType - kFirst)];
  }
  return invalid("element type ", dataType, " is unknown");
}

absl::StatusOr<DType> readDType(int64_t dataType) {
  HONE_ASSIGN_OR_RETURN(const ElementType type, readElementType(dataType));
  if (!type.narrow) return type.dtype;
  const std::string_view narrow = name(type);
  return unsupported("element type ", absl::string_view(narrow.data(), narrow.size()), " is not supported here");
}

absl::StatusOr<graph::Constant> readTensor(const TensorProto &tensor, const ImportOptions &options) {
  absl::StatusOr<graph::Constant> result = readData(tensor, options);
  if (result.ok()) return result;
  return absl::Status(result.status().code(),
                      absl::StrCat("tensor '", tensor.name(), "': ", result.status().message()));
}

absl::StatusOr<graph::Constant> readSparseTensor(const onnx::SparseTensorProto &tensor, const ImportOptions &options) {
  HONE_ASSIGN_OR_RETURN(graph::Constant values, readTensor(tensor.values(), options));
  HONE_ASSIGN_OR_RETURN(graph::Constant indices, readTensor(tensor.indices(), options));
  graph::Shape shape(tensor.dims().begin(), tensor.dims().end());
  const std::string &name = tensor.values().name();
  auto refuse = [&](const auto &...parts) { return invalid("sparse tensor '", name, "': ", parts...); };
  const ImportLimits &limits = options.limits;
  absl::StatusOr<int64_t> count = checkedElements(shape, limits);
  if (!count.ok()) return refuse(count.status().message());
  // The result must not be larger than what a model of this size may ask for.
  if (*count > limits.constantBytes / sizeOf(values->type.dtype)) {
    return refuse("the constants take more than ", limits.constantBytes, " bytes");
  }
  // Positions in row-major order, or one index per dim.
  const graph::Shape &listed = indices->type.shape;
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t given = values->type.elements(), perValue = listed.size() == 2 ? rank : 1;
  bool fits = indices->type.dtype == DType::I64 && values->type.shape.size() == 1 &&
              (listed == graph::Shape{given} || listed == graph::Shape{given, rank});
  if (!fits) return refuse("indices of shape ", graph::shapeText(listed), " do not go with ", given, " values");
  std::vector<int64_t> places(static_cast<size_t>(indices->type.elements()));
  graph::readElements(*indices, 0, 1, static_cast<int64_t>(places.size()), places.data());
  auto result = std::make_shared<graph::ConstantData>();
  const auto size = static_cast<size_t>(sizeOf(values->type.dtype));
  result->type = {values->type.dtype, shape};
  result->bytes.resize(static_cast<size_t>(*count) * size);
  for (int64_t i = 0; i < given; ++i) {
    int64_t position = 0;
    for (int64_t d = 0; d < perValue; ++d) {
      const int64_t index = places[static_cast<size_t>(i * perValue + d)];
      const int64_t extent = listed.size() == 2 ? shape[static_cast<size_t>(d)] : *count;
      if (index < 0 || index >= extent) return refuse("index ", index, " is outside of ", extent, " elements");
      position = position * extent + index;
    }
    std::memcpy(result->bytes.data() + static_cast<size_t>(position) * size,
                values->bytes.data() + static_cast<size_t>(i) * size, size);
  }
  return graph::Constant(std::move(result));
}

}  // namespace hone::frontend
