#include "client/listing.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/command_line.h"

namespace hone::client {

namespace {

void printRow(const std::vector<std::string> &row, const std::vector<size_t> &widths) {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    absl::StrAppend(&line, row[i]);
    if (i + 1 < row.size()) line.append(widths[i] - std::min(widths[i], row[i].size()) + 2, ' ');
  }
  puts(line.c_str());
}

}  // namespace

void declareFormat(CommandLine &line, std::string &format) {
  format = "table";
  line.option("--output-format", format, "table or json").showsDefault().oneOf({"table", "json"});
}

void print(const Listing &listing, const std::string &format) {
  if (format == "json") {
    // What a worker or a label holds need not be UTF-8.
    puts(listing.json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  std::vector<size_t> widths;
  for (const std::string &title : listing.head) widths.push_back(title.size());
  for (const auto &row : listing.rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  printRow(listing.head, widths);
  for (const auto &row : listing.rows) printRow(row, widths);
}

Json timeJson(int64_t unixMicros) {
  if (unixMicros == 0) return nullptr;
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixMicros(unixMicros), absl::UTCTimeZone());
}

std::string timeText(int64_t unixMicros) {
  if (unixMicros == 0) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixMicros(unixMicros), absl::LocalTimeZone());
}

std::string durationText(double seconds) {
  if (seconds < 60) return absl::StrFormat("%.0fs", std::max(seconds, 0.0));
  if (seconds < 3600) return absl::StrFormat("%.0fm", seconds / 60);
  if (seconds < 2 * 24 * 3600) return absl::StrFormat("%.0fh", seconds / 3600);
  return absl::StrFormat("%.0fd", seconds / (24 * 3600));
}

std::string orDash(const std::string &text) { return text.empty() ? "-" : text; }

std::string megabytes(int64_t bytes) { return absl::StrFormat("%.1f MB", static_cast<double>(bytes) / 1e6); }

}  // namespace hone::client
