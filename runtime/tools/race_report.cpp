#include <algorithm>
#include <iomanip>
#include <sstream>

#include "runtime/tools/json_text.h"
#include "runtime/tools/race.h"
#include "runtime/tools/race_statistics.h"
#include "runtime/tools/report.h"
#include "text/printable.h"

namespace hone::runtime {
namespace {

constexpr double kConfidence = 0.95;
constexpr double kMilli = 1e3;

template <typename... Parts>
std::string textOf(const Parts &...parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

std::string decimals(double value, int count) { return textOf(std::fixed, std::setprecision(count), value); }

TimeRatio ratioOf(const RaceReport &report, const Racer &racer) {
  return compareTimes(racer.seconds, report.racers.front().seconds, kConfidence);
}

/// The columns line up; the first is set to the left, the others to the right.
void printTable(const std::vector<std::vector<std::string>> &rows, std::ostream &out) {
  for (const auto &row : rows) {
    std::string line;
    for (size_t column = 0; column < row.size(); ++column) {
      size_t width = 0;
      for (const auto &other : rows) width = std::max(width, other[column].size());
      const std::string space(width - row[column].size(), ' ');
      line += column == 0 ? row[column] + space : "  " + space + row[column];
    }
    out << line << '\n';
  }
}

}  // namespace

void printRaceText(const RaceReport &report, std::ostream &out) {
  std::vector<std::vector<std::string>> rows = {
      {"artifact", "median (ms)", "min (ms)", "runs", "ratio", "95 % interval", "difference"}};
  for (size_t i = 0; i < report.racers.size(); ++i) {
    const Racer &racer = report.racers[i];
    const TimeSummary times = summarise(racer.seconds);
    rows.push_back({text::printable(racer.name), decimals(times.median * kMilli, 4), decimals(times.min * kMilli, 4),
                    textOf(racer.seconds.size(), " x ", racer.number), "1", "-", "-"});
    if (i == 0) continue;
    const TimeRatio ratio = ratioOf(report, racer);
    rows.back()[4] = decimals(ratio.ratio, 4);
    if (ratio.interval) rows.back()[5] = decimals(ratio.interval->low, 4) + " to " + decimals(ratio.interval->high, 4);
    rows.back()[6] = textOf(std::setprecision(2), racer.difference);
  }
  printTable(rows, out);
  out << "threads: " << report.threads
      << "; ratio: of times to those of the first, round by round; an interval with 1 in it shows no difference\n";
}

void printRaceJson(const RaceReport &report, std::ostream &out) {
  out << "{\"threads\": " << report.threads << ",\n \"artifacts\": [";
  for (size_t i = 0; i < report.racers.size(); ++i) {
    const Racer &racer = report.racers[i];
    const TimeSummary times = summarise(racer.seconds);
    out << (i == 0 ? "\n" : ",\n") << "  {\"artifact\": " << jsonString(racer.name)
        << ", \"median_ms\": " << jsonNumber(times.median * kMilli)
        << ", \"min_ms\": " << jsonNumber(times.min * kMilli) << ", \"number\": " << racer.number;
    const TimeRatio ratio = ratioOf(report, racer);
    out << ", \"ratio\": " << jsonNumber(ratio.ratio);
    // Of the first to itself there is nothing to be unsure of.
    if (i > 0 && ratio.interval)
      out << ", \"ratio_interval\": [" << jsonNumber(ratio.interval->low) << ", " << jsonNumber(ratio.interval->high)
          << "], \"confidence\": " << jsonNumber(ratio.interval->confidence);
    else
      out << ", \"ratio_interval\": null, \"confidence\": null";
    out << ", \"difference\": " << jsonNumber(racer.difference) << ",\n   \"samples_ms\": "
        << jsonList(racer.seconds, [](double seconds) { return jsonNumber(seconds * kMilli); }) << "}";
  }
  out << "]}\n";
}

}  // namespace hone::runtime
