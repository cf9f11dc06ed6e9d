#include "client/subcommands.h"

#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/failure.h"
#include "text/nearest.h"

namespace hone::client {

namespace {

void printHelp(FILE *out, const std::string &command, std::string_view summary, std::span<const Subcommand> all) {
  fprintf(out, "%s\n\nusage: hone %s SUBCOMMAND [ARGUMENTS]\n\n", std::string(summary).c_str(), command.c_str());
  for (const Subcommand &subcommand : all)
    fprintf(out, "  %-9s %s\n", std::string(subcommand.name).c_str(), std::string(subcommand.summary).c_str());
  fprintf(out, "\nhone %s SUBCOMMAND --help tells more.\n", command.c_str());
}

}  // namespace

int runSubcommand(std::string_view command, std::string_view summary, std::span<const Subcommand> subcommands,
                  const Invocation &invocation) {
  const std::string text(command);
  std::vector<std::string> names;
  for (const Subcommand &subcommand : subcommands) names.emplace_back(subcommand.name);
  const std::string list = absl::StrJoin(names, ", ");
  if (invocation.arguments.empty())
    return report(absl::InvalidArgumentError(absl::StrCat("hone ", text, " needs one of ", list)));
  const std::string &name = invocation.arguments.front();
  if (name == "--help" || name == "-h" || name == "help") {
    printHelp(stdout, text, summary, subcommands);
    return 0;
  }
  Invocation rest{{invocation.arguments.begin() + 1, invocation.arguments.end()}, invocation.commandLine};
  for (const Subcommand &subcommand : subcommands)
    if (subcommand.name == name) return subcommand.run(rest);
  return report(absl::InvalidArgumentError(absl::StrCat("unknown subcommand '", name, "' of hone ", text,
                                                        "; there are ", list, text::nearestOf(name, names))));
}

}  // namespace hone::client
