#include "client/run_remote.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/request.h"
#include "client/service/connection.h"
#include "client/service/job_follow.h"
#include "runtime/tools/run_options.h"
#include "text/printable.h"

namespace hone::client {

namespace {

// A flag of a remote run: where its value goes. Switches have none.
struct RemoteFlag {
  std::string name;
  std::string *text = nullptr;
  std::optional<std::string> *number = nullptr;
  bool *isSet = nullptr;
};

// The flag that \p argument means, exactly or as its beginning; null for one of local runs.
absl::StatusOr<const RemoteFlag *> find(const std::vector<RemoteFlag> &flags, const std::string &argument) {
  constexpr size_t kDashes = 2;
  std::vector<std::string> names;
  for (const RemoteFlag &flag : flags) names.push_back(flag.name.substr(kDashes));
  auto full = runtime::completeRunOption(argument.substr(kDashes, argument.find('=') - kDashes), names);
  if (!full.ok()) return absl::InvalidArgumentError(full.status().message);
  const auto found = std::find(names.begin(), names.end(), *full);
  return found == names.end() ? nullptr : &flags[static_cast<size_t>(found - names.begin())];
}

template <typename Number>
absl::Status readNumber(const char *flag, const std::optional<std::string> &text, Number low, Number high,
                        Number &value) {
  if (!text.has_value()) return absl::OkStatus();
  const auto [rest, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error == std::errc() && rest == text->data() + text->size() && value >= low && value <= high)
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " takes a whole number from ", low, " to ", high, ", not '", *text, "'"));
}

v1::Run runMessage(const runtime::RunOptions &options) {
  v1::Run run;
  switch (options.fillMode) {
    case runtime::FillMode::Zeros:
      run.set_fill_mode(v1::Run::ZEROS);
      break;
    case runtime::FillMode::Ones:
      run.set_fill_mode(v1::Run::ONES);
      break;
    case runtime::FillMode::Random:
      run.set_fill_mode(v1::Run::RANDOM);
      break;
  }
  run.set_seed(options.seed);
  run.set_print_time(options.printTime);
  run.set_print_top(options.printTop);
  run.set_profile(options.profile);
  run.set_end_to_end(options.endToEnd);
  run.set_repeat(options.repeat);
  run.set_number(options.number);
  run.set_warmup(options.warmup);
  run.set_threads(options.threads);
  run.set_pin(options.pin);
  run.set_json(options.json);
  run.set_check_indices(options.checkIndices);
  return run;
}

// One run: what was given, and where the outputs go.
struct RemoteRun {
  const runtime::RunOptions &options;
  const std::string &key;
  InputFile artifact;
  std::optional<InputFile> inputs;
  std::optional<OutputFile> outputs;

  absl::StatusOr<v1::JobSpec> prepare(Transfer &transfer) const {
    v1::JobSpec spec;
    v1::RunJob &job = *spec.mutable_run();
    auto digest = transfer.put(artifact.descriptor(), options.path);
    if (!digest.ok()) return digest.status();
    *job.mutable_artifact() = *digest;
    if (inputs.has_value()) {
      digest = transfer.put(inputs->descriptor(), options.inputs);
      if (!digest.ok()) return digest.status();
      *job.mutable_inputs() = *digest;
    }
    *job.mutable_options() = runMessage(options);
    job.set_key(key);
    return spec;
  }

  absl::Status deliver(const v1::Job &job, Transfer &transfer) {
    if (outputs.has_value()) {
      if (absl::Status got = transfer.get(job.result().outputs(), *outputs); !got.ok()) return got;
      if (absl::Status committed = outputs->commit(); !committed.ok()) return committed;
    }
    for (const std::string &note : job.result().result().notes())
      fprintf(stderr, "note: %s\n", text::printable(note).c_str());
    fputs(job.result().result().printed().c_str(), stdout);
    return absl::OkStatus();
  }
};

absl::StatusOr<RemoteRun> openFiles(const runtime::RunOptions &options, const RunArguments &arguments) {
  if (absl::Status apart = checkOutputs({options.outputs}, {options.path, options.inputs}); !apart.ok()) return apart;
  auto artifact = InputFile::open(options.path);
  if (!artifact.ok()) return artifact.status();
  RemoteRun run{options, arguments.key, *std::move(artifact), std::nullopt, std::nullopt};
  if (!options.inputs.empty()) {
    auto inputs = InputFile::open(options.inputs);
    if (!inputs.ok()) return inputs.status();
    run.inputs.emplace(*std::move(inputs));
  }
  if (!options.outputs.empty() && !arguments.job.detach) {
    auto outputs = OutputFile::create(options.outputs);
    if (!outputs.ok()) return outputs.status();
    run.outputs.emplace(*std::move(outputs));
  }
  return run;
}

}  // namespace

absl::StatusOr<RunArguments> splitRunArguments(const std::vector<std::string> &arguments) {
  RunArguments result;
  std::optional<std::string> priority, deadline;
  const std::vector<RemoteFlag> flags = {{.name = "--rpc-tracker", .text = &result.server.server},
                                         {.name = "--server", .text = &result.server.server},
                                         {.name = "--context", .text = &result.server.context},
                                         {.name = "--rpc-key", .text = &result.key},
                                         {.name = "--label", .text = &result.job.label},
                                         {.name = "--priority", .number = &priority},
                                         {.name = "--deadline", .number = &deadline},
                                         {.name = "--detach", .isSet = &result.job.detach}};
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string &argument = arguments[i];
    if (argument == "--") {
      result.local.insert(result.local.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
      break;
    }
    if (argument == "--help" || argument == "-h") result.isHelp = true;
    const size_t equals = argument.find('=');
    absl::StatusOr<const RemoteFlag *> found = nullptr;
    if (argument.starts_with("--")) found = find(flags, argument);
    if (!found.ok()) return found.status();
    const RemoteFlag *flag = *found;
    if (flag == nullptr) {
      result.local.push_back(argument);
      continue;
    }
    result.isRemote = true;
    if (flag->isSet != nullptr) {
      *flag->isSet = true;
      continue;
    }
    if (equals == std::string::npos && i + 1 >= arguments.size())
      return absl::InvalidArgumentError(absl::StrCat(flag->name, " needs a value"));
    const std::string value = equals == std::string::npos ? arguments[++i] : argument.substr(equals + 1);
    if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(flag->name, " needs a value, but it is empty"));
    flag->text != nullptr ? *flag->text = value : *flag->number = value;
  }
  absl::Status status = readNumber("--priority", priority, -100, 100, result.job.priority);
  status.Update(readNumber("--deadline", deadline, uint32_t{1}, UINT32_MAX, result.job.deadlineSeconds));
  if (!status.ok()) return status;
  return result;
}

absl::Status runRemotely(const RunArguments &arguments) {
  runtime::Result<runtime::RunOptions> options = runtime::parseRunOptions(arguments.local);
  if (!options.ok()) return absl::InvalidArgumentError(options.status().message);
  auto endpoint = chooseEndpoint(arguments.server);
  if (!endpoint.ok()) return endpoint.status();
  if (absl::Status complete = checkKey(arguments.key, *endpoint); !complete.ok()) return complete;
  auto run = openFiles(*options, arguments);
  if (!run.ok()) return run.status();
  Interrupts interrupts;
  auto connection = Connection::open(*std::move(endpoint), interrupts);
  if (!connection.ok()) return connection.status();
  const JobPlan plan{[&](Transfer &transfer) { return run->prepare(transfer); },
                     [&](const v1::Job &job, Transfer &transfer) { return run->deliver(job, transfer); },
                     [&](const v1::Job &job) { return endOf(job, options->path); }};
  return runJob(**connection, plan, arguments.job);
}

std::string remoteRunHelp() {
  return "\nOn a device of a server (`hone devices list` shows them):\n"
         "      --rpc-tracker HOST[:PORT]     the server (port 9190); --server is the same\n"
         "      --rpc-key KEY                 of the devices that may do it\n"
         "      --context NAME                the server, by the name that `hone context add` gave it\n"
         "      --priority N                  of the job among those of this user: -100 to 100\n"
         "      --deadline SECONDS            after which the job is given up\n"
         "      --label TEXT                  of the job, for listings\n"
         "      --detach                      submit, print the job's id, and do not wait\n"
         "\nExamples:\n"
         "  hone run model.tar --inputs cat.npz --outputs out.npz --print-time\n"
         "  hone run --rpc-tracker builds.lan --rpc-key rpi4 model.tar --profile\n";
}

}  // namespace hone::client
