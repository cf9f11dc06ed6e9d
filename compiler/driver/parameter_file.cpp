#include "compiler/driver/parameter_file.h"

#include <algorithm>
#include <string_view>

#include "compiler/artifact/digest.h"
#include "compiler/base/status.h"

namespace hone::driver {

namespace {

constexpr int64_t kAlignment = 64;

int64_t paddingAfter(int64_t bytes) { return (kAlignment - bytes % kAlignment) % kAlignment; }
std::string_view padding(int64_t bytes) {
  static constexpr char kZeros[kAlignment] = {};
  return {kZeros, static_cast<size_t>(bytes)};
}

artifact::PackedParameter packed(const Parameter &parameter) {
  return {parameter.constant->bytes.text(), parameter.dtype, parameter.shape, parameter.layout};
}

// The pieces of two layouts need not end at the same places.
bool haveSameBytes(const Parameter &one, const Parameter &other) {
  artifact::PackedParameter left = packed(one), right = packed(other);
  if (left.bytes() != right.bytes()) return false;
  std::string_view a, b;
  for (int64_t nextLeft = 0, nextRight = 0;;) {
    if (a.empty() && nextLeft < left.pieces()) a = left.piece(nextLeft++);
    if (b.empty() && nextRight < right.pieces()) b = right.piece(nextRight++);
    const size_t count = std::min(a.size(), b.size());
    if (count == 0) return true;
    if (a.substr(0, count) != b.substr(0, count)) return false;
    a.remove_prefix(count);
    b.remove_prefix(count);
  }
}

}  // namespace

std::pair<int64_t, int64_t> ParameterFile::place(Parameter parameter) {
  artifact::PackedParameter content = packed(parameter);
  artifact::MemberDigester extended = digester_;
  artifact::Xxh3 own;
  for (int64_t i = 0; i < content.pieces(); ++i) {
    const std::string_view piece = content.piece(i);
    extended.add(piece);
    own.add(piece);
  }
  const std::string digest = own.text();
  const auto [begin, end] = known_.equal_range(digest);
  const auto found = std::find_if(
      begin, end, [&](const auto &entry) { return haveSameBytes(placed_[entry.second].parameter, parameter); });
  parameter.constant->bytes.letGo();
  if (found != end) return {placed_[found->second].offset, placed_[found->second].bytes};
  known_.emplace(digest, placed_.size());
  placed_.push_back({std::move(parameter), end_, content.bytes()});
  const int64_t gap = paddingAfter(content.bytes());
  extended.add(padding(gap));
  digester_ = extended;
  end_ += content.bytes() + gap;
  return {placed_.back().offset, content.bytes()};
}

artifact::Parameters ParameterFile::content() const {
  return {digester_.digest(), [this](const artifact::ByteSink &sink) -> absl::Status {
            for (const Placed &placed : placed_) {
              artifact::PackedParameter content = packed(placed.parameter);
              for (int64_t i = 0; i < content.pieces(); ++i) HONE_RETURN_IF_ERROR(sink(content.piece(i)));
              HONE_RETURN_IF_ERROR(sink(padding(paddingAfter(content.bytes()))));
              placed.parameter.constant->bytes.letGo();
            }
            return absl::OkStatus();
          }};
}

}  // namespace hone::driver
