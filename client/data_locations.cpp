#include "client/data_locations.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "text/printable.h"

namespace hone::client {

namespace {

using google::protobuf::io::CodedInputStream;

constexpr size_t kMostLocations = 1000;
constexpr int kLongestLocation = 1024;
constexpr int kLongestKey = 64;
constexpr int kDeepest = 64;

// The messages of onnx.proto on the way to where a tensor says that its data are.
enum class Message : uint8_t { Model, Function, Graph, Node, Attribute, SparseTensor, Tensor, Entry };

struct Field {
  Message in;
  uint32_t number;
  Message holds;
};

constexpr std::array kFields = {
    Field{Message::Model, 7, Message::Graph},              // graph
    Field{Message::Model, 25, Message::Function},          // functions
    Field{Message::Function, 7, Message::Node},            // node
    Field{Message::Function, 11, Message::Attribute},      // attribute_proto
    Field{Message::Graph, 1, Message::Node},               // node
    Field{Message::Graph, 5, Message::Tensor},             // initializer
    Field{Message::Graph, 15, Message::SparseTensor},      // sparse_initializer
    Field{Message::Node, 5, Message::Attribute},           // attribute
    Field{Message::Attribute, 5, Message::Tensor},         // t
    Field{Message::Attribute, 6, Message::Graph},          // g
    Field{Message::Attribute, 10, Message::Tensor},        // tensors
    Field{Message::Attribute, 11, Message::Graph},         // graphs
    Field{Message::Attribute, 22, Message::SparseTensor},  // sparse_tensor
    Field{Message::Attribute, 23, Message::SparseTensor},  // sparse_tensors
    Field{Message::SparseTensor, 1, Message::Tensor},      // values
    Field{Message::SparseTensor, 2, Message::Tensor},      // indices
    Field{Message::Tensor, 13, Message::Entry},            // external_data
};
constexpr uint32_t kDataLocation = 14;  // of a tensor
constexpr uint64_t kInside = 0, kExternal = 1;
constexpr uint32_t kKey = 1, kValue = 2;  // of an entry

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kDelimited = 2, kFixed32 = 5 };

const Field *find(Message in, uint32_t number) {
  for (const Field &field : kFields)
    if (field.in == in && field.number == number) return &field;
  return nullptr;
}

class Scan {
 public:
  explicit Scan(google::protobuf::io::ZeroCopyInputStream &model) : input_(&model) {
    input_.SetRecursionLimit(kDeepest);
  }

  absl::StatusOr<std::vector<std::string>> run() {
    Tensor none;
    const bool isWhole = readMessage(Message::Model, none) && input_.ConsumedEntireMessage();
    if (!refusal_.ok()) return refusal_;
    if (!isWhole) return std::vector<std::string>();
    return std::vector<std::string>(locations_.begin(), locations_.end());
  }

 private:
  // Of the tensor whose message is read; others leave it alone.
  struct Tensor {
    bool isExternal = false;
    std::vector<std::string> locations;
  };

  // Until the end of the message. False: it is damaged, or refused.
  bool readMessage(Message message, Tensor &tensor) {
    std::string key, value;
    while (const uint32_t tag = input_.ReadTag()) {
      const uint32_t number = tag >> 3, type = tag & 7;
      const Field *field = type == kDelimited ? find(message, number) : nullptr;
      bool isRead = true;
      if (field != nullptr)
        isRead = enter(field->holds, tensor);
      else if (message == Message::Entry && type == kDelimited && (number == kKey || number == kValue))
        isRead = readText(number == kKey ? kLongestKey : kLongestLocation, number == kKey ? key : value);
      else if (message == Message::Tensor && type == kVarint && number == kDataLocation)
        isRead = readDataLocation(tensor);
      else
        isRead = skip(type);
      if (!isRead) return false;
    }
    if (message == Message::Entry && key == "location" && !value.empty()) tensor.locations.push_back(value);
    return true;
  }

  bool enter(Message message, Tensor &around) {
    int length = 0;
    if (!input_.ReadVarintSizeAsInt(&length)) return false;
    if (const int left = input_.BytesUntilLimit(); left >= 0 && length > left) return false;
    const auto [limit, depth] = input_.IncrementRecursionDepthAndPushLimit(length);
    if (depth < 0) return false;
    Tensor own;
    // The stream takes the end of the file for a message's end.
    const bool isRead = readMessage(message, message == Message::Entry ? around : own) && input_.BytesUntilLimit() == 0;
    if (!input_.DecrementRecursionDepthAndPopLimit(limit) || !isRead) return false;
    return message != Message::Tensor || !own.isExternal || take(own.locations);
  }

  bool take(const std::vector<std::string> &locations) {
    for (const std::string &location : locations) {
      if (location.size() > static_cast<size_t>(kLongestLocation))
        return refuse(absl::StrCat("the model names a data file with more than ", kLongestLocation, " bytes"));
      if (location.find('\0') != std::string::npos || !text::isUtf8(location))
        return refuse("the model names a data file with bytes that are no text");
      locations_.insert(location);
    }
    if (locations_.size() <= kMostLocations) return true;
    return refuse(absl::StrCat("the model names more than ", kMostLocations,
                               " data files; save it with its data in one file (for example onnx.save(model, file, "
                               "save_as_external_data=True, all_tensors_to_one_file=True))"));
  }

  bool refuse(const std::string &sentence) {
    refusal_ = absl::DataLossError(sentence);
    return false;
  }

  // Of longer texts no more than tells that they are.
  bool readText(int longest, std::string &text) {
    int length = 0;
    if (!input_.ReadVarintSizeAsInt(&length)) return false;
    const int kept = std::min(length, longest + 1);
    return input_.ReadString(&text, kept) && input_.Skip(length - kept);
  }

  bool readDataLocation(Tensor &tensor) {
    uint64_t value = 0;
    if (!input_.ReadVarint64(&value)) return false;
    if (value == kInside || value == kExternal) tensor.isExternal = value == kExternal;
    return true;
  }

  // Groups are none of ONNX's.
  bool skip(uint32_t type) {
    uint64_t number = 0;
    int length = 0;
    switch (type) {
      case kVarint:
        return input_.ReadVarint64(&number);
      case kFixed64:
        return input_.Skip(sizeof(uint64_t));
      case kDelimited:
        return input_.ReadVarintSizeAsInt(&length) && input_.Skip(length);
      case kFixed32:
        return input_.Skip(sizeof(uint32_t));
      default:
        return false;
    }
  }

  CodedInputStream input_;
  std::set<std::string> locations_;
  absl::Status refusal_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> dataLocations(google::protobuf::io::ZeroCopyInputStream &model) {
  return Scan(model).run();
}

}  // namespace hone::client
