#include "compiler/frontend/onnx/external_data.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "compiler/base/status.h"
#include "compiler/frontend/build/refusal.h"

namespace hone::frontend {
namespace {

/// What a tensor says of its place; other keys (checksum, those of other programs) mean nothing here.
struct Place {
  std::optional<std::string> location, offset, length;
};

absl::StatusOr<Place> readPlace(const onnx::TensorProto &tensor) {
  Place place;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    std::optional<std::string> *value = entry.key() == "location" ? &place.location
                                        : entry.key() == "offset" ? &place.offset
                                        : entry.key() == "length" ? &place.length
                                                                  : nullptr;
    if (value == nullptr) continue;
    if (value->has_value()) return invalid("says twice which ", entry.key(), " its data have in another file");
    *value = entry.value();
  }
  if (!place.location.has_value() || place.location->empty()) {
    return invalid("keeps its data in another file and does not say in which");
  }
  return place;
}

absl::StatusOr<int64_t> readNumber(const std::string &text, const char *what, const std::string &location) {
  int64_t number = 0;
  const bool isDigits = std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (isDigits && absl::SimpleAtoi(text, &number)) return number;
  return invalid("keeps its data in '", location, "' with the ", what, " '", text, "', which is no number of bytes");
}

}  // namespace

bool isExternal(const onnx::TensorProto &tensor) { return tensor.data_location() == onnx::TensorProto::EXTERNAL; }

absl::StatusOr<graph::ConstantBytes> readExternal(const onnx::TensorProto &tensor, int64_t bytes, int64_t elementBytes,
                                                  const DataFiles &files) {
  HONE_ASSIGN_OR_RETURN(const Place place, readPlace(tensor));
  const std::string &location = *place.location;
  if (tensor.has_raw_data()) return invalid("keeps data both in the model and in '", location, "'");
  const auto found = files.find(location);
  if (found == files.end()) {
    return invalid(
        "keeps its data in the file '", location,
        "', which did not come with the model; compile the model by its path, with its data files beside it");
  }
  const std::string_view file = found->second.bytes;
  const auto size = static_cast<int64_t>(file.size());
  HONE_ASSIGN_OR_RETURN(const int64_t offset, readNumber(place.offset.value_or("0"), "offset", location));
  HONE_ASSIGN_OR_RETURN(const int64_t length,
                        readNumber(place.length.value_or(absl::StrCat(bytes)), "length", location));
  if (length != bytes) return invalid("keeps ", length, " bytes in '", location, "', its shape asks for ", bytes);
  if (offset > size || bytes > size - offset) {
    return invalid("keeps ", bytes, " bytes at offset ", offset, " of '", location, "', which has ", size, " bytes");
  }
  const std::string_view data = file.substr(static_cast<size_t>(offset), static_cast<size_t>(bytes));
  const bool isAligned = reinterpret_cast<uintptr_t>(data.data()) % static_cast<uintptr_t>(elementBytes) == 0;
  if (isAligned) return graph::ConstantBytes::view(data, found->second.memory);
  return graph::ConstantBytes(std::vector<char>(data.begin(), data.end()));
}

}  // namespace hone::frontend
