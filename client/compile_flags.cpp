#include "client/compile_flags.h"

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/bound_inputs.h"
#include "client/command_line.h"
#include "client/compile_values.h"
#include "client/input_file.h"
#include "text/printable.h"

namespace hone::client {

namespace {

constexpr std::string_view kTargetKeys[] = {"mcpu", "mattr", "mtriple", "num-cores"};

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
      return absl::InvalidArgumentError(
          absl::StrCat("not supported by hone: --dump-code ", form,
                       " (hone's own forms are graph, plan, tasks, loops, estimate, ll, asm)"));
  return absl::OkStatus();
}

}  // namespace

void declareCompileFlags(CommandLine &line, CompileFlags &flags) {
  line.option("FILE", flags.model, "the model, as ONNX").required();
  line.option(
          "--target", flags.target,
          "the machine to compile for: \"llvm [-mcpu=NAME] [-mattr=+a,-b] [-mtriple=T] [-num-cores=N]\", the same as "
          "JSON, or a JSON file; llvm alone is this machine")
      .showsDefault();
  for (const std::string_view key : kTargetKeys) {
    line.option(
        absl::StrCat("--target-llvm-", std::string(key)),
        [&flags, key](const std::string &value) { flags.targetKeys[std::string(key)] = value; },
        absl::StrCat("-", std::string(key), " of the target"));
  }
  line.option("--input-shapes", flags.inputShapes,
              "shapes of inputs, which bind symbolic dimensions: \"name:[1,3,224,224] name2:[1,10]\"");
  line.option("--bind", flags.bind,
              "makes an input a constant, which the artifact no longer has: NAME=VALUE[,VALUE…] or NAME=FILE.npy; may "
              "be repeated")
      .onePerUse();
  line.option("--rpc-key", flags.key, "compile for the devices of this key instead of --target (hone devices list)")
      .inGroup("Server");
  line.option("-o,--output", flags.output, "the artifact to write").showsDefault();
  line.option("-f,--output-format", flags.outputFormat, "so: a tar of mod.so, mod.json, mod.params").showsDefault();
  line.option("--model-format", flags.modelFormat, "onnx, whatever the name of the file");
  line.option("--dump-code", flags.dumpCode,
              "list of graph, plan, tasks, loops, estimate, ll, asm: writes that form to OUTPUT.FORM");
  line.option("--schedules", flags.schedules,
              "a file of schedules for some kernels, as `hone inspect --schedules` prints them");
  line.option("-O,--opt-level", flags.optLevel, "which optional graph passes run: 0 (none) to 3 (all)")
      .showsDefault()
      .between(0, 3);
  line.option("--disabled-pass", flags.disabledPasses, "list of graph passes to leave out");
  line.option("--disabled-algorithms", flags.disabledAlgorithms,
              "list of algorithms to leave out: winograd computes convolutions with fewer multiplications and a little "
              "more rounding");
  line.option("--print-ir-after", flags.printAfter, "list of graph passes after which to print the graph; or all");
  line.option("--stop-after", flags.stopAfter,
              "print what is there after this phase and write nothing: import, graph, plan, schedule, loops, codegen");
  line.flag("--print-pass-times", flags.printPassTimes, "print the time of each phase and graph pass");
  line.flag("--check-indices", flags.checkIndices,
            "make an artifact that `hone run --check-indices` asks for indices outside of their axes");
  line.option("--module-name", flags.moduleName, "name that the artifact carries").showsDefault();
  line.option("--threads", flags.threads, "threads of code generation (default: one per CPU)").between(0, 1024);
  line.flag("--no-cache", flags.noCache, "compile again, even if the server has the artifact of the same request")
      .inGroup("Server");
  declareServerFlags(line, flags.server);
  declareJobFlags(line, flags.job);
  line.flag("-v,--verbose", flags.verbosity, "say more; may be repeated");
}

std::vector<std::string> inputPaths(const CompileFlags &flags) {
  std::vector<std::string> paths = {flags.model, flags.schedules};
  if (flags.target.ends_with(".json")) paths.push_back(flags.target);
  for (const std::string &bound : flags.bind)
    if (bound.ends_with(".npy")) paths.push_back(bound.substr(bound.rfind('=') + 1));
  return paths;
}

std::vector<std::string> outputPaths(const CompileFlags &flags) {
  std::vector<std::string> paths;
  if (flags.stopAfter.empty()) paths.push_back(flags.output);
  for (const std::string &form : listOf(flags.dumpCode)) paths.push_back(absl::StrCat(flags.output, ".", form));
  return paths;
}

absl::StatusOr<v1::Compile> compileMessage(const CompileFlags &flags) {
  if (absl::Status status = checkFormats(flags); !status.ok()) return status;
  if (!flags.key.empty() && (flags.target != "llvm" || !flags.targetKeys.empty()))
    return absl::InvalidArgumentError("--target and --rpc-key both say what to compile for; give one of them");
  v1::Compile message;
  auto target = targetText(flags.target, flags.targetKeys);
  if (!target.ok()) return target.status();
  message.set_target(*target);
  auto shapes = parseInputShapes(flags.inputShapes);
  if (!shapes.ok()) return shapes.status();
  for (const auto &[name, dims] : *shapes) {
    v1::InputShape &shape = *message.add_input_shapes();
    shape.set_name(text::asUtf8(name));
    for (const int64_t dim : dims) shape.add_dims(dim);
  }
  auto bound = parseBoundInputs(flags.bind);
  if (!bound.ok()) return bound.status();
  for (v1::BoundInput &input : *bound) *message.add_bound_inputs() = std::move(input);
  if (!flags.schedules.empty()) {
    auto text = readWholeFile(flags.schedules);
    if (!text.ok()) return text.status();
    message.set_schedules(*text);
  }
  message.set_opt_level(flags.optLevel);
  for (const std::string &pass : listOf(flags.disabledPasses)) message.add_disabled_passes(pass);
  for (const std::string &name : listOf(flags.disabledAlgorithms)) message.add_disabled_algorithms(name);
  for (const std::string &pass : listOf(flags.printAfter)) message.add_print_after(pass);
  for (const std::string &form : listOf(flags.dumpCode)) message.add_dumps(form);
  message.set_stop_after(flags.stopAfter);
  message.set_threads(flags.threads);
  message.set_module_name(flags.moduleName);
  message.set_check_indices(flags.checkIndices);
  return message;
}

}  // namespace hone::client
