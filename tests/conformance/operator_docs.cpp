// docs/operators.md from the tables of operators and what operator_types.h finds out. Without --update it compares a
// choice of the rows with the page (HONE_TEST_MODE=full: all of them); --update writes the page anew. Operators that
// Debian's suite of cases lacks are tried with those of --data.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/status.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/frontend/onnx/operators.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/children.h"
#include "tests/conformance/expectations.h"
#include "tests/conformance/operator_types.h"
#include "tests/support/effort.h"

namespace hone::conformance {
namespace {

constexpr char kIntroduction[] = R"(# Operators

What the ONNX frontend takes, by operator, opsets and element types of the data. Whatever a model holds beyond this is listed at once, with the
nodes' names, before any work starts. Dimensions must be known: `--input-shapes` binds symbolic ones, and shapes that are computed
from them fold to constants; an input that says a shape or an axis is made a constant by `--bind`. Of ONNX's own backend tests, those that do
not pass, and why, are in `tests/conformance/not_passing.txt`.

This page is written by `tests/conformance/run_node_tests.sh build/release build/release/bin/operator_docs --update`: opsets are those of the table in
`compiler/frontend/onnx/operators.cpp`, types are those that ONNX allows and that work when they are tried, compiled code against the
graph's evaluator. f is float, bf is bfloat, i and u are signed and unsigned integers.

| operator | opsets | types |
|---|---|---|
)";

/// "1–10, 13–28": versions that rows of the table cover.
std::string opsetsText(const std::string &name) {
  const frontend::OperatorDomain &own = frontend::operatorDomains().front();
  std::vector<std::pair<int64_t, int64_t>> ranges;
  for (const frontend::Operator &row : own.operators) {
    if (row.name != name) continue;
    const int64_t last = frontend::lastOpset(own, row);
    if (!ranges.empty() && ranges.back().second + 1 == row.first) {
      ranges.back().second = last;
    } else {
      ranges.emplace_back(row.first, last);
    }
  }
  std::ostringstream text;
  for (size_t i = 0; i < ranges.size(); ++i) {
    text << (i == 0 ? "" : ", ") << ranges[i].first;
    if (ranges[i].second != ranges[i].first) text << "–" << ranges[i].second;
  }
  return text.str();
}

/// The types that work, by operator, each tried in a child.
std::map<std::string, std::vector<DType>> tryTypes(const std::map<std::string, std::vector<Recipe>> &recipes) {
  struct Trial {
    const std::string *name;
    const Recipe *recipe;
    DType type;
  };
  std::vector<Trial> trials;
  for (const auto &[name, list] : recipes) {
    for (const Recipe &recipe : list) {
      for (const DType type : recipe.types) trials.push_back({&name, &recipe, type});
    }
  }
  std::map<std::string, std::vector<DType>> result;
  const int jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  runInChildren(
      trials.size(), jobs, {},
      [&](size_t i) {
        return CaseResult{works(*trials[i].recipe, trials[i].type) ? Outcome::Passed : Outcome::Refused, ""};
      },
      [&](size_t i, const CaseResult &outcome) {
        std::vector<DType> &types = result[*trials[i].name];
        const bool isKnown = std::find(types.begin(), types.end(), trials[i].type) != types.end();
        if (outcome.outcome == Outcome::Passed && !isKnown) types.push_back(trials[i].type);
        if (outcome.outcome != Outcome::Passed && outcome.outcome != Outcome::Refused) {
          std::cout << *trials[i].name << " of " << name(trials[i].type) << " " << name(outcome.outcome) << ": "
                    << outcome.reason << "\n";
        }
      });
  return result;
}

std::string rowText(const std::string &name, const std::vector<DType> &types) {
  return "| " + name + " | " + opsetsText(name) + " | " + typesText(types) + " |";
}

std::string readText(const std::string &path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Rows of the page by operator.
std::map<std::string, std::string> readRows(const std::string &path) {
  std::map<std::string, std::string> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| ") && !line.starts_with("| operator ")) rows[line.substr(2, line.find(' ', 2) - 2)] = line;
  }
  return rows;
}

/// The operators of the domains beside ONNX's own: names and versions.
std::string otherDomainsText() {
  std::ostringstream text;
  for (const frontend::OperatorDomain &domain : frontend::operatorDomains()) {
    if (domain.name.empty()) continue;
    text << "\n## " << domain.name << "\n\n";
    std::string separator;
    for (const frontend::Operator &row : domain.operators) {
      text << separator << row.name;
      separator = ", ";
    }
    text << ".\n";
  }
  return text.str();
}

int compare(const std::map<std::string, std::string> &rows, const std::vector<std::string> &names) {
  const std::map<std::string, std::string> page = readRows(HONE_OPERATORS_PAGE);
  int problems = 0;
  const auto report = [&](const std::string &sentence) {
    std::cout << sentence << "\n";
    ++problems;
  };
  for (const auto &[name, row] : rows) {
    const auto found = page.find(name);
    if (found == page.end()) {
      report("docs/operators.md lacks: " + row);
    } else if (found->second != row) {
      report("docs/operators.md says: " + found->second + "\n           but it is: " + row);
    }
  }
  for (const auto &[name, row] : page) {
    if (std::find(names.begin(), names.end(), name) == names.end()) report("docs/operators.md has too much: " + row);
  }
  for (const std::string &name : names) {
    if (page.count(name) == 0 && rows.count(name) == 0) report("docs/operators.md lacks the operator " + name);
  }
  const std::string others = otherDomainsText();
  if (!readText(HONE_OPERATORS_PAGE).ends_with(others)) report("docs/operators.md does not end with:\n" + others);
  if (problems != 0) std::cout << "write it anew with: operator_docs --update\n";
  return problems == 0 ? 0 : 1;
}

int update(const std::map<std::string, std::string> &rows) {
  std::ofstream file(HONE_OPERATORS_PAGE);
  file << kIntroduction;
  for (const auto &[name, row] : rows) file << row << "\n";
  file << otherDomainsText();
  return file ? 0 : 1;
}

/// Operators on sequences and optionals, which are gone when the model has been read: they take whatever is in them.
constexpr std::string_view kFoldedAway[] = {"ConcatFromSequence", "Optional",      "OptionalGetElement",
                                            "OptionalHasElement", "SequenceAt",    "SequenceConstruct",
                                            "SequenceEmpty",      "SequenceErase", "SequenceInsert",
                                            "SequenceLength",     "SequenceMap",   "SplitToSequence"};

bool isFoldedAway(const std::string &name) {
  return std::find(std::begin(kFoldedAway), std::end(kFoldedAway), name) != std::end(kFoldedAway);
}

struct Options {
  bool isUpdate = false;
  std::string data, lists;  ///< a second suite of cases and its lists
};

/// Recipes by operator, from Debian's suite and the one that the options name.
absl::StatusOr<std::map<std::string, std::vector<Recipe>>> findRecipes(const std::vector<Case> &cases,
                                                                       const Options &options) {
  std::map<std::string, std::vector<Recipe>> recipes;
  HONE_ASSIGN_OR_RETURN(const Expectations expected, readExpectations(HONE_CONFORMANCE_LISTS));
  addRecipes(cases, expected, recipes);
  if (!options.data.empty()) {
    HONE_ASSIGN_OR_RETURN(const Expectations newer, readExpectations(options.lists));
    addRecipes(findCases(options.data), newer, recipes);
  }
  addHandMadeRecipes(recipes);
  return recipes;
}

int run(const Options &options) {
  const std::vector<Case> cases = findCases("/usr/share/libonnx-testdata/data");
  if (cases.empty()) return std::cout << "skipped: install Debian's libonnx-testdata\n", 77;
  auto found = findRecipes(cases, options);
  if (!found.ok()) return std::cout << "error: " << found.status().message() << "\n", 1;
  std::map<std::string, std::vector<Recipe>> recipes = *std::move(found);
  std::vector<std::string> names = frontend::supportedOperators();
  int missing = 0;
  for (const std::string &name : names) {
    if (recipes.count(name) != 0 || isFoldedAway(name)) continue;
    std::cout << "no model to try " << name << " with: add one in tests/conformance/operator_types.cpp\n";
    ++missing;
  }
  if (!options.isUpdate) {
    std::vector<std::string> order = names;
    std::shuffle(order.begin(), order.end(), std::minstd_rand(static_cast<uint32_t>(testing::testSeed())));
    order.resize(static_cast<size_t>(testing::effort(std::min<int64_t>(20, static_cast<int64_t>(order.size())),
                                                     static_cast<int64_t>(order.size()))));
    std::erase_if(recipes,
                  [&](const auto &entry) { return std::find(order.begin(), order.end(), entry.first) == order.end(); });
  }
  const std::map<std::string, std::vector<DType>> types = tryTypes(recipes);
  std::map<std::string, std::string> rows;
  for (const auto &[name, list] : recipes) {
    const auto found = types.find(name);
    rows[name] = rowText(name, found == types.end() ? std::vector<DType>() : found->second);
  }
  for (const std::string_view name : kFoldedAway) {
    rows[std::string(name)] =
        "| " + std::string(name) + " | " + opsetsText(std::string(name)) + " | any: it folds away |";
  }
  const int outcome = options.isUpdate ? update(rows) : compare(rows, names);
  return missing != 0 ? 1 : outcome;
}

}  // namespace
}  // namespace hone::conformance

int main(int count, char **arguments) {
  hone::conformance::Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view flag = arguments[i];
    if (flag == "--update") {
      options.isUpdate = true;
    } else if ((flag == "--data" || flag == "--lists") && i + 1 < count) {
      (flag == "--data" ? options.data : options.lists) = arguments[++i];
    } else {
      std::cerr << "usage: operator_docs [--update] [--data FOLDER --lists FOLDER]\n";
      return 2;
    }
  }
  return hone::conformance::run(options);
}
