#include "server/options.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hone::server {

namespace {

template <typename... Cases>
struct Overload : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overload(Cases...) -> Overload<Cases...>;

struct Suffix {
  const char *text;
  int64_t factor;
};
// Larger first: a number is written with the largest that divides it.
constexpr Suffix kSuffixes[] = {
    {"TiB", int64_t{1} << 40}, {"GiB", int64_t{1} << 30}, {"MiB", int64_t{1} << 20}, {"KiB", int64_t{1} << 10}};

std::string bytesText(int64_t bytes) {
  for (const Suffix &suffix : kSuffixes)
    if (bytes != 0 && bytes % suffix.factor == 0) return absl::StrCat(bytes / suffix.factor, suffix.text);
  return absl::StrCat(bytes);
}

std::string durationText(absl::Duration duration) {
  if (duration >= absl::Hours(24) && duration % absl::Hours(24) == absl::ZeroDuration())
    return absl::StrCat(duration / absl::Hours(24), "d");
  if (duration >= absl::Hours(1) && duration % absl::Hours(1) == absl::ZeroDuration())
    return absl::StrCat(duration / absl::Hours(1), "h");
  if (duration >= absl::Minutes(1) && duration % absl::Minutes(1) == absl::ZeroDuration())
    return absl::StrCat(duration / absl::Minutes(1), "m");
  return absl::FormatDuration(duration);
}

bool parseBytes(std::string text, int64_t &bytes) {
  int64_t factor = 1;
  for (const Suffix &suffix : kSuffixes)
    if (text.ends_with(suffix.text)) {
      factor = suffix.factor;
      text.resize(text.size() - 3);
      break;
    }
  return absl::SimpleAtoi(text, &bytes) && bytes >= 0 && bytes <= INT64_MAX / factor && ((bytes *= factor), true);
}

// "1.5h", "20s", "7d"; a number alone means seconds.
bool parseDuration(const std::string &text, absl::Duration &duration) {
  double number = 0;
  if (absl::SimpleAtod(text, &number)) {
    duration = absl::Seconds(number);
  } else if (text.ends_with('d') && absl::SimpleAtod(text.substr(0, text.size() - 1), &number)) {
    duration = absl::Hours(24) * number;
  } else if (!absl::ParseDuration(text, &duration)) {
    return false;
  }
  return duration >= absl::ZeroDuration() && duration < absl::InfiniteDuration();
}

absl::Status wrong(const Option &option, const std::string &text, const std::string &wanted) {
  return absl::InvalidArgumentError(absl::StrCat("--", option.name, " is '", text, "', but it is ", wanted));
}

absl::Status outside(const Option &option, const std::string &text, const std::string &least, const std::string &most) {
  return wrong(
      option, text,
      option.most == INT64_MAX ? absl::StrCat("at least ", least) : absl::StrCat("between ", least, " and ", most));
}

template <typename Number>
absl::Status readNumber(const Option &option, const std::string &text, Number &value) {
  const bool isBytes = option.unit == Option::Unit::Bytes;
  int64_t number = 0;
  if (isBytes ? !parseBytes(text, number) : !absl::SimpleAtoi(text, &number))
    return wrong(option, text, isBytes ? "a number of bytes, as 4096, 64MiB or 4GiB" : "a whole number");
  const int64_t most = std::min<int64_t>(option.most, std::numeric_limits<Number>::max());
  if (number < option.least || number > most)
    return outside(option, text, isBytes ? bytesText(option.least) : absl::StrCat(option.least),
                   isBytes ? bytesText(most) : absl::StrCat(most));
  value = static_cast<Number>(number);
  return absl::OkStatus();
}

absl::Status readDuration(const Option &option, const std::string &text, absl::Duration &value) {
  absl::Duration duration;
  if (!parseDuration(text, duration)) return wrong(option, text, "a duration, as 500ms, 20s, 1.5h or 7d");
  const absl::Duration least = absl::Milliseconds(option.least);
  if (duration < least || duration > absl::Milliseconds(option.most))
    return outside(option, text, durationText(least), durationText(absl::Milliseconds(option.most)));
  value = duration;
  return absl::OkStatus();
}

absl::Status readText(const Option &option, const std::string &text, std::string &value) {
  if (!option.choices.empty() && std::find(option.choices.begin(), option.choices.end(), text) == option.choices.end())
    return wrong(option, text, absl::StrCat("one of ", absl::StrJoin(option.choices, ", ")));
  value = text;
  return absl::OkStatus();
}

}  // namespace

std::string variableOf(const Option &option) {
  std::string name = absl::AsciiStrToUpper(option.name);
  std::replace(name.begin(), name.end(), '-', '_');
  return absl::StrCat("HONE_SERVER_", name);
}

std::string valueText(const Option &option) {
  const bool isBytes = option.unit == Option::Unit::Bytes;
  return std::visit(Overload{[](const bool *value) { return std::string(*value ? "true" : "false"); },
                             [](const int32_t *value) { return absl::StrCat(*value); },
                             [&](const int64_t *value) {
                               if (isBytes) return *value < 0 ? std::string() : bytesText(*value);
                               return absl::StrCat(*value);
                             },
                             [](const std::string *value) { return *value; },
                             [](const std::vector<std::string> *value) { return absl::StrJoin(*value, ", "); },
                             [](const absl::Duration *value) { return durationText(*value); }},
                    option.value);
}

std::string kindOf(const Option &option) {
  if (option.unit == Option::Unit::Bytes) return "BYTES";
  if (!option.choices.empty()) return absl::StrJoin(option.choices, "|");
  return std::visit(
      Overload{[](const bool *) { return std::string(); }, [](const int32_t *) { return std::string("NUMBER"); },
               [](const int64_t *) { return std::string("NUMBER"); },
               [](const std::string *) { return std::string("TEXT"); },
               [](const std::vector<std::string> *) { return std::string("ADDRESS"); },
               [](const absl::Duration *) { return std::string("DURATION"); }},
      option.value);
}

absl::Status readValue(const Option &option, const std::vector<std::string> &texts) {
  const std::string text = texts.empty() ? std::string() : texts.back();
  return std::visit(Overload{[&](bool *value) {
                               *value = text.empty() || text == "true" || text == "1" || text == "on";
                               return absl::OkStatus();
                             },
                             [&](int32_t *value) { return readNumber(option, text, *value); },
                             [&](int64_t *value) { return readNumber(option, text, *value); },
                             [&](std::string *value) { return readText(option, text, *value); },
                             [&](std::vector<std::string> *value) {
                               *value = texts;
                               return absl::OkStatus();
                             },
                             [&](absl::Duration *value) { return readDuration(option, text, *value); }},
                    option.value);
}

std::string optionsMarkdown() {
  Settings settings;
  std::string text;
  std::string group;
  for (const Option &option : optionTable(settings)) {
    if (option.group != group) {
      group = option.group;
      absl::StrAppend(&text, text.empty() ? "" : "\n", "### ", group, "\n\n",
                      "| option | default | meaning |\n|---|---|---|\n");
    }
    const std::string value = valueText(option);
    absl::StrAppend(&text, "| `", option.name, "` | ", value.empty() ? "" : absl::StrCat("`", value, "`"), " | ",
                    option.help, " |\n");
  }
  return text;
}

int64_t defaultDiskReserve(bool isPrivate, int64_t diskBytes) {
  constexpr int64_t kShared = int64_t{1} << 30;
  constexpr int64_t kPrivate = int64_t{64} << 20;
  constexpr int64_t kPart = 64;
  return isPrivate ? std::min(kPrivate, diskBytes / kPart) : kShared;
}

std::string defaultDataFolder(bool isPrivate) {
  const char *name = isPrivate ? "hone" : "hone-server";
  if (const char *data = getenv("XDG_DATA_HOME"); data != nullptr && *data == '/') return absl::StrCat(data, "/", name);
  const char *home = getenv("HOME");
  return absl::StrCat(home != nullptr && *home != '\0' ? home : ".", "/.local/share/", name);
}

}  // namespace hone::server
