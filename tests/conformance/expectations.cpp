#include "tests/conformance/expectations.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "compiler/base/status.h"

namespace hone::conformance {
namespace {

namespace fs = std::filesystem;

constexpr char kNotPassing[] = "not_passing.txt", kBound[] = "bound.txt", kLeast[] = "least.txt";

bool isComment(const std::string &line) { return line.empty() || line[0] == '#'; }

std::vector<std::string> fieldsOf(const std::string &line) {
  std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits('|', 2));
  for (std::string &field : fields) absl::StripAsciiWhitespace(&field);
  return fields;
}

/// Calls \p read with the fields of each line; its error gets the line's number.
absl::Status readLines(const fs::path &path, size_t fields,
                       const std::function<absl::Status(const std::vector<std::string> &)> &read) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read '", path.string(), "'"));
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (isComment(line)) continue;
    const std::vector<std::string> found = fieldsOf(line);
    absl::Status status = found.size() == fields
                              ? read(found)
                              : absl::InvalidArgumentError(absl::StrCat("has ", found.size(), " fields, not ", fields));
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path.filename().string(), ", line ", number, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status readNotPassing(const std::vector<std::string> &fields, Expectations &result) {
  if (findGroup(fields[1]) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("there is no class '", fields[1], "'"));
  }
  if (fields[2].empty()) return absl::InvalidArgumentError("there is no reason");
  if (result.notPassing.emplace(fields[0], NotPassing{fields[1], fields[2]}).second) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", fields[0], "' is listed twice"));
}

absl::Status readBound(const std::vector<std::string> &fields, Expectations &result) {
  std::set<std::string> inputs;
  for (const absl::string_view input : absl::StrSplit(fields[1], ' ', absl::SkipEmpty())) inputs.emplace(input);
  if (inputs.empty() || fields[2].empty()) return absl::InvalidArgumentError("there is no input or no reason");
  if (result.bound.emplace(fields[0], std::move(inputs)).second) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", fields[0], "' is listed twice"));
}

absl::Status readLeast(const std::vector<std::string> &fields, Expectations &result) {
  int &number = fields[0] == "unbound" ? result.leastUnbound : result.leastBound;
  if ((fields[0] == "unbound" || fields[0] == "bound") && absl::SimpleAtoi(fields[1], &number)) return absl::OkStatus();
  return absl::InvalidArgumentError("wants 'unbound | NUMBER' or 'bound | NUMBER'");
}

/// Rewrites the lines that are no comments by \p change; an empty result removes the line.
absl::Status rewrite(const fs::path &path, const std::function<std::string(const std::string &)> &change) {
  std::ifstream file(path);
  std::string line, text;
  while (std::getline(file, line)) {
    const std::string changed = isComment(line) ? line : change(line);
    if (isComment(line) || !changed.empty()) absl::StrAppend(&text, changed, "\n");
  }
  file.close();
  std::ofstream(path) << text;
  return absl::OkStatus();
}

std::string nameIn(const std::string &line) { return fieldsOf(line)[0]; }

}  // namespace

const Group *findGroup(std::string_view name) {
  const auto *found =
      std::find_if(std::begin(kGroups), std::end(kGroups), [&](const Group &g) { return g.name == name; });
  return found == std::end(kGroups) ? nullptr : found;
}

absl::StatusOr<Expectations> readExpectations(const fs::path &folder) {
  Expectations result;
  HONE_RETURN_IF_ERROR(readLines(folder / kNotPassing, 3, [&](const auto &f) { return readNotPassing(f, result); }));
  HONE_RETURN_IF_ERROR(readLines(folder / kBound, 3, [&](const auto &f) { return readBound(f, result); }));
  HONE_RETURN_IF_ERROR(readLines(folder / kLeast, 2, [&](const auto &f) { return readLeast(f, result); }));
  for (const auto &[name, inputs] : result.bound) {
    if (result.notPassing.count(name) == 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' is in both ", kBound, " and ", kNotPassing));
  }
  return result;
}

absl::Status improveLists(const fs::path &folder, const Improvements &improvements) {
  HONE_RETURN_IF_ERROR(rewrite(folder / kNotPassing, [&](const std::string &line) {
    return improvements.pass.count(nameIn(line)) != 0 ? "" : line;
  }));
  HONE_RETURN_IF_ERROR(rewrite(folder / kBound, [&](const std::string &line) {
    return improvements.unbound.count(nameIn(line)) != 0 ? "" : line;
  }));
  return rewrite(folder / kLeast, [&](const std::string &line) {
    const int count = nameIn(line) == "bound" ? improvements.boundCount : improvements.unboundCount;
    int least = 0;
    const bool isNumber = absl::SimpleAtoi(fieldsOf(line).back(), &least);
    return isNumber && count > least ? absl::StrCat(nameIn(line), " | ", count) : line;
  });
}

}  // namespace hone::conformance
