#include "compiler/frontend/onnx/tensor_proto.h"

#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/builder.h"
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

absl::StatusOr<graph::Constant> readData(const TensorProto &tensor, const ImportLimits &limits) {
  if (tensor.data_location() == TensorProto::EXTERNAL || tensor.external_data_size() != 0) {
    return unsupported(
        "keeps its data in another file, which is never opened; save the model with its data inside "
        "(for example onnx.save(onnx.load(path), file, save_as_external_data=False))");
  }
  if (tensor.has_segment()) return unsupported("is one segment of a tensor");
  HONE_ASSIGN_OR_RETURN(DType dtype, readDType(tensor.data_type()));
  graph::Shape shape(tensor.dims().begin(), tensor.dims().end());
  HONE_ASSIGN_OR_RETURN(int64_t count, checkedElements(shape, limits));
  // Before allocating anything: the data must be there, whatever the shape says.
  int64_t bytes = count * sizeOf(dtype);
  if (tensor.has_raw_data() && static_cast<int64_t>(tensor.raw_data().size()) != bytes) {
    return invalid("holds ", tensor.raw_data().size(), " bytes, its shape ", graph::shapeText(shape), " asks for ",
                   bytes);
  }
  if (!tensor.has_raw_data() && static_cast<size_t>(count) > tensor.ByteSizeLong()) {
    return invalid("holds fewer elements than its shape ", graph::shapeText(shape), " asks for");
  }
  auto result = std::make_shared<graph::ConstantData>();
  result->type = {dtype, std::move(shape)};
  if (tensor.has_raw_data()) {
    result->bytes.assign(tensor.raw_data().begin(), tensor.raw_data().end());
  } else {
    result->bytes.resize(static_cast<size_t>(bytes));
    HONE_RETURN_IF_ERROR(copyTyped(tensor, count, *result));
  }
  if (dtype == DType::Bool) {
    for (char &byte : result->bytes) byte = byte != 0 ? 1 : 0;
  }
  return graph::Constant(std::move(result));
}

}  // namespace

absl::StatusOr<DType> readDType(int64_t dataType) {
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
      return invalid("element type ", dataType, " is unknown");
  }
}

absl::StatusOr<graph::Constant> readTensor(const TensorProto &tensor, const ImportLimits &limits) {
  absl::StatusOr<graph::Constant> result = readData(tensor, limits);
  if (result.ok()) return result;
  return absl::Status(result.status().code(),
                      absl::StrCat("tensor '", tensor.name(), "': ", result.status().message()));
}

absl::StatusOr<int64_t> checkedElements(const graph::Shape &shape, const ImportLimits &limits) {
  if (static_cast<int64_t>(shape.size()) > limits.rank) {
    return invalid("shape has ", shape.size(), " dimensions; the limit is ", limits.rank);
  }
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0) return invalid("shape ", graph::shapeText(shape), " has a negative extent");
    if (__builtin_mul_overflow(count, extent, &count) || count > limits.tensorElements ||
        extent > limits.tensorElements) {
      return invalid("shape ", graph::shapeText(shape), " has more than ", limits.tensorElements, " elements");
    }
  }
  return count;
}

}  // namespace hone::frontend
