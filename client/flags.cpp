#include "client/flags.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "text/nearest.h"

namespace hone::client {

namespace {

bool isFamily(const UnsupportedFlag &flag) { return flag.name.ends_with('*'); }

const UnsupportedFlag *find(std::span<const UnsupportedFlag> flags, std::string_view name) {
  for (const UnsupportedFlag &flag : flags) {
    if (!isFamily(flag) && flag.name == name) return &flag;
    // The table lists narrower families first.
    if (isFamily(flag) && name.starts_with(flag.name.substr(0, flag.name.size() - 1))) return &flag;
  }
  return nullptr;
}

// The full name of the flag that \p given means.
absl::StatusOr<std::string> complete(const std::string &given, const std::vector<std::string> &known,
                                     std::span<const UnsupportedFlag> unsupported) {
  if (std::find(known.begin(), known.end(), given) != known.end()) return given;
  std::vector<std::string> candidates;
  for (const std::string &name : known)
    if (name.starts_with(given)) candidates.push_back(name);
  for (const UnsupportedFlag &flag : unsupported) {
    if (flag.name == given) return given;
    if (!isFamily(flag) && flag.name.starts_with(given)) candidates.emplace_back(flag.name);
  }
  // Where the others only go on where one of them ends, that one is meant: --out is --output beside --output-format.
  const auto shortest = std::min_element(candidates.begin(), candidates.end(),
                                         [](const auto &one, const auto &other) { return one.size() < other.size(); });
  const auto goesOn = [&](const std::string &name) { return name.starts_with(*shortest); };
  if (shortest != candidates.end() && std::all_of(candidates.begin(), candidates.end(), goesOn)) return *shortest;
  if (candidates.size() > 1)
    return absl::InvalidArgumentError(
        absl::StrCat("ambiguous flag ", given, " could mean ", absl::StrJoin(candidates, ", ")));
  if (find(unsupported, given) != nullptr) return given;
  return absl::InvalidArgumentError(
      absl::StrCat("unknown flag ", given, "; --help lists the flags", text::nearestOf(given, known)));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> resolveFlags(const std::vector<std::string> &arguments,
                                                      const std::vector<std::string> &known,
                                                      std::span<const UnsupportedFlag> unsupported) {
  std::vector<std::string> resolved;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string &argument = arguments[i];
    if (argument == "--") {
      resolved.insert(resolved.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    if (!argument.starts_with("--")) {
      resolved.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    auto name = complete(argument.substr(0, equals), known, unsupported);
    if (!name.ok()) return name.status();
    const bool isKnown = std::find(known.begin(), known.end(), *name) != known.end();
    if (isKnown) {
      resolved.push_back(*name + (equals == std::string::npos ? "" : argument.substr(equals)));
      continue;
    }
    const UnsupportedFlag &flag = *find(unsupported, *name);
    const bool valueFollows = equals == std::string::npos && i + 1 < arguments.size();
    const std::string value = valueFollows                  ? arguments[i + 1]
                              : equals == std::string::npos ? std::string()
                                                            : argument.substr(equals + 1);
    if (flag.harmless.empty() || value != flag.harmless)
      return absl::InvalidArgumentError(
          absl::StrCat("not supported by hone: ", *name, " (", std::string(flag.reason), ")"));
    if (valueFollows) ++i;
  }
  return resolved;
}

}  // namespace hone::client
