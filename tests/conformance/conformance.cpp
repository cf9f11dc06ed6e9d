// ONNX's backend tests through compiler and runtime: see README.md. The exit code is 0 when every case does what the
// lists say, 1 when one does not, 2 for a wrong command line, and 77 when the test data is not installed.
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/children.h"
#include "tests/conformance/expectations.h"
#include "tests/conformance/run_case.h"
#include "tests/conformance/settings.h"
#include "tests/support/effort.h"

namespace hone::conformance {
namespace {

struct Options {
  std::string data = "/usr/share/libonnx-testdata/data";
  std::string lists = HONE_CONFORMANCE_LISTS;
  std::string only, setting = "host", report;
  int jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  int sample = 0, fullSample = 0;  ///< how many pieces of work at most; 0: all
  int seconds = static_cast<int>(ChildLimits().cpu.count());
  bool isUpdate = false;
  uint64_t seed = 0;
};

struct Flag {
  std::string_view name, means;
  std::function<bool(Options &, const std::string &)> set;
};

bool toNumber(const std::string &text, int &value) {
  return std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size() && value >= 0;
}

bool set(std::string &option, const std::string &value) {
  option = value;
  return !value.empty();
}

const std::vector<Flag> &flags() {
  static const std::vector<Flag> all = {
      {"--only", "PATTERN   cases whose name holds this, or matches it where it has * or ?; prints each one's result",
       [](Options &o, const std::string &v) { return set(o.only, v); }},
      {"--setting", "NAME      under which conditions (below)",
       [](Options &o, const std::string &v) { return set(o.setting, v); }},
      {"--sample", "N         a random choice of N runs; 0: all of them",
       [](Options &o, const std::string &v) { return toNumber(v, o.sample); }},
      {"--full-sample", "N         the same where HONE_TEST_MODE is full; 0: all of them",
       [](Options &o, const std::string &v) { return toNumber(v, o.fullSample); }},
      {"--jobs", "N         processes at once",
       [](Options &o, const std::string &v) { return toNumber(v, o.jobs) && o.jobs > 0; }},
      {"--time-limit", "SECONDS   of CPU for one case",
       [](Options &o, const std::string &v) { return toNumber(v, o.seconds); }},
      {"--report", "FILE      every result, one line each",
       [](Options &o, const std::string &v) { return set(o.report, v); }},
      {"--data", "FOLDER    where the suites are", [](Options &o, const std::string &v) { return set(o.data, v); }},
      {"--lists", "FOLDER    where the lists are", [](Options &o, const std::string &v) { return set(o.lists, v); }},
  };
  return all;
}

void printHelp() {
  std::cout << "usage: conformance [FLAGS]\n\n";
  for (const Flag &flag : flags()) absl::PrintF("  %-14s %s\n", flag.name, flag.means);
  absl::PrintF("  %-14s removes from the lists what passes now and raises least.txt\n\nsettings:\n", "--update");
  for (const SettingFamily &family : settingFamilies()) {
    absl::PrintF("  %-17s %s\n", family.name, family.means);
  }
}

/// 0 to go on, else the exit code plus one.
int parse(int count, char **arguments, Options &options) {
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (name == "--help") return printHelp(), 1;
    if (name == "--update") {
      options.isUpdate = true;
      continue;
    }
    const auto &all = flags();
    const auto flag = std::find_if(all.begin(), all.end(), [&](const Flag &f) { return f.name == name; });
    const bool hasValue = flag != all.end() && ++i < count;
    if (!hasValue || !flag->set(options, arguments[i])) {
      std::cerr << "error: '" << name << "' is unknown or has no proper value; see --help\n";
      return 3;
    }
  }
  return 0;
}

bool matches(const std::string &name, const std::string &pattern) {
  if (pattern.find_first_of("*?[") == std::string::npos) return name.find(pattern) != std::string::npos;
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0 || fnmatch(("*/" + pattern).c_str(), name.c_str(), 0) == 0;
}

/// One compile and run: a case under a setting.
struct Piece {
  const Case *item = nullptr;
  const NamedSetting *setting = nullptr;
  std::set<std::string> bound;
  bool isTrial = false;  ///< of a case that is listed as bound, with nothing bound: it must be refused
  CaseResult result;
};

/// FNV-1a: the same choice on every machine.
uint64_t hashOf(const std::string &text, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325u ^ seed;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return hash;
}

std::vector<Piece> makePieces(const std::vector<Case> &cases, const std::vector<NamedSetting> &settings,
                              const Expectations &expected, const Options &options) {
  using Order = std::pair<uint64_t, size_t>;  // by hash, then as they come
  std::vector<std::pair<Order, Piece>> pieces;
  for (const Case &item : cases) {
    if (!options.only.empty() && !matches(item.name, options.only)) continue;
    const auto bound = expected.bound.find(item.name);
    for (const NamedSetting &setting : settings) {
      const uint64_t hash = hashOf(item.name + " " + setting.name, options.seed);
      const auto add = [&](const std::set<std::string> &names, bool isTrial) {
        pieces.push_back({Order(hash, pieces.size()), {&item, &setting, names, isTrial, {}}});
      };
      if (bound != expected.bound.end() && setting.name == "host") add({}, true);
      add(bound == expected.bound.end() ? std::set<std::string>() : bound->second, false);
    }
  }
  const size_t sample = static_cast<size_t>(options.sample);
  if (sample != 0 && sample < pieces.size()) {
    std::sort(pieces.begin(), pieces.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
    pieces.resize(sample);
  }
  std::vector<Piece> result;
  for (auto &[order, piece] : pieces) result.push_back(std::move(piece));
  return result;
}

/// What is wrong with the result of \p piece, in view of the lists; empty when it is as expected.
std::string surprise(const Piece &piece, const Expectations &expected) {
  const Outcome outcome = piece.result.outcome;
  if (piece.isTrial) {
    if (outcome == Outcome::Passed) return "passes with every input fed at run time: remove its line from bound.txt";
    return outcome == Outcome::Refused ? "" : "has to be refused in a sentence when nothing is bound";
  }
  const auto listed = expected.notPassing.find(piece.item->name);
  if (listed == expected.notPassing.end()) return outcome == Outcome::Passed ? "" : "has to pass";
  if (outcome == Outcome::Passed) return "passes now: remove its line from not_passing.txt";
  if (listed->second.group == "invalid" && outcome == Outcome::Wrong) return "";
  const bool isDefect = listed->second.group == "defect";
  if (isDefect != (outcome == Outcome::Refused)) return "";
  return isDefect ? "is refused now: give its line in not_passing.txt another class"
                  : "has to be refused in a sentence: wrong results, crashes and hangs are defects";
}

std::string describe(const Piece &piece, const Expectations &expected) {
  std::string text(name(piece.result.outcome));
  text.resize(8, ' ');
  text += piece.item->name;
  if (piece.setting->name != "host") text += " [" + piece.setting->name + "]";
  if (piece.isTrial) text += " (nothing bound)";
  if (!piece.bound.empty()) {
    text += " (bound:";
    for (const std::string &input : piece.bound) text += " " + input;
    text += ")";
  }
  if (!piece.result.reason.empty()) text += ": " + piece.result.reason;
  const auto listed = expected.notPassing.find(piece.item->name);
  if (listed != expected.notPassing.end())
    text += "\n        listed as " + listed->second.group + ": " + listed->second.reason;
  return text;
}

struct Counts {
  int cases = 0, unbound = 0, bound = 0, outOfScope = 0, notYet = 0;
  std::map<Outcome, int> defects;  ///< outcomes other than passed and refused
};

Counts countResults(const std::vector<Piece> &pieces, const Expectations &expected) {
  Counts counts;
  for (const Piece &piece : pieces) {
    const Outcome outcome = piece.result.outcome;
    if (piece.isTrial) continue;
    ++counts.cases;
    if (outcome == Outcome::Passed) ++(piece.bound.empty() ? counts.unbound : counts.bound);
    if (outcome == Outcome::Passed) continue;
    const auto listed = expected.notPassing.find(piece.item->name);
    const bool isOut = listed != expected.notPassing.end() && findGroup(listed->second.group)->isOutOfScope;
    if (outcome != Outcome::Refused && !(isOut && outcome == Outcome::Wrong)) {
      ++counts.defects[outcome];
    } else {
      ++(isOut ? counts.outOfScope : counts.notYet);
    }
  }
  return counts;
}

/// Lines of the lists that no case has.
int reportStale(const std::vector<Case> &cases, const Expectations &expected) {
  std::set<std::string> known, listed;
  for (const Case &item : cases) known.insert(item.name);
  for (const auto &[name, entry] : expected.notPassing) listed.insert(name);
  for (const auto &[name, inputs] : expected.bound) listed.insert(name);
  int stale = 0;
  for (const std::string &name : listed) {
    if (known.count(name) != 0) continue;
    std::cout << "UNEXPECTED  the lists name '" << name << "', which is no case\n";
    ++stale;
  }
  return stale;
}

int checkCounts(const Counts &counts, const Expectations &expected) {
  int problems = 0;
  const auto check = [&](const char *what, int count, int least) {
    if (count >= least) return;
    std::cout << "UNEXPECTED  " << count << " cases pass " << what << "; least.txt says " << least << "\n";
    ++problems;
  };
  check("with every input fed at run time", counts.unbound, expected.leastUnbound);
  check("with inputs bound", counts.bound, expected.leastBound);
  return problems;
}

void printSummary(const Counts &counts) {
  const auto defects = [&](Outcome outcome) {
    const auto found = counts.defects.find(outcome);
    return found == counts.defects.end() ? 0 : found->second;
  };
  std::cout << "conformance: " << counts.cases << " cases: " << counts.unbound
            << " passed with every input fed at run time, " << counts.bound << " passed with bound inputs, "
            << counts.outOfScope << " out of scope, " << counts.notYet << " not yet, " << defects(Outcome::Wrong)
            << " wrong, " << defects(Outcome::Failed) << " failed, " << defects(Outcome::Crashed) << " crashed, "
            << defects(Outcome::Hung) << " hung" << std::endl;
}

absl::Status update(const std::vector<Piece> &pieces, const Counts &counts, const Options &options) {
  Improvements improvements{{}, {}, counts.unbound, counts.bound};
  for (const Piece &piece : pieces) {
    if (piece.result.outcome != Outcome::Passed) continue;
    if (piece.isTrial) {
      improvements.unbound.insert(piece.item->name);
      // Counted as bound so far.
      ++improvements.unboundCount;
      --improvements.boundCount;
    }
    improvements.pass.insert(piece.item->name);
  }
  return improveLists(options.lists, improvements);
}

int judge(const std::vector<Piece> &pieces, const std::vector<Case> &cases, const Expectations &expected,
          const Options &options) {
  int problems = options.only.empty() ? reportStale(cases, expected) : 0;
  std::ofstream report(options.report);
  for (const Piece &piece : pieces) {
    const std::string problem = surprise(piece, expected);
    if (report.is_open())
      report << name(piece.result.outcome) << "\t" << piece.item->name << "\t" << piece.setting->name << "\t"
             << (piece.isTrial ? "trial" : "") << "\t" << piece.result.reason << "\n";
    if (!options.only.empty()) std::cout << describe(piece, expected) << "\n";
    if (problem.empty()) continue;
    ++problems;
    std::cout << "UNEXPECTED  " << piece.item->name << " " << problem << "\n";
    if (options.only.empty()) std::cout << "        " << describe(piece, expected) << "\n";
  }
  const Counts counts = countResults(pieces, expected);
  const bool isWhole = options.only.empty() && options.sample == 0 && options.setting == "host";
  if (options.isUpdate && isWhole) {
    if (absl::Status status = update(pieces, counts, options); !status.ok()) std::cout << status.message() << "\n";
  }
  if (isWhole) problems += checkCounts(counts, expected);
  printSummary(counts);
  return problems;
}

int run(Options options) {
  const std::vector<Case> cases = findCases(options.data);
  if (cases.empty()) {
    std::cout << "skipped: there are no test data in '" << options.data << "'; install Debian's libonnx-testdata\n";
    return 77;
  }
  const auto expected = readExpectations(options.lists);
  if (!expected.ok()) return std::cout << "error: " << expected.status().message() << "\n", 1;
  options.seed = testing::testSeed();
  const auto settings = settingsOf(options.setting, options.seed);
  if (!settings.ok()) return std::cerr << "error: " << settings.status().message() << "; see --help\n", 2;
  if (settings->empty()) return std::cout << "skipped: this CPU cannot run '" << options.setting << "'\n", 77;
  options.sample = static_cast<int>(testing::effort(options.sample, options.fullSample));
  std::vector<Piece> pieces = makePieces(cases, *settings, *expected, options);
  ChildLimits limits;
  limits.cpu = std::chrono::seconds(options.seconds);
  limits.clock = 10 * limits.cpu;
  size_t ended = 0;
  const bool isTerminal = isatty(STDERR_FILENO) != 0;
  runInChildren(
      pieces.size(), options.jobs, limits,
      [&](size_t i) { return runCase(*pieces[i].item, pieces[i].bound, pieces[i].setting->setting); },
      [&](size_t i, const CaseResult &result) {
        pieces[i].result = result;
        ++ended;
        if (isTerminal) std::cerr << "\r" << ended << " of " << pieces.size() << (ended == pieces.size() ? "\n" : "");
      });
  const int problems = judge(pieces, cases, *expected, options);
  if (problems != 0) std::cout << problems << " unexpected; tests/conformance/README.md says what to do\n";
  return problems == 0 ? 0 : 1;
}

}  // namespace
}  // namespace hone::conformance

int main(int count, char **arguments) {
  hone::conformance::Options options;
  const int stop = hone::conformance::parse(count, arguments, options);
  return stop != 0 ? stop - 1 : hone::conformance::run(std::move(options));
}
