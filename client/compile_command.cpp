// hone compile: model -> artifact, by a coordinator: the private one of this user, or the one that is named.
#include <cstdio>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/compile_flags.h"
#include "client/compile_job.h"
#include "client/failure.h"
#include "client/output_file.h"
#include "client/request.h"
#include "client/service/connection.h"
#include "client/service/job_run.h"
#include "client/service/target.h"
#include "text/printable.h"

namespace hone::client {

namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  hone compile model.onnx -o model.tar                            for this machine\n"
    "  hone compile model.onnx --input-shapes \"data:[1,3,224,224]\"     binds symbolic dimensions\n"
    "  hone compile model.onnx --bind axes=1,2 --bind shape=shape.npy  makes inputs constants\n"
    "  hone compile model.onnx --server builds.lan --rpc-key rpi4      by a server, for its devices\n"
    "  hone compile model.onnx --detach                                prints the job's id and returns\n";

void printTimings(const v1::Result &result) {
  printf("%-32s %10s\n", "phase, pass", "ms");
  for (const v1::Timing &timing : result.timings())
    printf("%-32s %10.2f\n", (timing.is_pass() ? "  " + timing.name() : timing.name()).c_str(), timing.seconds() * 1e3);
}

// One compilation: what was given, and where the result goes.
struct Compilation {
  const CompileFlags &flags;
  const Invocation &invocation;
  v1::Compile options;
  InputFile model;
  std::optional<OutputFile> artifact;

  // What only a compilation that is really done can print.
  bool wantsMore() const {
    return flags.printPassTimes || flags.verbosity > 0 || options.dumps_size() > 0 || options.print_after_size() > 0 ||
           !options.stop_after().empty();
  }

  CompileJob job() const { return {flags.model, model, options, invocation.commandLine, flags.noCache || wantsMore()}; }

  absl::Status deliver(const v1::Job &job, Transfer &transfer) {
    const v1::Result &result = job.result().result();
    if (artifact.has_value())
      if (absl::Status got = transfer.get(job.result().artifact(), *artifact); !got.ok()) return got;
    fputs(result.printed().c_str(), stdout);
    for (const std::string &note : result.notes()) fprintf(stderr, "note: %s\n", text::printable(note).c_str());
    for (const v1::Dump &dump : result.dumps()) {
      absl::Status status = writeWholeFile(absl::StrCat(flags.output, ".", dump.form()), dump.text());
      if (!status.ok()) return status;
    }
    if (flags.printPassTimes || flags.verbosity > 0) printTimings(result);
    return artifact.has_value() ? artifact->commit() : absl::OkStatus();
  }
};

absl::Status compile(const CompileFlags &flags, const Invocation &invocation) {
  if (flags.model == "-")
    return absl::InvalidArgumentError(
        "a model is not read from standard input, because its data may be in files beside "
        "it; give its path");
  if (!flags.job.detach)
    if (absl::Status apart = checkOutputs(outputPaths(flags), inputPaths(flags)); !apart.ok()) return apart;
  auto options = compileMessage(flags);
  if (!options.ok()) return options.status();
  auto endpoint = chooseEndpoint(flags.server);
  if (!endpoint.ok()) return endpoint.status();
  auto model = InputFile::open(flags.model);
  if (!model.ok()) return model.status();
  if (!flags.job.detach) {
    const auto dataFiles = dataFilePaths(flags.model, *model);
    if (!dataFiles.ok()) return dataFiles.status();
    if (absl::Status apart = checkOutputs(outputPaths(flags), *dataFiles); !apart.ok()) return apart;
  }
  Compilation compilation{flags, invocation, *std::move(options), *std::move(model), std::nullopt};
  // A place for the output is made first: better to hear of a folder that cannot be written before the work.
  if (flags.stopAfter.empty() && !flags.job.detach) {
    auto file = OutputFile::create(flags.output);
    if (!file.ok()) return file.status();
    compilation.artifact.emplace(*std::move(file));
  }
  absl::StatusOr<v1::TargetDescription> target = v1::TargetDescription();
  if (flags.key.empty()) target = describeTarget(compilation.options.target());
  if (!target.ok()) return target.status();
  Interrupts interrupts;
  auto connection = Connection::open(*std::move(endpoint), interrupts);
  if (!connection.ok()) return connection.status();
  if (!flags.key.empty()) target = targetOfKey(**connection, flags.key);
  if (!target.ok()) return target.status();
  // The text has served: equal requests are equal, however their target was written.
  compilation.options.clear_target();
  *compilation.options.mutable_target_description() = *std::move(target);
  const JobPlan plan{[&](Transfer &transfer) { return compilation.job().specify(transfer); },
                     [&](const v1::Job &job, Transfer &transfer) { return compilation.deliver(job, transfer); },
                     [&](const v1::Job &job) { return compilation.job().explain(job, **connection); }};
  return runJob(**connection, plan, flags.job);
}

}  // namespace

int compileCommand(const Invocation &invocation) {
  CommandLine line{"compile an ONNX model to an artifact", "hone compile"};
  CompileFlags flags;
  declareCompileFlags(line, flags);
  line.footer(kExamples);
  if (const auto code = line.read(invocation.arguments, unsupportedCompileFlags())) return *code;
  return report(compile(flags, invocation));
}

}  // namespace hone::client
