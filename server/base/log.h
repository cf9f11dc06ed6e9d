// The coordinator's log: one line per event, as text for people or as JSON for programs. An event is a few words that
// do not change and fields that do; fields with an empty value are left out. Thread-safe.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace spdlog {
class logger;
}

namespace hone::server {

class Log {
 public:
  enum class Level { Debug, Info, Warning, Error };
  enum class Format { Text, Json };
  struct Field {
    std::string_view name;
    std::string value;
  };
  using Fields = std::initializer_list<Field>;

  /// To \p file, or to the standard error if it is empty. UNAVAILABLE when the file cannot be opened.
  static absl::StatusOr<std::unique_ptr<Log>> open(const std::string &file, Level least, Format format);
  /// Nothing is written; for tests.
  static std::unique_ptr<Log> silent();
  ~Log();

  void write(Level level, std::string_view event, Fields fields) const;
  void debug(std::string_view event, Fields fields) const { write(Level::Debug, event, fields); }
  void info(std::string_view event, Fields fields) const { write(Level::Info, event, fields); }
  void warning(std::string_view event, Fields fields) const { write(Level::Warning, event, fields); }
  void error(std::string_view event, Fields fields) const { write(Level::Error, event, fields); }

 private:
  Log(std::shared_ptr<spdlog::logger> logger, Format format);

  std::shared_ptr<spdlog::logger> logger_;
  Format format_;
};

}  // namespace hone::server
