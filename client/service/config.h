// The contexts of `hone context`: names for coordinators, in a file of the user's. A value; loadConfig and changeConfig
// are the ways in and out.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::client {

/// The name that stands for the private coordinator wherever a context or a server is named.
inline constexpr char kPrivateName[] = "private";

struct Context {
  std::string server;  ///< as parseAddress() gives it
  std::string user;    ///< empty: the login name
};

struct Config {
  std::map<std::string, Context> contexts;
  std::string current;  ///< empty: none, which means the private coordinator
};

/// config.json in configFolder().
absl::StatusOr<std::filesystem::path> configPath();

/// An empty one when there is no file. DATA_LOSS when the file cannot be understood.
absl::StatusOr<Config> loadConfig();

/// Loads, changes and writes the file while nobody else does. Nothing is written when \p change fails.
absl::Status changeConfig(const std::function<absl::Status(Config &)> &change);

/// "; contexts are a, b" or "; there are no contexts, `hone context add` makes one".
std::string namesOfContexts(const Config &config);

}  // namespace hone::client
