// hone compile: model -> artifact.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/arguments.h"
#include "client/commands.h"
#include "client/compile_values.h"
#include "client/failure.h"
#include "client/output_file.h"
#include "client/request.h"

namespace hone::client {

namespace {

constexpr std::string_view kTargetKeys[] = {"mcpu", "mattr", "mtriple", "num-cores"};

struct CompileFlags {
  std::string model;
  std::string target = "llvm";
  std::map<std::string, std::string> targetKeys;
  std::string inputShapes;
  std::string output = "module.tar";
  std::string outputFormat = "so";
  std::string modelFormat;
  std::string dumpCode;
  std::string schedules;
  std::string disabledPasses;
  std::string printAfter;
  std::string stopAfter;
  std::string moduleName = "default";
  int optLevel = 3;
  int threads = 0;
  int verbosity = 0;
  bool printPassTimes = false;
};

void declare(CLI::App &app, CompileFlags &flags) {
  app.add_option("FILE", flags.model, "the model, as ONNX")->required();
  app.add_option(
         "--target", flags.target,
         "the machine to compile for: \"llvm [-mcpu=NAME] [-mattr=+a,-b] [-mtriple=T] [-num-cores=N]\", the same as "
         "JSON, or a JSON file; llvm alone is this machine")
      ->capture_default_str();
  for (const std::string_view key : kTargetKeys) {
    app.add_option_function<std::string>(
        absl::StrCat("--target-llvm-", std::string(key)),
        [&flags, key](const std::string &value) { flags.targetKeys[std::string(key)] = value; },
        absl::StrCat("-", std::string(key), " of the target"));
  }
  app.add_option("--input-shapes", flags.inputShapes,
                 "shapes of inputs, which bind symbolic dimensions: \"name:[1,3,224,224] name2:[1,10]\"");
  app.add_option("-o,--output", flags.output, "the artifact to write")->capture_default_str();
  app.add_option("-f,--output-format", flags.outputFormat, "so: a tar of mod.so, mod.json, mod.params")
      ->capture_default_str();
  app.add_option("--model-format", flags.modelFormat, "onnx, whatever the name of the file");
  app.add_option("--dump-code", flags.dumpCode, "list of graph, plan, loops, ll, asm: writes that form to OUTPUT.FORM");
  app.add_option("--schedules", flags.schedules,
                 "a file of schedules for some kernels, as `hone inspect --schedules` prints them");
  app.add_option("-O,--opt-level", flags.optLevel, "which optional graph passes run: 0 (none) to 3 (all)")
      ->capture_default_str()
      ->check(CLI::Range(0, 3));
  app.add_option("--disabled-pass", flags.disabledPasses, "list of graph passes to leave out");
  app.add_option("--print-ir-after", flags.printAfter, "list of graph passes after which to print the graph; or all");
  app.add_option(
      "--stop-after", flags.stopAfter,
      "print what is there after this phase and write nothing: import, graph, plan, schedule, loops, codegen");
  app.add_flag("--print-pass-times", flags.printPassTimes, "print the time of each phase and graph pass");
  app.add_option("--module-name", flags.moduleName, "name that the artifact carries")->capture_default_str();
  app.add_option("--threads", flags.threads, "threads of code generation (default: one per CPU)")
      ->check(CLI::Range(0, 1024));
  app.add_flag("-v,--verbose", flags.verbosity, "say more; may be repeated");
}

std::vector<std::string> listOf(const std::string &text) { return absl::StrSplit(text, ',', absl::SkipEmpty()); }

absl::Status checkFormats(const CompileFlags &flags) {
  if (flags.outputFormat != "so")
    return absl::InvalidArgumentError(
        absl::StrCat("not supported by hone: output format '", flags.outputFormat, "' (so is the only one)"));
  if (!flags.modelFormat.empty() && flags.modelFormat != "onnx")
    return absl::InvalidArgumentError(absl::StrCat("not supported by hone: model format '", flags.modelFormat,
                                                   "' (hone reads onnx; most frameworks export it)"));
  for (const std::string &form : listOf(flags.dumpCode))
    if (form == "relay" || form == "tir")
      return absl::InvalidArgumentError(absl::StrCat("not supported by hone: --dump-code ", form,
                                                     " (hone's own forms are graph, plan, loops, ll, asm)"));
  return absl::OkStatus();
}

absl::StatusOr<std::string> readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) return absl::NotFoundError(absl::StrCat("cannot read '", path, "'"));
  return text;
}

absl::StatusOr<v1::Compile> messageOf(const CompileFlags &flags) {
  if (absl::Status status = checkFormats(flags); !status.ok()) return status;
  v1::Compile message;
  auto target = targetText(flags.target, flags.targetKeys);
  if (!target.ok()) return target.status();
  message.set_target(*target);
  auto shapes = parseInputShapes(flags.inputShapes);
  if (!shapes.ok()) return shapes.status();
  for (const auto &[name, dims] : *shapes) {
    v1::InputShape &shape = *message.add_input_shapes();
    shape.set_name(name);
    for (const int64_t dim : dims) shape.add_dims(dim);
  }
  if (!flags.schedules.empty()) {
    auto text = readText(flags.schedules);
    if (!text.ok()) return text.status();
    message.set_schedules(*text);
  }
  message.set_opt_level(flags.optLevel);
  for (const std::string &pass : listOf(flags.disabledPasses)) message.add_disabled_passes(pass);
  for (const std::string &pass : listOf(flags.printAfter)) message.add_print_after(pass);
  for (const std::string &form : listOf(flags.dumpCode)) message.add_dumps(form);
  message.set_stop_after(flags.stopAfter);
  message.set_threads(flags.threads);
  message.set_module_name(flags.moduleName);
  return message;
}

void printTimings(const v1::Result &result) {
  printf("%-32s %10s\n", "phase, pass", "ms");
  for (const v1::Timing &timing : result.timings())
    printf("%-32s %10.2f\n", (timing.is_pass() ? "  " + timing.name() : timing.name()).c_str(), timing.seconds() * 1e3);
}

absl::Status compile(const CompileFlags &flags, const Invocation &invocation) {
  auto message = messageOf(flags);
  if (!message.ok()) return message.status();
  auto model = InputFile::open(flags.model);
  if (!model.ok()) return model.status();
  Request request{{}, {.input = model->descriptor()}, flags.model, invocation.commandLine};
  // Places for the outputs are made first: better to hear of a folder that cannot be written before the work.
  std::optional<OutputFile> artifact;
  if (flags.stopAfter.empty()) {
    auto file = OutputFile::create(flags.output);
    if (!file.ok()) return file.status();
    artifact.emplace(*std::move(file));
    request.files.output = artifact->descriptor();
  }
  message->set_model_descriptor(kInputDescriptor);
  message->set_artifact_descriptor(kOutputDescriptor);
  *request.work.mutable_compile() = *std::move(message);
  auto result = ask(std::move(request));
  if (!result.ok()) return result.status();
  fputs(result->printed().c_str(), stdout);
  for (const v1::Dump &dump : result->dumps())
    if (absl::Status status = writeWholeFile(absl::StrCat(flags.output, ".", dump.form()), dump.text()); !status.ok())
      return status;
  if (flags.printPassTimes || flags.verbosity > 0) printTimings(*result);
  return artifact.has_value() ? artifact->commit() : absl::OkStatus();
}

}  // namespace

int compileCommand(const Invocation &invocation) {
  CLI::App app{"compile an ONNX model to an artifact", "hone compile"};
  CompileFlags flags;
  declare(app, flags);
  if (const auto code = readArguments(app, invocation.arguments, unsupportedCompileFlags())) return *code;
  return report(compile(flags, invocation));
}

}  // namespace hone::client
