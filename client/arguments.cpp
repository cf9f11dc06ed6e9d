#include "client/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "absl/status/status.h"
#include "client/failure.h"

namespace hone::client {

std::optional<int> readArguments(CLI::App &app, const std::vector<std::string> &arguments,
                                 std::span<const UnsupportedFlag> unsupported) {
  std::vector<std::string> known;
  for (const CLI::Option *option : app.get_options())
    for (const std::string &name : option->get_lnames()) known.push_back("--" + name);
  auto resolved = resolveFlags(arguments, known, unsupported);
  if (!resolved.ok()) return report(resolved.status());
  try {
    // CLI11 takes them from the back.
    std::reverse(resolved->begin(), resolved->end());
    app.parse(*std::move(resolved));
  } catch (const CLI::CallForHelp &) {
    fputs(app.help().c_str(), stdout);
    return static_cast<int>(ExitCode::Done);
  } catch (const CLI::ParseError &error) {
    return report(absl::InvalidArgumentError(error.what()));
  }
  return std::nullopt;
}

}  // namespace hone::client
