#include "worker/agent/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace hone::worker {

namespace {

std::string inQuotes(std::string_view text) {
  std::string result = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\')
      absl::StrAppend(&result, "\\", std::string(1, byte));
    else if (static_cast<unsigned char>(byte) < 0x20)
      absl::StrAppend(&result, "\\u", absl::Hex(static_cast<unsigned char>(byte), absl::kZeroPad4));
    else
      result.push_back(byte);
  }
  result.push_back('"');
  return result;
}

// Values may come from outside: what is not one word is quoted, and a line of the log stays one line.
bool isPlain(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '"' || c == '=';
  });
}

}  // namespace

Log::Log(Format format)
    : format_(format),
      logger_(std::make_shared<spdlog::logger>("hone-worker", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_pattern(
      format == Format::Json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})" : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v",
      spdlog::pattern_time_type::utc);
  logger_->flush_on(spdlog::level::info);
}

void Log::write(Level level, std::string_view sentence, Fields fields) const {
  const auto severity = level == Level::Error     ? spdlog::level::err
                        : level == Level::Warning ? spdlog::level::warn
                                                  : spdlog::level::info;
  const bool isJson = format_ == Format::Json;
  std::string line = isJson ? absl::StrCat("\"event\":", inQuotes(sentence)) : std::string(sentence);
  for (const auto &[name, value] : fields) {
    if (value.empty()) continue;
    if (isJson)
      absl::StrAppend(&line, ",\"", std::string(name), "\":", inQuotes(value));
    else
      absl::StrAppend(&line, " ", std::string(name), "=", isPlain(value) ? value : inQuotes(value));
  }
  logger_->log(severity, "{}", line);
}

}  // namespace hone::worker
