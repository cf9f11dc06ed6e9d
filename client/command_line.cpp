#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "absl/status/status.h"
#include "client/failure.h"

namespace hone::client {

using Option = CommandLine::Option;

Option &Option::required() {
  option_->required();
  return *this;
}
Option &Option::showsDefault() {
  option_->capture_default_str();
  return *this;
}
Option &Option::between(int least, int most) {
  option_->check(CLI::Range(least, most));
  return *this;
}
Option &Option::notNegative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}
Option &Option::oneOf(const std::vector<std::string> &values) {
  option_->check(CLI::IsMember(values));
  return *this;
}
Option &Option::onePerUse() {
  option_->allow_extra_args(false);
  return *this;
}
Option &Option::inGroup(const std::string &group) {
  option_->group(group);
  return *this;
}
Option &Option::excludes(const Option &other) {
  option_->excludes(other.option_);
  return *this;
}

CommandLine::CommandLine(const std::string &summary, const std::string &command)
    : app_(std::make_unique<CLI::App>(summary, command)) {}
CommandLine::~CommandLine() = default;

Option CommandLine::option(const std::string &names, std::string &value, const std::string &help) {
  return Option(app_->add_option(names, value, help));
}
Option CommandLine::option(const std::string &names, std::vector<std::string> &values, const std::string &help) {
  return Option(app_->add_option(names, values, help));
}
Option CommandLine::option(const std::string &names, int &value, const std::string &help) {
  return Option(app_->add_option(names, value, help));
}
Option CommandLine::option(const std::string &names, uint32_t &value, const std::string &help) {
  return Option(app_->add_option(names, value, help));
}
Option CommandLine::option(const std::string &names, uint64_t &value, const std::string &help) {
  return Option(app_->add_option(names, value, help));
}
Option CommandLine::option(const std::string &names, double &value, const std::string &help) {
  return Option(app_->add_option(names, value, help));
}
Option CommandLine::option(const std::string &names, const std::function<void(const std::string &)> &take,
                           const std::string &help) {
  return Option(app_->add_option_function<std::string>(names, take, help));
}
Option CommandLine::flag(const std::string &names, bool &value, const std::string &help) {
  return Option(app_->add_flag(names, value, help));
}
Option CommandLine::flag(const std::string &names, int &count, const std::string &help) {
  return Option(app_->add_flag(names, count, help));
}
void CommandLine::footer(const std::string &text) { app_->footer(text); }

std::optional<int> CommandLine::read(const std::vector<std::string> &arguments,
                                     std::span<const UnsupportedFlag> unsupported) {
  std::vector<std::string> known;
  for (const CLI::Option *option : app_->get_options())
    for (const std::string &name : option->get_lnames()) known.push_back("--" + name);
  auto resolved = resolveFlags(arguments, known, unsupported);
  if (!resolved.ok()) return report(resolved.status());
  try {
    // CLI11 takes them from the back.
    std::reverse(resolved->begin(), resolved->end());
    app_->parse(*std::move(resolved));
  } catch (const CLI::CallForHelp &) {
    fputs(app_->help().c_str(), stdout);
    return static_cast<int>(ExitCode::Done);
  } catch (const CLI::ParseError &error) {
    return report(absl::InvalidArgumentError(error.what()));
  }
  return std::nullopt;
}

}  // namespace hone::client
