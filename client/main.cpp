// hone: the command-line driver.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands.h"
#include "client/failure.h"
#include "runtime/tools/standard_streams.h"
#include "text/nearest.h"

namespace {

using hone::client::Invocation;

struct Command {
  std::string_view name;
  int (*run)(const Invocation &);
  std::string_view summary;
};

constexpr Command kCommands[] = {
    {"compile", hone::client::compileCommand, "an ONNX model to an artifact"},
    {"run", hone::client::runCommand, "an artifact on inputs, here or on a device of a server"},
    {"bench", hone::client::benchCommand, "artifacts against each other: which is faster, and how sure that is"},
    {"inspect", hone::client::inspectCommand, "what an artifact holds"},
    {"test-model", hone::client::testModelCommand, "a model with test data against its expected outputs"},
    {"sample", hone::client::sampleCommand, "a well-known network with random weights"},
    {"jobs", hone::client::jobsCommand, "list, show, watch, cancel, logs, download: jobs of a server"},
    {"devices", hone::client::devicesCommand, "list, drain, undrain: builders and devices of a server"},
    {"context", hone::client::contextCommand, "add, use, list, remove: names for servers"},
    {"server", hone::client::serverCommand, "status, stop: the private server on this machine"},
    {"doctor", hone::client::doctorCommand, "what is wrong with the server or this machine, and what to do"},
};

// Commands of TVMC and words of habit that deserve an answer.
struct OtherCommand {
  std::string_view name;
  std::string_view sentence;
};
constexpr OtherCommand kOthers[] = {
    {"tune", "this version of hone has no tune yet; hone compile chooses schedules by analysis"},
    {"micro", "not supported by hone: micro (microTVM's projects)"},
};

void printHelp(FILE *out) {
  fputs("hone compiles neural networks to native code and runs them.\n\nusage: hone COMMAND [ARGUMENTS]\n\n", out);
  for (const Command &command : kCommands)
    fprintf(out, "  %-10s %s\n", std::string(command.name).c_str(), std::string(command.summary).c_str());
  fputs(
      "\nexamples:\n"
      "  hone sample resnet50-v2 -o resnet.onnx          a model to begin with\n"
      "  hone compile resnet.onnx -o resnet.tar          for this machine\n"
      "  hone run resnet.tar --print-time                here\n"
      "  hone context add lab localhost:9190             a server of the team; commands use it from now on\n"
      "  hone run --rpc-key rpi4 resnet.tar --profile    on one of its devices\n"
      "\nhone COMMAND --help tells more; hone --version prints the version.\n"
      "exit codes: 0 done, 1 defect of hone, 2 wrong usage, 3 input refused, 4 work failed, 5 file, device or server\n"
      "unavailable, 6 not allowed, 130 interrupted\n",
      out);
}

std::vector<std::string> commandNames() {
  std::vector<std::string> names;
  for (const Command &command : kCommands) names.emplace_back(command.name);
  return names;
}

int wrongUsage(const std::string &sentence) { return hone::client::report(absl::InvalidArgumentError(sentence)); }

int dispatch(const std::string &name, const Invocation &invocation) {
  for (const Command &command : kCommands)
    if (command.name == name) return command.run(invocation);
  for (const OtherCommand &other : kOthers)
    if (other.name == name) return wrongUsage(std::string(other.sentence));
  if (name.starts_with("--config"))
    return wrongUsage("not supported by hone: --config (write the flags into the command)");
  if (name.starts_with('-')) return wrongUsage(absl::StrCat("unknown flag ", name, "; a command comes first"));
  const std::vector<std::string> names = commandNames();
  return wrongUsage(absl::StrCat("unknown command '", name, "'; commands are ", absl::StrJoin(names, ", "),
                                 hone::text::nearestOf(name, names)));
}

}  // namespace

int main(int argc, char **argv) {
  hone::runtime::openStandardStreams();
  Invocation invocation;
  invocation.commandLine.assign(argv, argv + argc);
  int next = 1;
  // TVMC takes -v before the command as well.
  while (next < argc && (std::string_view(argv[next]).starts_with("-v") || std::string_view(argv[next]) == "--verbose"))
    ++next;
  if (next >= argc) {
    printHelp(stderr);
    return static_cast<int>(hone::client::ExitCode::WrongUsage);
  }
  const std::string name = argv[next];
  if (name == "--version") {
    puts("hone " HONE_VERSION);
    return 0;
  }
  if (name == "--help" || name == "-h" || name == "help") {
    printHelp(stdout);
    return 0;
  }
  invocation.arguments.assign(argv + next + 1, argv + argc);
  const int code = dispatch(name, invocation);
#ifndef HONE_SANITIZED
  // What has been done is done: what libraries would still take down is of no use to anyone.
  fflush(nullptr);
  std::_Exit(code);
#endif
  return code;
}
