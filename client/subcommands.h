// Commands of two words, as `hone jobs list`: choosing among them, with help. A function and values without state.
#pragma once

#include <span>
#include <string_view>

#include "client/commands.h"

namespace hone::client {

struct Subcommand {
  std::string_view name;
  int (*run)(const Invocation &);
  std::string_view summary;
};

/// Runs the one that the first argument names, without that argument. Wrong usage when there is none of that name.
int runSubcommand(std::string_view command, std::string_view summary, std::span<const Subcommand> subcommands,
                  const Invocation &invocation);

}  // namespace hone::client
