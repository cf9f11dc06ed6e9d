// Reading arguments with CLI11 in the manner of this program: prefixes of long flags, one-sentence errors.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/flags.h"

namespace CLI {
class App;
}

namespace hone::client {

/// Completes and reads \p arguments. Nothing: go on. A number: the command ends with this exit code; help or the
/// error has been printed.
std::optional<int> readArguments(CLI::App &app, const std::vector<std::string> &arguments,
                                 std::span<const UnsupportedFlag> unsupported = {});

}  // namespace hone::client
