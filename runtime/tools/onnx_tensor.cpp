#include "runtime/tools/onnx_tensor.h"

#include <bit>
#include <cstring>
#include <optional>

namespace hone::runtime {
namespace {

constexpr size_t kMaxRank = 64;
constexpr uint64_t kMaxElements = uint64_t{1} << 40;

/// Element types by TensorProto.DataType; the position is the number. Those without a dtype are unsupported. Those of
/// fewer than 8 bits, and short floats, come as hone's networks have them (docs/types.md): one element in a byte, of
/// integers the number, of floats the bits.
struct ElementType {
  std::string_view name;
  std::optional<hone_dtype> dtype;
  int bits = 8;  ///< of an element that is packed without gaps; 8: not packed
};
constexpr ElementType kElementTypes[] = {
    {"undefined", std::nullopt},    {"float32", HONE_FLOAT32},
    {"uint8", HONE_UINT8},          {"int8", HONE_INT8},
    {"uint16", HONE_UINT16},        {"int16", HONE_INT16},
    {"int32", HONE_INT32},          {"int64", HONE_INT64},
    {"string", std::nullopt},       {"bool", HONE_BOOL},
    {"float16", HONE_FLOAT16},      {"float64", HONE_FLOAT64},
    {"uint32", HONE_UINT32},        {"uint64", HONE_UINT64},
    {"complex64", std::nullopt},    {"complex128", std::nullopt},
    {"bfloat16", HONE_BFLOAT16},    {"float8e4m3fn", HONE_UINT8},
    {"float8e4m3fnuz", HONE_UINT8}, {"float8e5m2", HONE_UINT8},
    {"float8e5m2fnuz", HONE_UINT8}, {"uint4", HONE_UINT8, 4},
    {"int4", HONE_INT8, 4},         {"float4e2m1", HONE_UINT8, 4},
    {"float8e8m0", HONE_UINT8},     {"uint2", HONE_UINT8, 2},
    {"int2", HONE_INT8, 2},         {"float6e2m3", HONE_UINT8, 6},
    {"float6e3m2", HONE_UINT8, 6},
};

/// Fields of a TensorProto.
enum Field : uint64_t {
  kDims = 1,
  kDataType = 2,
  kSegment = 3,
  kFloatData = 4,
  kInt32Data = 5,
  kInt64Data = 7,
  kName = 8,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11,
  kExternalData = 13,
  kDataLocation = 14,
};

/// Protobuf's wire format: tags, then varints, fixed words or counted bytes.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : bytes_(bytes) {}

  bool atEnd() const { return position_ == bytes_.size(); }

  bool varint(uint64_t &value) {
    value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (atEnd()) return false;
      const uint64_t byte = static_cast<unsigned char>(bytes_[position_++]);
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  bool take(uint64_t count, std::string_view &piece) {
    if (count > bytes_.size() - position_) return false;
    piece = bytes_.substr(position_, count);
    position_ += count;
    return true;
  }

 private:
  std::string_view bytes_;
  size_t position_ = 0;
};

/// One field of a message: a number, or bytes (of fixed words too).
struct Entry {
  uint64_t field = 0;
  bool isNumber = false;
  uint64_t number = 0;
  std::string_view bytes;
};

bool readEntry(WireReader &reader, Entry &entry) {
  uint64_t tag = 0, length = 0;
  if (!reader.varint(tag)) return false;
  entry = {};
  entry.field = tag >> 3;
  switch (tag & 7) {
    case 0:
      entry.isNumber = true;
      return reader.varint(entry.number);
    case 1:
      return reader.take(8, entry.bytes);
    case 2:
      return reader.varint(length) && reader.take(length, entry.bytes);
    case 5:
      return reader.take(4, entry.bytes);
    default:
      return false;
  }
}

/// What a TensorProto says, before its parts are compared with each other.
struct Message {
  std::string name;
  std::vector<int64_t> dims;
  uint64_t dataType = 0;
  std::optional<std::string> raw;
  std::string typed;         ///< elements of the typed lists, as wide as `dtype`
  bool isElsewhere = false;  ///< data in another file, or in several pieces
};

/// Appends numbers, which stand alone or packed, each cut to \p size bytes.
bool appendNumbers(const Entry &entry, size_t size, std::string &to) {
  WireReader reader(entry.bytes);
  uint64_t value = entry.number;
  bool isFirst = entry.isNumber;
  while (isFirst || !reader.atEnd()) {
    if (!isFirst && !reader.varint(value)) return false;
    isFirst = false;
    to.append(reinterpret_cast<const char *>(&value), size);
  }
  return true;
}

bool readDims(const Entry &entry, std::vector<int64_t> &dims) {
  std::string bytes;
  if (!appendNumbers(entry, sizeof(int64_t), bytes)) return false;
  for (size_t at = 0; at < bytes.size(); at += sizeof(int64_t)) {
    int64_t extent = 0;
    std::memcpy(&extent, bytes.data() + at, sizeof(extent));
    dims.push_back(extent);
  }
  return dims.size() <= kMaxRank;
}

bool readField(const Entry &entry, Message &message, size_t elementSize) {
  switch (entry.field) {
    case kDims:
      return readDims(entry, message.dims);
    case kName:
      message.name = entry.bytes;
      return !entry.isNumber;
    case kRawData:
      message.raw.emplace(entry.bytes);
      return !entry.isNumber;
    case kFloatData:
    case kDoubleData:
      message.typed.append(entry.bytes);
      return !entry.isNumber && entry.bytes.size() % (entry.field == kFloatData ? 4 : 8) == 0;
    case kInt32Data:
    case kInt64Data:
    case kUint64Data:
      return appendNumbers(entry, elementSize, message.typed);
    case kSegment:
    case kExternalData:
      message.isElsewhere = true;
      return true;
    case kDataLocation:
      message.isElsewhere = message.isElsewhere || entry.number != 0;
      return true;
    default:
      return true;
  }
}

/// The type decides how wide the elements of the lists are, so it is looked for first.
bool readMessage(std::string_view bytes, Message &message) {
  Entry entry;
  for (WireReader reader(bytes); !reader.atEnd();) {
    if (!readEntry(reader, entry)) return false;
    if (entry.field != kDataType) continue;
    if (!entry.isNumber) return false;
    message.dataType = entry.number;
  }
  size_t size = 1;
  if (message.dataType < std::size(kElementTypes) && kElementTypes[message.dataType].dtype) {
    size = hone_dtype_size(*kElementTypes[message.dataType].dtype);
  }
  for (WireReader reader(bytes); !reader.atEnd();) {
    if (!readEntry(reader, entry) || !readField(entry, message, size)) return false;
  }
  return true;
}

/// The number of elements; nothing when an extent is negative or there are too many.
std::optional<uint64_t> countElements(const std::vector<int64_t> &dims) {
  uint64_t count = 1;
  for (const int64_t extent : dims) {
    if (extent < 0 || static_cast<uint64_t>(extent) > kMaxElements) return std::nullopt;
    count *= static_cast<uint64_t>(extent);
    if (count > kMaxElements) return std::nullopt;
  }
  return count;
}

/// \p count elements of \p packed, the first in the lowest bits, one in a byte each.
std::string unpacked(std::string_view packed, const ElementType &type, uint64_t count) {
  const int unused = 8 - type.bits;
  const auto byte = [&](uint64_t at) {
    return at < packed.size() ? static_cast<unsigned>(static_cast<unsigned char>(packed[at])) : 0U;
  };
  std::string result;
  result.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t start = i * static_cast<uint64_t>(type.bits);
    // Moved to the top of a byte and back, where the sign of a signed number spreads.
    const auto high = static_cast<uint8_t>((byte(start / 8) | byte(start / 8 + 1) << 8) >> (start % 8) << unused);
    result += static_cast<char>(*type.dtype == HONE_INT8 ? static_cast<int8_t>(high) >> unused : high >> unused);
  }
  return result;
}

}  // namespace

static_assert(std::endian::native == std::endian::little);

Result<NamedArray> parseOnnxTensor(std::string_view bytes, std::string_view file) {
  Message message;
  if (!readMessage(bytes, message) || message.dataType >= std::size(kElementTypes) || message.dataType == 0) {
    return refused("'", file, "' holds no tensor: it is damaged, or it is a sequence, an optional or something else");
  }
  const ElementType &type = kElementTypes[message.dataType];
  if (!type.dtype) return refused("'", file, "' holds elements of type ", type.name, ", which no model of hone's has");
  if (message.isElsewhere) return refused("'", file, "' keeps its data in another file, which is never opened");
  const std::optional<uint64_t> elements = countElements(message.dims);
  if (!elements) return refused("'", file, "' has a shape that no tensor can have");
  std::string &data = message.raw ? *message.raw : message.typed;
  // Lists have an entry for each element of 6 bits or more.
  const bool isPacked = type.bits < 6 || (type.bits == 6 && message.raw);
  const uint64_t expected =
      isPacked ? (*elements * static_cast<uint64_t>(type.bits) + 7) / 8 : *elements * hone_dtype_size(*type.dtype);
  if (data.size() != expected) {
    return refused("'", file, "' holds ", data.size(), " bytes of data; its shape asks for ", expected);
  }
  if (isPacked) data = unpacked(data, type, *elements);
  if (*type.dtype == HONE_BOOL) {
    for (char &byte : data) byte = byte != 0 ? 1 : 0;
  }
  return NamedArray{std::move(message.name), {*type.dtype, std::move(message.dims), std::move(data)}};
}

}  // namespace hone::runtime
