// hone inspect: what an artifact holds.
#include <cstdio>

#include "client/command_line.h"
#include "client/commands.h"
#include "client/failure.h"
#include "client/request.h"

namespace hone::client {

namespace {

struct InspectFlags {
  std::string file;
  std::string format = "text";
  bool schedules = false;
  bool taskSchedules = false;
};

absl::Status inspect(const InspectFlags &flags, const Invocation &invocation) {
  auto artifact = InputFile::open(flags.file);
  if (!artifact.ok()) return artifact.status();
  Request request{{}, {.input = artifact->descriptor()}, flags.file, invocation.commandLine};
  v1::Inspect &message = *request.work.mutable_inspect();
  message.set_artifact_descriptor(kInputDescriptor);
  message.set_form(flags.schedules          ? v1::Inspect::SCHEDULES
                   : flags.taskSchedules    ? v1::Inspect::TASK_SCHEDULES
                   : flags.format == "json" ? v1::Inspect::JSON
                                            : v1::Inspect::TEXT);
  auto result = ask(std::move(request));
  if (!result.ok()) return result.status();
  fputs(result->printed().c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

int inspectCommand(const Invocation &invocation) {
  CommandLine line{"show inputs, outputs, target, kernels, schedules, memory and digests of an artifact",
                   "hone inspect"};
  InspectFlags flags;
  line.option("FILE", flags.file, "the artifact").required();
  const CommandLine::Option format =
      line.option("--output-format", flags.format, "text or json").showsDefault().oneOf({"text", "json"});
  const CommandLine::Option schedules =
      line.flag("--schedules", flags.schedules,
                "print the schedules of all kernels, to be edited and given back with `hone compile --schedules FILE`")
          .excludes(format);
  line.flag("--task-schedules", flags.taskSchedules,
            "the same by task: such schedules hold for equal kernels of any model (docs/schedules.md)")
      .excludes(format)
      .excludes(schedules);
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(inspect(flags, invocation));
}

}  // namespace hone::client
