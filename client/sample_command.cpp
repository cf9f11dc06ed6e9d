// hone sample: well-known networks without a network.
#include <cstdio>

#include "absl/status/status.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/failure.h"
#include "client/output_file.h"
#include "client/request.h"

namespace hone::client {

namespace {

struct SampleFlags {
  std::string name;
  std::string output;
  uint64_t seed = 0;
  bool list = false;
};

absl::Status list(const Invocation &invocation) {
  Request request{{}, {}, "", invocation.commandLine};
  request.work.mutable_sample();
  auto result = ask(std::move(request));
  if (!result.ok()) return result.status();
  for (const std::string &name : result->sample_names()) puts(name.c_str());
  return absl::OkStatus();
}

absl::Status sample(const SampleFlags &flags, const Invocation &invocation) {
  if (flags.list) return list(invocation);
  if (flags.name.empty()) return absl::InvalidArgumentError("expected the name of a sample; --list lists them");
  if (flags.output.empty()) return absl::InvalidArgumentError("expected -o FILE.onnx, the model to write");
  auto model = OutputFile::create(flags.output);
  if (!model.ok()) return model.status();
  Request request{{}, {.output = model->descriptor()}, "", invocation.commandLine};
  v1::Sample &message = *request.work.mutable_sample();
  message.set_name(flags.name);
  message.set_seed(flags.seed);
  message.set_model_descriptor(kOutputDescriptor);
  auto result = ask(std::move(request));
  return result.ok() ? model->commit() : result.status();
}

}  // namespace

int sampleCommand(const Invocation &invocation) {
  CommandLine line{"write a well-known network with random weights, as ONNX", "hone sample"};
  SampleFlags flags;
  line.option("NAME", flags.name, "the network");
  line.option("-o,--output", flags.output, "the model to write");
  line.option("--seed", flags.seed, "of the weights: same seed, same model").showsDefault();
  line.flag("--list", flags.list, "print the names");
  if (const auto code = line.read(invocation.arguments)) return *code;
  return report(sample(flags, invocation));
}

}  // namespace hone::client
