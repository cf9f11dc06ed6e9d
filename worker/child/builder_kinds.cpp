#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/artifact/artifact.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/driver/compile.h"
#include "compiler/driver/inspect.h"
#include "compiler/samples/samples.h"
#include "worker/child/files.h"
#include "worker/child/mapped_file.h"
#include "worker/child/work.h"

namespace hone::worker {

namespace {

constexpr int64_t kModelBytes = (int64_t{1} << 31) - 1;  // protobuf, and so ONNX, allows no more
constexpr int64_t kArtifactBytes = int64_t{1} << 36;

// Options come from the person: a wrong one is wrong usage, not a model refused.
absl::Status asUsage(const absl::Status &status) { return absl::FailedPreconditionError(status.message()); }

absl::StatusOr<TargetDescription> resolveTarget(const std::string &text) {
  auto target = codegen::parseTarget(text.empty() ? "llvm" : text);
  if (!target.ok()) return asUsage(target.status());
  return target;
}

// Another process may have made it up: numbers that the compiler divides by must make sense. The CPU's name tunes, and
// is checked where LLVM is asked for it.
absl::StatusOr<TargetDescription> targetOf(const v1::TargetDescription &message) {
  constexpr int64_t kMost = int64_t{1} << 40;
  for (const int64_t number : {message.vector_bytes(), message.vector_registers(), message.l1_bytes(),
                               message.l2_bytes(), message.l3_bytes(), message.cores()})
    if (number < 1 || number > kMost)
      return absl::FailedPreconditionError(
          absl::StrCat("the target description has a number ", number, " outside of 1 to ", kMost));
  TargetDescription target;
  target.triple = message.triple();
  target.cpu = message.cpu();
  target.features = {message.features().begin(), message.features().end()};
  std::sort(target.features.begin(), target.features.end());
  target.vectorBytes = message.vector_bytes();
  target.vectorRegisters = message.vector_registers();
  target.l1Bytes = message.l1_bytes();
  target.l2Bytes = message.l2_bytes();
  target.l3Bytes = message.l3_bytes();
  target.cores = message.cores();
  if (absl::Status status = codegen::checkTarget(target); !status.ok()) return asUsage(status);
  return target;
}

v1::TargetDescription messageOf(const TargetDescription &target) {
  v1::TargetDescription message;
  message.set_triple(target.triple);
  message.set_cpu(target.cpu);
  for (const std::string &feature : target.features) message.add_features(feature);
  message.set_vector_bytes(target.vectorBytes);
  message.set_vector_registers(target.vectorRegisters);
  message.set_l1_bytes(target.l1Bytes);
  message.set_l2_bytes(target.l2Bytes);
  message.set_l3_bytes(target.l3Bytes);
  message.set_cores(target.cores);
  return message;
}

// Whether the tensor fits what the model declares is the frontend's to say, its own parts' fitting together too.
absl::StatusOr<frontend::BoundValue> boundValueOf(const v1::BoundInput &input) {
  if (!input.has_tensor()) return frontend::BoundValue(input.numbers());
  const v1::Tensor &tensor = input.tensor();
  const auto dtype = parseDType(tensor.dtype());
  if (!dtype.has_value())
    return absl::FailedPreconditionError(
        absl::StrCat("the bound input '", input.name(), "' has dtype '", tensor.dtype(), "', which there is not"));
  auto constant = std::make_shared<graph::ConstantData>();
  constant->type = {*dtype, {tensor.shape().begin(), tensor.shape().end()}};
  constant->bytes.assign(tensor.data().begin(), tensor.data().end());
  return frontend::BoundValue(graph::Constant(std::move(constant)));
}

absl::Status bindInputs(const v1::Compile &request, driver::CompileOptions &options) {
  for (const v1::InputShape &shape : request.input_shapes()) {
    graph::Shape dims(shape.dims().begin(), shape.dims().end());
    if (!options.inputShapes.emplace(shape.name(), std::move(dims)).second)
      return absl::FailedPreconditionError(absl::StrCat("the input '", shape.name(), "' has its shape twice"));
  }
  for (const v1::BoundInput &input : request.bound_inputs()) {
    HONE_ASSIGN_OR_RETURN(frontend::BoundValue value, boundValueOf(input));
    if (!options.boundInputs.emplace(input.name(), std::move(value)).second)
      return absl::FailedPreconditionError(absl::StrCat("the input '", input.name(), "' is bound twice"));
  }
  return absl::OkStatus();
}

absl::StatusOr<frontend::DataFiles> mapDataFiles(const v1::Compile &request) {
  frontend::DataFiles files;
  for (const v1::DataFile &file : request.data_files()) {
    HONE_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> mapped, MappedFile::take(file.data_descriptor()));
    if (!files.emplace(file.location(), frontend::DataFile{mapped->bytes(), mapped}).second)
      return absl::FailedPreconditionError(absl::StrCat("the data file '", file.location(), "' is given twice"));
  }
  return files;
}

absl::StatusOr<driver::CompileOptions> optionsOf(const v1::Compile &request) {
  driver::CompileOptions options;
  HONE_ASSIGN_OR_RETURN(options.target, request.has_target_description() ? targetOf(request.target_description())
                                                                         : resolveTarget(request.target()));
  HONE_RETURN_IF_ERROR(bindInputs(request, options));
  HONE_ASSIGN_OR_RETURN(options.dataFiles, mapDataFiles(request));
  options.checkIndices = request.check_indices();
  options.schedules = request.schedules();
  options.optLevel = request.opt_level();
  options.disabledPasses = {request.disabled_passes().begin(), request.disabled_passes().end()};
  options.disabledAlgorithms = {request.disabled_algorithms().begin(), request.disabled_algorithms().end()};
  options.printAfter = {request.print_after().begin(), request.print_after().end()};
  if (!request.stop_after().empty()) {
    options.stopAfter = driver::parsePhase(request.stop_after());
    if (!options.stopAfter.has_value())
      return absl::FailedPreconditionError(
          absl::StrCat("unknown phase '", request.stop_after(), "'; phases are ",
                       absl::StrJoin(driver::kPhases, ", ",
                                     [](std::string *out, driver::Phase phase) { out->append(driver::name(phase)); })));
  }
  for (const std::string &form : request.dumps()) {
    const auto dump = driver::parseDump(form);
    if (!dump.has_value())
      return absl::FailedPreconditionError(
          absl::StrCat("unknown form '", form, "' of --dump-code; forms are ",
                       absl::StrJoin(driver::kDumps, ", ",
                                     [](std::string *out, driver::Dump known) { out->append(driver::name(known)); })));
    options.dumps.push_back(*dump);
  }
  options.threads = request.threads();
  if (!request.module_name().empty()) options.moduleName = request.module_name();
  return options;
}

absl::Status compile(const v1::Work &work, const ReportProgress &progress, Kept &, v1::Result &result) {
  const v1::Compile &request = work.compile();
  HONE_ASSIGN_OR_RETURN(driver::CompileOptions options, optionsOf(request));
  options.progress = [&progress](const driver::Progress &now) {
    v1::Progress message;
    message.set_phase(std::string(driver::name(now.phase)));
    message.set_done(now.done);
    message.set_total(now.total);
    progress(message);
  };
  if (!options.stopAfter.has_value())
    options.artifact = [&request](std::string_view piece) { return writeAll(request.artifact_descriptor(), piece); };
  HONE_ASSIGN_OR_RETURN(const std::string model, readAll(request.model_descriptor(), kModelBytes));
  HONE_ASSIGN_OR_RETURN(driver::CompileResult compiled, driver::compileModel(model, options));
  result.set_printed(std::move(compiled.printed));
  for (const driver::Dump form : options.dumps) {
    const auto found = compiled.dumps.find(form);
    if (found == compiled.dumps.end()) continue;
    v1::Dump &dump = *result.add_dumps();
    dump.set_form(std::string(driver::name(form)));
    dump.set_text(found->second);
  }
  for (const driver::Timing &timing : compiled.timings) {
    v1::Timing &message = *result.add_timings();
    message.set_name(timing.name);
    message.set_is_pass(timing.isPass);
    message.set_seconds(timing.seconds);
  }
  for (const std::string &note : compiled.notes) result.add_notes(note);
  return absl::OkStatus();
}

absl::Status sample(const v1::Work &work, const ReportProgress &, Kept &, v1::Result &result) {
  const v1::Sample &request = work.sample();
  const std::vector<std::string> names = samples::sampleNames();
  if (request.name().empty()) {
    for (const std::string &name : names) result.add_sample_names(name);
    return absl::OkStatus();
  }
  auto model = samples::sampleModel(request.name(), request.seed());
  // A name that does not exist is a wrong word on the command line.
  if (!model.ok()) return asUsage(model.status());
  return writeAll(request.model_descriptor(), *model);
}

absl::Status inspect(const v1::Work &work, const ReportProgress &, Kept &, v1::Result &result) {
  const v1::Inspect &request = work.inspect();
  HONE_ASSIGN_OR_RETURN(const std::string bytes, readAll(request.artifact_descriptor(), kArtifactBytes));
  HONE_ASSIGN_OR_RETURN(const artifact::Artifact artifact, artifact::readArtifact(bytes));
  switch (request.form()) {
    case v1::Inspect::JSON:
      result.set_printed(driver::inspectJson(artifact));
      break;
    case v1::Inspect::SCHEDULES:
      result.set_printed(driver::inspectSchedules(artifact));
      break;
    case v1::Inspect::TASK_SCHEDULES:
      result.set_printed(driver::inspectTaskSchedules(artifact));
      break;
    default:
      result.set_printed(driver::inspectText(artifact));
      break;
  }
  return absl::OkStatus();
}

absl::Status describeTarget(const v1::Work &work, const ReportProgress &, Kept &, v1::Result &result) {
  HONE_ASSIGN_OR_RETURN(const TargetDescription target, resolveTarget(work.describe_target().target()));
  *result.mutable_target_description() = messageOf(target);
  return absl::OkStatus();
}

}  // namespace

std::vector<Kind> builderKinds() {
  return {
      {v1::Work::kCompile, compile},
      {v1::Work::kSample, sample},
      {v1::Work::kInspect, inspect},
      {v1::Work::kDescribeTarget, describeTarget},
  };
}

}  // namespace hone::worker
