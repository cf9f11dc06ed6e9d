#include "worker/work.h"

#include <exception>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/artifact/artifact.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/driver/compile.h"
#include "compiler/driver/inspect.h"
#include "compiler/samples/samples.h"
#include "worker/files.h"

namespace hone::worker {

namespace {

constexpr int64_t kModelBytes = (int64_t{1} << 31) - 1;  // protobuf, and so ONNX, allows no more
constexpr int64_t kArtifactBytes = int64_t{1} << 36;

using ReportProgress = std::function<void(const v1::Progress &)>;

v1::Result::Outcome outcomeOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return v1::Result::DONE;
    case absl::StatusCode::kFailedPrecondition:
      return v1::Result::WRONG_USAGE;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kDataLoss:
      return v1::Result::INPUT_REFUSED;
    case absl::StatusCode::kResourceExhausted:
      return v1::Result::WORK_FAILED;
    case absl::StatusCode::kUnavailable:
      return v1::Result::UNAVAILABLE;
    case absl::StatusCode::kPermissionDenied:
      return v1::Result::NOT_ALLOWED;
    default:
      return v1::Result::DEFECT;
  }
}

// Options come from the person: a wrong one is wrong usage, not a model refused.
absl::Status asUsage(const absl::Status &status) { return absl::FailedPreconditionError(status.message()); }

absl::StatusOr<driver::CompileOptions> optionsOf(const v1::Compile &request) {
  driver::CompileOptions options;
  auto target = codegen::parseTarget(request.target().empty() ? "llvm" : request.target());
  if (!target.ok()) return asUsage(target.status());
  options.target = *std::move(target);
  for (const v1::InputShape &shape : request.input_shapes())
    options.inputShapes[shape.name()] = {shape.dims().begin(), shape.dims().end()};
  options.schedules = request.schedules();
  options.optLevel = request.opt_level();
  options.disabledPasses = {request.disabled_passes().begin(), request.disabled_passes().end()};
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

absl::Status compile(const v1::Compile &request, const ReportProgress &progress, v1::Result &result) {
  HONE_ASSIGN_OR_RETURN(driver::CompileOptions options, optionsOf(request));
  options.progress = [&progress](const driver::Progress &now) {
    v1::Progress message;
    message.set_phase(std::string(driver::name(now.phase)));
    message.set_done(now.done);
    message.set_total(now.total);
    progress(message);
  };
  HONE_ASSIGN_OR_RETURN(const std::string model, readAll(request.model_descriptor(), kModelBytes));
  HONE_ASSIGN_OR_RETURN(driver::CompileResult compiled, driver::compileModel(model, options));
  if (!options.stopAfter.has_value()) HONE_RETURN_IF_ERROR(writeAll(request.artifact_descriptor(), compiled.artifact));
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

absl::Status sample(const v1::Sample &request, v1::Result &result) {
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

absl::Status inspect(const v1::Inspect &request, v1::Result &result) {
  HONE_ASSIGN_OR_RETURN(const std::string bytes, readAll(request.artifact_descriptor(), kArtifactBytes));
  HONE_ASSIGN_OR_RETURN(const artifact::Artifact artifact, artifact::readArtifact(bytes));
  switch (request.form()) {
    case v1::Inspect::JSON:
      result.set_printed(driver::inspectJson(artifact));
      break;
    case v1::Inspect::SCHEDULES:
      result.set_printed(driver::inspectSchedules(artifact));
      break;
    default:
      result.set_printed(driver::inspectText(artifact));
      break;
  }
  return absl::OkStatus();
}

absl::Status dispatch(const v1::Work &work, const ReportProgress &progress, v1::Result &result) {
  switch (work.kind_case()) {
    case v1::Work::kCompile:
      return compile(work.compile(), progress, result);
    case v1::Work::kSample:
      return sample(work.sample(), result);
    case v1::Work::kInspect:
      return inspect(work.inspect(), result);
    case v1::Work::kRun:
    case v1::Work::kDescribeTarget:
    case v1::Work::KIND_NOT_SET:
      break;
  }
  return absl::UnimplementedError("this hone-worker does not know that kind of work; install the one of your hone");
}

}  // namespace

v1::Result doWork(const v1::Work &work, const ReportProgress &progress) {
  v1::Result result;
  absl::Status status;
  try {
    status = dispatch(work, progress, result);
  } catch (const std::bad_alloc &) {
    status = absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception &error) {
    status = absl::InternalError(absl::StrCat("an unexpected exception: ", error.what()));
  }
  if (!status.ok()) {
    result.Clear();
    result.set_outcome(outcomeOf(status.code()));
    result.set_sentence(std::string(status.message()));
  }
  return result;
}

}  // namespace hone::worker
