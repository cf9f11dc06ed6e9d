// The flags and operands of one command, and how they are read in the manner of this program: prefixes of long flags,
// one-sentence errors. CLI11 does the work behind it; its headers take longer to compile than any command, so they are
// included in one file. Used from one thread; the values that options write to must outlive read().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/flags.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hone::client {

class CommandLine {
 public:
  /// \p command: "hone jobs list".
  CommandLine(const std::string &summary, const std::string &command);
  ~CommandLine();
  CommandLine(const CommandLine &) = delete;
  CommandLine &operator=(const CommandLine &) = delete;

  /// An option that has been added, to say more of it.
  class Option {
   public:
    explicit Option(CLI::Option *option) : option_(option) {}
    Option &required();
    /// Help shows the value that it has now.
    Option &showsDefault();
    Option &between(int least, int most);
    Option &notNegative();
    Option &oneOf(const std::vector<std::string> &values);
    /// Of a list: each use takes one value.
    Option &onePerUse();
    Option &inGroup(const std::string &group);
    Option &excludes(const Option &other);

   private:
    CLI::Option *option_;
  };

  /// \p names: "-o,--output", or "FILE" of an operand.
  Option option(const std::string &names, std::string &value, const std::string &help);
  Option option(const std::string &names, std::vector<std::string> &values, const std::string &help);
  Option option(const std::string &names, int &value, const std::string &help);
  Option option(const std::string &names, uint32_t &value, const std::string &help);
  Option option(const std::string &names, uint64_t &value, const std::string &help);
  Option option(const std::string &names, double &value, const std::string &help);
  Option option(const std::string &names, const std::function<void(const std::string &)> &take,
                const std::string &help);
  Option flag(const std::string &names, bool &value, const std::string &help);
  /// Counts how often it is given.
  Option flag(const std::string &names, int &count, const std::string &help);
  /// Below the help.
  void footer(const std::string &text);

  /// Completes and reads \p arguments. Nothing: go on. A number: the command ends with this exit code; help or the
  /// error has been printed.
  std::optional<int> read(const std::vector<std::string> &arguments, std::span<const UnsupportedFlag> unsupported = {});

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace hone::client
