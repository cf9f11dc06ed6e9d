#include "client/compile_values.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/input_file.h"

namespace hone::client {

namespace {

absl::Status badShapes(std::string_view text, std::string_view input = {}) {
  return absl::InvalidArgumentError(
      absl::StrCat("cannot read '", std::string(text), "' in --input-shapes",
                   input.empty() ? "" : absl::StrCat(", the shape of input '", std::string(input), "'"),
                   "; expected \"name:[1,3,224,224] name2:[1,10]\""));
}

absl::StatusOr<std::vector<int64_t>> parseDims(std::string_view text, std::string_view input) {
  std::vector<int64_t> dims;
  // An empty list is the shape of a scalar.
  if (absl::StripAsciiWhitespace({text.data(), text.size()}).empty()) return dims;
  for (absl::string_view part : absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
    part = absl::StripAsciiWhitespace(part);
    int64_t value = 0;
    const auto [rest, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || rest != part.data() + part.size() || part.empty()) return badShapes(text, input);
    dims.push_back(std::max<int64_t>(value, -1));
  }
  return dims;
}

// {"kind": "llvm", "mcpu": "x", "mattr": ["+a"], "num-cores": 4} -> llvm -mcpu=x -mattr=+a -num-cores=4
absl::StatusOr<std::string> textOfJson(const std::string &source) {
  const nlohmann::json json = nlohmann::json::parse(source, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("kind") || !json["kind"].is_string())
    return absl::InvalidArgumentError("--target: expected a JSON object with a \"kind\", as {\"kind\": \"llvm\"}");
  std::string text = json["kind"];
  for (const auto &[key, value] : json.items()) {
    if (key == "kind") continue;
    std::vector<std::string> values;
    for (const auto &entry : value.is_array() ? value : nlohmann::json::array({value}))
      values.push_back(entry.is_string() ? entry.get<std::string>() : entry.dump());
    absl::StrAppend(&text, " -", key, "=", absl::StrJoin(values, ","));
  }
  return text;
}

absl::StatusOr<std::string> baseText(const std::string &target) {
  if (target.starts_with('{')) return textOfJson(target);
  std::error_code error;
  if (!target.ends_with(".json") || !std::filesystem::is_regular_file(target, error)) return target;
  auto text = readWholeFile(target);
  return text.ok() ? textOfJson(*text) : text.status();
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string, std::vector<int64_t>>>> parseInputShapes(std::string_view text) {
  std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;
  for (;;) {
    const size_t begin = text.find_first_not_of(" \t\n,");
    if (begin == std::string_view::npos) return shapes;
    text.remove_prefix(begin);
    const size_t open = text.find('[');
    const size_t close = text.find(']');
    const std::string_view head = text.substr(0, open == std::string_view::npos ? 0 : open);
    const size_t colon = head.rfind(':');
    if (close == std::string_view::npos || open > close || colon == std::string_view::npos || colon == 0 ||
        head.find_first_not_of(" \t", colon + 1) != std::string_view::npos)
      return badShapes(text);
    const std::string_view name = head.substr(0, colon);
    auto dims = parseDims(text.substr(open + 1, close - open - 1), name);
    if (!dims.ok()) return dims.status();
    if (std::any_of(shapes.begin(), shapes.end(), [name](const auto &shape) { return shape.first == name; }))
      return absl::InvalidArgumentError(absl::StrCat("--input-shapes gives '", std::string(name), "' twice"));
    shapes.emplace_back(name, *std::move(dims));
    text.remove_prefix(close + 1);
  }
}

absl::StatusOr<std::string> targetText(const std::string &target, const std::map<std::string, std::string> &flags) {
  auto base = baseText(target);
  if (!base.ok() || flags.empty()) return base;
  std::vector<std::string> words = absl::StrSplit(*base, ' ', absl::SkipEmpty());
  if (words.empty() || words.front() != "llvm")
    return absl::InvalidArgumentError(
        absl::StrCat("--target-llvm-", flags.begin()->first, " needs llvm as --target, which is '", *base, "'"));
  std::erase_if(words, [&flags](const std::string &word) {
    return word.starts_with('-') && flags.contains(word.substr(1, word.find('=') - 1));
  });
  for (const auto &[key, value] : flags) words.push_back(absl::StrCat("-", key, "=", value));
  return absl::StrJoin(words, " ");
}

}  // namespace hone::client
