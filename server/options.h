// What can be said to hone-server. One table of options makes its flags, the keys of its configuration file, its
// environment variables and the operator's manual. A Settings belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "server/engine/engine.h"
#include "server/rpc/site.h"

namespace hone::server {

struct Settings {
  std::vector<std::string> listen = {"127.0.0.1:9190"};
  std::string portFile;
  std::string data;  ///< filled in by defaultDataFolder() when it is empty
  std::string admin;
  std::string adminPortFile;
  int64_t tvmTrackerPort = -1;
  std::string tvmTrackerPortFile;
  std::string logFile;
  std::string logFormat = "text";
  std::string logLevel = "info";

  bool isPrivate = false;
  std::string socket;
  int64_t readyDescriptor = -1;
  std::string programs;
  absl::Duration idle = absl::Minutes(10);

  absl::Duration drainTimeout = absl::Minutes(2);
  int64_t diskReserve = -1;  ///< below 0: defaultDiskReserve()
  Policy policy;
  RpcLimits limits;
};

struct Option {
  enum class Unit { None, Bytes };
  std::string group;
  std::string name;  ///< "max-blob-bytes": the flag without dashes, the key in the file; the variable is made of it
  std::string help;  ///< a sentence without full stop
  std::variant<bool *, int32_t *, int64_t *, std::string *, std::vector<std::string> *, absl::Duration *> value;
  int64_t least = 0;  ///< of numbers; durations: in milliseconds
  int64_t most = INT64_MAX;
  Unit unit = Unit::None;
  std::vector<std::string> choices = {};  ///< of texts; empty: any
};

/// Where each option's value is in \p settings, in the order of the manual.
std::vector<Option> optionTable(Settings &settings);

/// "HONE_SERVER_MAX_BLOB_BYTES"
std::string variableOf(const Option &option);
/// The option's present value, as a person writes it: "4 GiB" is "4GiB", a duration "20s".
std::string valueText(const Option &option);
/// What kind of value it takes: "DURATION", "BYTES", "NUMBER", "TEXT".
std::string kindOf(const Option &option);
/// Reads \p texts into the option's value. INVALID_ARGUMENT with a sentence that names the option.
absl::Status readValue(const Option &option, const std::vector<std::string> &texts);

/// The table as the operator's guide shows it.
std::string optionsMarkdown();

/// 1 GiB; for the private coordinator, which must work in a home that is nearly full, a 64th of its disk of
/// \p diskBytes and at most 64 MiB.
int64_t defaultDiskReserve(bool isPrivate, int64_t diskBytes);

/// $XDG_DATA_HOME/hone for the private coordinator, $XDG_DATA_HOME/hone-server for a shared one.
std::string defaultDataFolder(bool isPrivate);

}  // namespace hone::server
