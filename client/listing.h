// How listings are printed: a table for people, JSON for programs (stable fields, times as RFC 3339). Values; functions
// without state.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hone::client {

class CommandLine;

using Json = nlohmann::ordered_json;

struct Listing {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
  Json json = Json::array();
};

/// Adds --output-format table|json.
void declareFormat(CommandLine &line, std::string &format);

/// To the standard output, in \p format as declareFormat() takes it.
void print(const Listing &listing, const std::string &format);

/// "2026-11-23T04:16:15.123456Z"; null for 0.
Json timeJson(int64_t unixMicros);
/// "2026-11-23 04:16:15" by this machine's clock; "-" for 0.
std::string timeText(int64_t unixMicros);
/// "12s", "3m", "5h", "2d".
std::string durationText(double seconds);
/// "-" for an empty text.
std::string orDash(const std::string &text);
std::string megabytes(int64_t bytes);

}  // namespace hone::client
