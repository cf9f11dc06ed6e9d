#include "server/base/log.h"

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "spdlog/logger.h"
#include "spdlog/sinks/basic_file_sink.h"
#include "spdlog/sinks/null_sink.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace hone::server {

namespace {

spdlog::level::level_enum toSpdlog(Log::Level level) {
  switch (level) {
    case Log::Level::Debug:
      return spdlog::level::debug;
    case Log::Level::Info:
      return spdlog::level::info;
    case Log::Level::Warning:
      return spdlog::level::warn;
    case Log::Level::Error:
      break;
  }
  return spdlog::level::err;
}

void appendEscaped(std::string &line, std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  line += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      line += "\\u00";
      line += kDigits[static_cast<unsigned char>(c) >> 4];
      line += kDigits[c & 15];
    } else {
      line += c;
    }
  }
  line += '"';
}

// Without blanks, quotes and control characters a value stands as it is: one line stays one line.
bool isPlain(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '\\' || c == '=' || c == 0x7f) return false;
  return !text.empty();
}

}  // namespace

Log::Log(std::shared_ptr<spdlog::logger> logger, Format format) : logger_(std::move(logger)), format_(format) {}
Log::~Log() { logger_->flush(); }

absl::StatusOr<std::unique_ptr<Log>> Log::open(const std::string &file, Level least, Format format) {
  try {
    spdlog::sink_ptr sink;
    if (file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    }
    auto logger = std::make_shared<spdlog::logger>("hone-server", std::move(sink));
    logger->set_level(toSpdlog(least));
    logger->flush_on(spdlog::level::debug);
    const char *pattern = format == Format::Json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})"
                                                 : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";
    logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
    return std::unique_ptr<Log>(new Log(std::move(logger), format));
  } catch (const spdlog::spdlog_ex &error) {
    return absl::UnavailableError(absl::StrCat("cannot open the log: ", error.what()));
  }
}

std::unique_ptr<Log> Log::silent() {
  auto logger = std::make_shared<spdlog::logger>("silent", std::make_shared<spdlog::sinks::null_sink_mt>());
  logger->set_level(spdlog::level::off);
  return std::unique_ptr<Log>(new Log(std::move(logger), Format::Text));
}

void Log::write(Level level, std::string_view event, Fields fields) const {
  if (!logger_->should_log(toSpdlog(level))) return;
  std::string line;
  if (format_ == Format::Json) {
    line = "\"event\":";
    appendEscaped(line, event);
  } else {
    line = event;
  }
  for (const Field &field : fields) {
    if (field.value.empty()) continue;
    if (format_ == Format::Json) {
      line += ',';
      appendEscaped(line, field.name);
      line += ':';
      appendEscaped(line, field.value);
      continue;
    }
    line += ' ';
    line += field.name;
    line += '=';
    if (isPlain(field.value)) {
      line += field.value;
    } else {
      appendEscaped(line, field.value);
    }
  }
  logger_->log(toSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace hone::server
