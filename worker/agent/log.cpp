#include "worker/agent/log.h"

#include <spdlog/sinks/stdout_sinks.h>

#include "absl/strings/str_cat.h"

namespace hone::worker {

namespace {

std::string quoted(std::string_view text) {
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

// Values may come from outside: a line of the log stays one line.
std::string oneLine(std::string_view text) {
  std::string result(text);
  for (char &byte : result)
    if (static_cast<unsigned char>(byte) < 0x20) byte = ' ';
  return result;
}

}  // namespace

Log::Log(Format format)
    : format_(format),
      logger_(std::make_shared<spdlog::logger>("hone-worker", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
  logger_->set_pattern(format == Format::Json ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})"
                                              : "%Y-%m-%d %H:%M:%S.%e %l %v");
  logger_->flush_on(spdlog::level::info);
}

void Log::write(spdlog::level::level_enum level, std::string_view sentence, Fields fields) const {
  const bool isJson = format_ == Format::Json;
  std::string line = isJson ? absl::StrCat("\"event\":", quoted(sentence)) : oneLine(sentence);
  for (const auto &[name, value] : fields) {
    if (isJson)
      absl::StrAppend(&line, ",\"", std::string(name), "\":", quoted(value));
    else
      absl::StrAppend(&line, " ", std::string(name), "=", oneLine(value));
  }
  logger_->log(level, "{}", line);
}

}  // namespace hone::worker
