#include "server/program.h"

#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/maintenance_commands.h"
#include "server/options.h"
#include "server/serve.h"

namespace hone::server {

namespace {

constexpr int kWrongUsage = 2;

// docs/exit-codes.md.
int exitCode(const absl::Status &status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kInvalidArgument:
      return kWrongUsage;
    case absl::StatusCode::kPermissionDenied:
      return 6;
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kNotFound:
      return 3;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAlreadyExists:
      return 5;
    default:
      return 1;
  }
}

int report(const absl::Status &status) {
  fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return exitCode(status);
}

// In help texts, which are not Markdown.
std::string plain(std::string text) {
  std::erase(text, '`');
  return text;
}

void addOption(CLI::App &app, const Option &option) {
  const auto take = [option](const CLI::results_t &texts) {
    const absl::Status status = readValue(option, texts);
    if (!status.ok()) throw CLI::ValidationError(std::string(status.message()), CLI::ExitCodes::ValidationError);
    return true;
  };
  const std::string flag = absl::StrCat("--", option.name);
  CLI::Option *added = nullptr;
  if (std::holds_alternative<bool *>(option.value)) {
    added = app.add_flag(flag, *std::get<bool *>(option.value), plain(option.help));
  } else {
    const bool isList = std::holds_alternative<std::vector<std::string> *>(option.value);
    added = app.add_option(flag, take, plain(option.help));
    added->type_name(kindOf(option))->default_str(valueText(option));
    added->multi_option_policy(isList ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
    added->expected(1);
    if (isList) added->expected(1, 16)->allow_extra_args(false);
  }
  added->envname(variableOf(option))->group(option.group);
}

}  // namespace

int runProgram(int argc, char **argv, const Kinds &kinds) {
  Settings settings;
  CLI::App app("hone-server, the coordinator: takes jobs, leases work to hone-worker, keeps the results.",
               "hone-server");
  app.option_defaults()->always_capture_default(false);
  app.set_version_flag("--version", "hone " HONE_VERSION);
  app.set_config("--config", "", "A file of the options below: lines of 'name = \"value\"' (TOML)")
      ->envname("HONE_SERVER_CONFIG");
  app.allow_config_extras(CLI::config_extras_mode::error);
  for (const Option &option : optionTable(settings)) addOption(app, option);
  const MaintenanceCommands commands(app);
  app.footer(
      "Every option can stand in the file, and in the environment as HONE_SERVER_NAME. The command line wins over\n"
      "both, the file over the environment.\n"
      "exit codes: 0 done, 1 defect of hone, 2 wrong usage, 3 data refused, 5 address, file or disk unavailable,\n"
      "6 not allowed, 130 ended by a second signal");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &) {
    fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::CallForVersion &) {
    puts("hone " HONE_VERSION);
    return 0;
  } catch (const CLI::ParseError &error) {
    return report(absl::InvalidArgumentError(error.what()));
  }
  if (commands.isAsked()) {
    if (settings.data.empty()) settings.data = defaultDataFolder(settings.isPrivate);
    const auto code = commands.run(settings.data);
    return code.ok() ? *code : report(code.status());
  }
  // Abseil's search for cycles of locks is for debugging, and cost 3 % of a busy coordinator.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const auto code = serve(std::move(settings), kinds);
  return code.ok() ? *code : report(code.status());
}

}  // namespace hone::server
