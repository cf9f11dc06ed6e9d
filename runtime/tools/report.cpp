#include "runtime/tools/report.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <numeric>
#include <sstream>

#include "runtime/tools/element.h"
#include "runtime/tools/json_text.h"
#include "text/printable.h"

namespace hone::runtime {
namespace {

std::string integerText(int64_t value) { return std::to_string(value); }

double gigaflops(int64_t flops, double milliseconds) {
  return milliseconds > 0 ? static_cast<double>(flops) / milliseconds / 1e6 : 0;
}

void printTimes(const std::vector<double> &samples, std::ostream &out) {
  const TimeSummary summary = summarise(samples);
  out << "Execution time summary:\n";
  for (const char *title : {"mean (ms)", "median (ms)", "max (ms)", "min (ms)", "std (ms)"}) {
    // Centred in twelve columns, as TVM's users know it.
    const int left = (12 - static_cast<int>(std::strlen(title))) / 2;
    out << ' ' << std::string(static_cast<size_t>(left), ' ') << title
        << std::string(12 - static_cast<size_t>(left) - std::strlen(title), ' ');
  }
  out << '\n' << std::fixed << std::setprecision(4);
  for (double value : {summary.mean, summary.median, summary.max, summary.min, summary.std}) {
    std::ostringstream number;
    number << std::fixed << std::setprecision(4) << value;
    const size_t width = number.str().size(), left = width < 12 ? (12 - width) / 2 : 0;
    out << ' ' << std::string(left, ' ') << number.str() << std::string(width + left < 12 ? 12 - width - left : 0, ' ');
  }
  out << "\n" << std::defaultfloat;
}

void printTop(const OutputReport &output, std::ostream &out) {
  std::vector<std::string> indices, values;
  size_t width = 0;
  for (size_t i = 0; i < output.top.indices.size(); ++i) {
    std::ostringstream value;
    value << std::setprecision(8) << output.top.values[i];
    indices.push_back(std::to_string(output.top.indices[i]));
    values.push_back(value.str());
    width = std::max({width, indices.back().size(), values.back().size()});
  }
  out << text::printable(output.name) << ":\n";
  for (const bool first : {true, false}) {
    out << (first ? "[[" : " [");
    for (const std::string &text : first ? indices : values) out << ' ' << std::setw(static_cast<int>(width)) << text;
    out << (first ? " ]\n" : " ]]\n");
  }
}

// Behind the columns that are measured: what the compiler expected, and why.
std::string estimateColumns(const std::string &estimate, const std::string &limit) {
  std::ostringstream text;
  text << std::right << std::setw(15) << estimate << "  " << text::printable(limit);
  std::string columns = text.str();
  columns.erase(columns.find_last_not_of(' ') + 1);
  return columns;
}

std::string milliseconds(double value) {
  if (value <= 0) return "";
  std::ostringstream text;
  text << std::fixed << std::setprecision(4) << value;
  return text.str();
}

void printEstimateNote(const RunReport &report, std::ostream &out) {
  out << "estimates: of the compiler, for threads: " << report.estimateThreads;
  if (report.clock > 0) out << ", at the measured " << std::setprecision(2) << report.clock / 1e9 << " GHz";
  out << '\n';
}

void printProfile(const RunReport &report, std::ostream &out) {
  std::vector<ProfileRow> rows = report.profile;
  std::sort(rows.begin(), rows.end(), [](const ProfileRow &a, const ProfileRow &b) {
    return a.milliseconds != b.milliseconds ? a.milliseconds > b.milliseconds : a.name < b.name;
  });
  double total = 0, estimate = 0;
  int64_t flops = 0;
  size_t width = 5;
  for (const ProfileRow &row : rows) {
    total += row.milliseconds;
    estimate += row.estimate;
    flops += row.flops;
    width = std::max(width, std::min<size_t>(row.name.size(), 60));
  }
  const bool hasEstimates = report.estimateThreads > 0;
  // A sum of some of the estimates would be compared with the time of all calls.
  const bool isWhole = std::all_of(rows.begin(), rows.end(),
                                   [](const ProfileRow &row) { return row.milliseconds <= 0 || row.estimate > 0; });
  const auto line = [&](const ProfileRow &row) {
    const double rate = gigaflops(row.flops, row.milliseconds);
    out << std::left << std::setw(static_cast<int>(width)) << text::printable(row.name).substr(0, 60) << std::right
        << std::fixed << std::setprecision(4) << std::setw(12) << row.milliseconds << std::setprecision(1)
        << std::setw(9) << (total > 0 ? 100 * row.milliseconds / total : 0) << std::setw(11) << rate << std::setw(9)
        << (report.peakFlops > 0 ? 100 * rate * 1e9 / report.peakFlops : 0)
        << (hasEstimates ? estimateColumns(milliseconds(row.estimate), row.limit) : "") << '\n';
  };
  out << std::left << std::setw(static_cast<int>(width)) << "call" << std::right << std::setw(12) << "time (ms)"
      << std::setw(9) << "share %" << std::setw(11) << "GFLOP/s" << std::setw(9) << "peak %"
      << (hasEstimates ? estimateColumns("estimate (ms)", "limit") : "") << '\n';
  for (const ProfileRow &row : rows) line(row);
  line({"total", "", total, flops, "", isWhole ? estimate : 0});
  out << "measured peak: " << std::setprecision(1) << report.peakFlops / 1e9
      << " GFLOP/s (float32, threads: " << report.threads << ")\n";
  if (hasEstimates) printEstimateNote(report, out);
  out << std::defaultfloat;
}

}  // namespace

TimeSummary summarise(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const size_t count = samples.size();
  TimeSummary summary;
  summary.mean = std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(count);
  summary.median = (samples[(count - 1) / 2] + samples[count / 2]) / 2;
  summary.min = samples.front();
  summary.max = samples.back();
  double squares = 0;
  for (double sample : samples) squares += (sample - summary.mean) * (sample - summary.mean);
  summary.std = std::sqrt(squares / static_cast<double>(count));
  return summary;
}

TopElements topElements(hone_dtype dtype, const void *data, size_t elements, size_t count) {
  std::vector<double> values(elements);
  for (size_t i = 0; i < elements; ++i) values[i] = elementAsDouble(dtype, data, i);
  std::vector<int64_t> order(elements);
  std::iota(order.begin(), order.end(), 0);
  count = std::min(count, elements);
  const auto before = [&](int64_t a, int64_t b) {
    const double left = values[static_cast<size_t>(a)], right = values[static_cast<size_t>(b)];
    if (std::isnan(left) != std::isnan(right)) return std::isnan(left);
    if (left != right && !std::isnan(left)) return left > right;
    return a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(), before);
  TopElements top;
  for (size_t i = 0; i < count; ++i) {
    top.indices.push_back(order[i]);
    top.values.push_back(values[static_cast<size_t>(order[i])]);
  }
  return top;
}

void printText(const RunReport &report, std::ostream &out) {
  for (const OutputReport &output : report.outputs)
    if (!output.top.indices.empty()) printTop(output, out);
  if (!report.milliseconds.empty()) printTimes(report.milliseconds, out);
  if (!report.profile.empty()) printProfile(report, out);
}

void printJson(const RunReport &report, std::ostream &out) {
  out << "{\"model\": " << jsonString(report.model) << ", \"threads\": " << report.threads
      << ",\n \"outputs\": " << jsonList(report.outputs, [](const OutputReport &output) {
           std::string text = "{\"name\": " + jsonString(output.name) + ", \"dtype\": " + jsonString(output.dtype) +
                              ", \"shape\": " + jsonList(output.shape, integerText);
           if (!output.top.indices.empty())
             text += ", \"top\": {\"indices\": " + jsonList(output.top.indices, integerText) +
                     ", \"values\": " + jsonList(output.top.values, jsonNumber) + "}";
           return text + "}";
         });
  if (!report.milliseconds.empty()) {
    const TimeSummary summary = summarise(report.milliseconds);
    out << ",\n \"time_ms\": {\"mean\": " << jsonNumber(summary.mean) << ", \"median\": " << jsonNumber(summary.median)
        << ", \"max\": " << jsonNumber(summary.max) << ", \"min\": " << jsonNumber(summary.min)
        << ", \"std\": " << jsonNumber(summary.std) << ", \"samples\": " << jsonList(report.milliseconds, jsonNumber)
        << "}";
  }
  if (!report.profile.empty()) {
    out << ",\n \"peak_gflops\": " << jsonNumber(report.peakFlops / 1e9);
    if (report.estimateThreads > 0)
      out << ", \"estimates\": {\"threads\": " << report.estimateThreads
          << ", \"clock_ghz\": " << jsonNumber(report.clock / 1e9) << "}";
    out << ",\n \"profile\": " << jsonList(report.profile, [](const ProfileRow &row) {
      std::string text = "{\"name\": " + jsonString(row.name) + ", \"kernel\": " + jsonString(row.kernel) +
                         ", \"time_ms\": " + jsonNumber(row.milliseconds) +
                         ", \"flops\": " + std::to_string(row.flops) +
                         ", \"gflops\": " + jsonNumber(gigaflops(row.flops, row.milliseconds));
      if (!row.limit.empty()) text += ", \"limit\": " + jsonString(row.limit);
      if (row.estimate > 0) text += ", \"estimate_ms\": " + jsonNumber(row.estimate);
      return text + "}";
    });
  }
  out << "}\n";
}

}  // namespace hone::runtime
