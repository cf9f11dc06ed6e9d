#include "runtime/tools/run_options.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>

namespace hone::runtime {
namespace {

/// One option: how it is spelled, what help says, and what it does with its value.
struct Option {
  std::string name;   ///< without dashes
  char letter;        ///< '\0': none
  std::string value;  ///< placeholder of the value in help; empty for a switch
  std::string help;
  std::function<Status(RunOptions &, const std::string &)> apply;
  bool isTvmcs = false;  ///< TVMC has it under this name
};

template <typename... Parts>
Status usage(const Parts &...parts) {
  return failure(HONE_USAGE, parts...);
}

auto flag(bool RunOptions::*field) {
  return [field](RunOptions &options, const std::string &) -> Status {
    options.*field = true;
    return {};
  };
}

auto text(std::string RunOptions::*field) {
  return [field](RunOptions &options, const std::string &value) -> Status {
    if (value.empty()) return usage("expected a file name, but it is empty");
    options.*field = value;
    return {};
  };
}

template <typename Number>
auto number(const char *name, Number RunOptions::*field, Number low, Number high) {
  return [=](RunOptions &options, const std::string &value) -> Status {
    Number parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc() || end != value.data() + value.size() || parsed < low || parsed > high)
      return usage("--", name, " takes a whole number from ", low, " to ", high, ", not '", value, "'");
    options.*field = parsed;
    return {};
  };
}

Status applyDevice(RunOptions &, const std::string &value) {
  if (value == "cpu") return {};
  return usage("not supported by hone: --device ", value, "; the only device is cpu");
}

Status applyFillMode(RunOptions &options, const std::string &value) {
  if (value == "zeros")
    options.fillMode = FillMode::Zeros;
  else if (value == "ones")
    options.fillMode = FillMode::Ones;
  else if (value == "random")
    options.fillMode = FillMode::Random;
  else
    return usage("--fill-mode takes zeros, ones or random, not '", value, "'");
  return {};
}

Status applyFormat(RunOptions &options, const std::string &value) {
  if (value != "json" && value != "text") return usage("--output-format takes text or json, not '", value, "'");
  options.json = value == "json";
  return {};
}

auto unsupported(const char *name) {
  return [name](RunOptions &, const std::string &) {
    return usage("not supported by hone: --", name, " on a local artifact");
  };
}

std::vector<Option> allOptions() {
  constexpr int64_t kMany = 1000000000;
  constexpr bool kTvmcs = true;
  return {
      {"device", '\0', "cpu", "where to run", applyDevice, kTvmcs},
      {"fill-mode", '\0', "zeros|ones|random",
       "values of inputs that are not given (default: random; integers from 0 to 127, floats from -1 to 1)",
       applyFillMode, kTvmcs},
      {"seed", '\0', "N", "seed of --fill-mode random (default: 0)",
       number<uint64_t>("seed", &RunOptions::seed, 0, std::numeric_limits<uint64_t>::max())},
      {"inputs", 'i', "X.npz", "arrays by the names of the model's inputs", text(&RunOptions::inputs), kTvmcs},
      {"outputs", 'o', "Y.npz", "writes the outputs as output_0, … and under their names", text(&RunOptions::outputs),
       kTvmcs},
      {"print-time", '\0', "", "measures and prints mean, median, max, min and std", flag(&RunOptions::printTime),
       kTvmcs},
      {"print-top", '\0', "N", "prints indices and values of the N largest elements of each output",
       number<int64_t>("print-top", &RunOptions::printTop, 1, kMany), kTvmcs},
      {"profile", '\0', "", "prints the time of each kernel call", flag(&RunOptions::profile), kTvmcs},
      {"end-to-end", '\0', "", "times include setting inputs and fetching outputs", flag(&RunOptions::endToEnd),
       kTvmcs},
      {"repeat", '\0', "N", "number of measurements (default: 1)",
       number<int64_t>("repeat", &RunOptions::repeat, 1, kMany), kTvmcs},
      {"number", '\0', "N", "runs per measurement (default: 1)",
       number<int64_t>("number", &RunOptions::number, 1, kMany), kTvmcs},
      {"warmup", '\0', "N", "runs before the first measurement (default: 1)",
       number<int64_t>("warmup", &RunOptions::warmup, 0, kMany)},
      {"threads", '\0', "N", "threads (default: what affinity and cgroup allow)",
       number<int64_t>("threads", &RunOptions::threads, 0, 4096)},
      {"pin", '\0', "", "binds each thread to one CPU", flag(&RunOptions::pin)},
      {"copy-parameters", '\0', "", "copies the parameters to memory (huge pages) instead of mapping the file",
       flag(&RunOptions::copyParameters)},
      {"check-indices", '\0', "",
       "ends with code 4 when an index in the data is outside of its axis; the artifact is one of hone compile "
       "--check-indices",
       flag(&RunOptions::checkIndices)},
      {"output-format", '\0', "text|json", "form of what is printed (default: text)", applyFormat},
      {"help", 'h', "", "prints this", flag(&RunOptions::help), kTvmcs},
      {"verbose", 'v', "", "accepted for compatibility", [](RunOptions &, const std::string &) { return Status(); },
       kTvmcs},
      {"rpc-tracker", '\0', "HOST", "", unsupported("rpc-tracker"), kTvmcs},
      {"rpc-key", '\0', "KEY", "", unsupported("rpc-key"), kTvmcs},
      {"list-options", '\0', "", "", unsupported("list-options"), kTvmcs},
      {"project-option", '\0', "K=V", "", unsupported("project-option"), kTvmcs},
  };
}

/// The option that \p name means, exactly or as its beginning, among \p options and the names \p further.
Result<std::string> complete(const std::string &name, const std::vector<Option> &options,
                             const std::vector<std::string> &further) {
  std::vector<std::string> names = further, matches, ofTvmc;
  for (const Option &option : options) {
    if (std::find(names.begin(), names.end(), option.name) == names.end()) names.push_back(option.name);
    if (option.isTvmcs && option.name.starts_with(name)) ofTvmc.push_back(option.name);
  }
  for (const std::string &known : names) {
    if (known == name) return name;
    if (known.starts_with(name)) matches.push_back(known);
  }
  if (matches.empty() || name.empty()) return usage("unknown option '--", name, "'; see --help");
  if (matches.size() == 1) return matches[0];
  // What TVMC's users shorten goes on to mean what it means there: --out is --outputs, whatever else begins so here.
  if (ofTvmc.size() == 1) return ofTvmc[0];
  std::sort(matches.begin(), matches.end());
  std::string list;
  for (const std::string &match : matches) list += (list.empty() ? "--" : ", --") + match;
  return usage("option '--", name, "' is ambiguous: ", list);
}

Result<const Option *> findLong(const std::vector<Option> &options, const std::string &name) {
  Result<std::string> full = complete(name, options, {});
  if (!full.ok()) return full.status();
  return &*std::find_if(options.begin(), options.end(), [&](const Option &option) { return option.name == *full; });
}

Result<const Option *> findShort(const std::vector<Option> &options, char letter) {
  for (const Option &option : options)
    if (option.letter == letter) return &option;
  return usage("unknown option '-", letter, "'; see --help");
}

/// An argument that starts with a dash: the option and the value that is attached to it, if any.
struct Spelled {
  const Option *option = nullptr;
  bool hasValue = false;
  std::string value;
};

Result<Spelled> spell(const std::vector<Option> &options, const std::string &argument) {
  Spelled spelled;
  const bool isLong = argument.starts_with("--");
  const size_t equals = isLong ? argument.find('=') : std::string::npos;
  Result<const Option *> found =
      isLong ? findLong(options, argument.substr(2, equals == std::string::npos ? equals : equals - 2))
             : findShort(options, argument[1]);
  if (!found.ok()) return found.status();
  spelled.option = *found;
  spelled.hasValue = isLong ? equals != std::string::npos : argument.size() > 2;
  if (spelled.hasValue) spelled.value = argument.substr(isLong ? equals + 1 : 2);
  return spelled;
}

}  // namespace

Result<std::string> completeRunOption(const std::string &name, const std::vector<std::string> &further) {
  return complete(name, allOptions(), further);
}

Result<RunOptions> parseRunOptions(const std::vector<std::string> &arguments) {
  const std::vector<Option> options = allOptions();
  RunOptions result;
  bool onlyPaths = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string &argument = arguments[i];
    if (!onlyPaths && argument == "--") {
      onlyPaths = true;
      continue;
    }
    if (onlyPaths || argument.size() < 2 || argument[0] != '-') {
      if (!result.path.empty())
        return usage("one artifact is expected, but there are '", result.path, "' and '", argument, "'");
      result.path = argument;
      continue;
    }
    Result<Spelled> spelled = spell(options, argument);
    if (!spelled.ok()) return spelled.status();
    const Option &option = *spelled->option;
    if (option.value.empty() && spelled->hasValue && option.letter != 'v')
      return usage("--", option.name, " takes no value, but has '", spelled->value, "'");
    if (!option.value.empty() && !spelled->hasValue) {
      if (++i >= arguments.size()) return usage("--", option.name, " needs a value: ", option.value);
      spelled->value = arguments[i];
    }
    HONE_RT_RETURN_IF_ERROR(option.apply(result, spelled->value));
  }
  if (!result.help && result.path.empty()) return usage("no artifact is given; see --help");
  return result;
}

std::string runHelp(const std::string &program) {
  std::string help =
      "usage: " + program +
      " [options] ARTIFACT\n\nRuns a compiled model: a tar file, or a folder with its three members.\n\n";
  for (const Option &option : allOptions()) {
    if (option.help.empty()) continue;
    std::string left = option.letter ? std::string("  -") + option.letter + ", --" : "      --";
    left += option.name + (option.value.empty() ? "" : " " + option.value);
    left.append(left.size() < 36 ? 36 - left.size() : 1, ' ');
    help += left + option.help + "\n";
  }
  return help +
         "\nExit codes: 0 done, 1 a defect of hone, 2 wrong usage, 3 input refused, 4 failed, 5 unavailable, 130 "
         "interrupted.\n";
}

}  // namespace hone::runtime
