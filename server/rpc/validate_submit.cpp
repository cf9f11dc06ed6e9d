// Checks of what a job asks for.
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/rpc/fields.h"
#include "server/rpc/validate.h"

namespace hone::server {

namespace {

constexpr size_t kMostLabel = 256;
constexpr size_t kMostName = 256;
constexpr size_t kMostInputName = 4096;  // models' names are made by programs
constexpr size_t kMostLocation = 1024;
constexpr size_t kMostSchedules = 2 << 20;   // it is stored with the job, and a message has 4 MiB
constexpr size_t kMostBoundBytes = 1 << 20;  // all of them together, for the same reason
constexpr int kMostItems = 1000;
constexpr int kMostDims = 64;
constexpr int64_t kMostDim = int64_t{1} << 40;
constexpr int64_t kMostThreads = 1 << 16;
constexpr int64_t kMostRuns = 1 << 20;

absl::Status checkNames(std::string_view field, const google::protobuf::RepeatedPtrField<std::string> &names) {
  HONE_CHECK(checkRange(field, names.size(), 0, kMostItems));
  for (const std::string &name : names) HONE_CHECK(checkLength(field, name, kMostName));
  return absl::OkStatus();
}

absl::Status checkBoundInputs(const v1::Compile &options) {
  HONE_CHECK(checkRange("the number of bound_inputs", options.bound_inputs_size(), 0, kMostItems));
  size_t bytes = 0;
  for (const v1::BoundInput &input : options.bound_inputs()) {
    HONE_CHECK(checkLength("a bound input's name", input.name(), kMostInputName));
    if (input.value_case() == v1::BoundInput::VALUE_NOT_SET)
      return absl::InvalidArgumentError(absl::StrCat("the bound input '", input.name(), "' has no value"));
    HONE_CHECK(checkLength("a bound input's dtype", input.tensor().dtype(), kMostName));
    HONE_CHECK(checkRange("the rank of a bound input", input.tensor().shape_size(), 0, kMostDims));
    bytes += input.numbers().size() + input.tensor().data().size();
  }
  if (bytes <= kMostBoundBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the bound inputs have ", bytes, " bytes in all; the limit is ",
                                                 kMostBoundBytes, ": make larger constants initializers of the model"));
}

absl::Status checkDataFiles(const v1::CompileJob &job) {
  HONE_CHECK(checkRange("the number of data_files", job.data_files_size(), 0, kMostItems));
  std::set<std::string> names;
  for (const v1::DataBlob &file : job.data_files()) {
    HONE_CHECK(checkLength("a data file's location", file.location(), kMostLocation));
    HONE_CHECK(checkDigestField("spec.compile.data_files.digest", file.has_digest(), file.digest(), true));
    if (!names.insert(file.location()).second)
      return absl::InvalidArgumentError(absl::StrCat("the data file '", file.location(), "' is given twice"));
  }
  return absl::OkStatus();
}

absl::Status checkCompile(const v1::CompileJob &job) {
  HONE_CHECK(checkDigestField("spec.compile.model", job.has_model(), job.model(), true));
  HONE_CHECK(checkDataFiles(job));
  const v1::Compile &options = job.options();
  if (!options.has_target_description())
    return absl::InvalidArgumentError(
        "spec.compile.options.target_description is missing: the server knows no machine by name");
  HONE_CHECK(checkTarget("spec.compile.options.target_description", options.target_description()));
  HONE_CHECK(checkLength("target", options.target(), kMostName));
  HONE_CHECK(checkRange("the number of input_shapes", options.input_shapes_size(), 0, kMostItems));
  for (const v1::InputShape &shape : options.input_shapes()) {
    HONE_CHECK(checkLength("an input's name", shape.name(), kMostInputName));
    HONE_CHECK(checkRange(absl::StrCat("the rank of input '", shape.name(), "'"), shape.dims_size(), 0, kMostDims));
    // Negative: as the model has it.
    for (const int64_t dim : shape.dims())
      HONE_CHECK(checkRange(absl::StrCat("a dimension of input '", shape.name(), "'"), dim, -1, kMostDim));
  }
  HONE_CHECK(checkBoundInputs(options));
  HONE_CHECK(checkLength("schedules", options.schedules(), kMostSchedules));
  HONE_CHECK(checkRange("opt_level", options.opt_level(), 0, 3));
  HONE_CHECK(checkNames("disabled_passes", options.disabled_passes()));
  HONE_CHECK(checkNames("print_after", options.print_after()));
  HONE_CHECK(checkLength("stop_after", options.stop_after(), kMostName));
  HONE_CHECK(checkNames("dumps", options.dumps()));
  HONE_CHECK(checkRange("threads", options.threads(), 0, kMostThreads));
  return checkLength("module_name", options.module_name(), kMostName);
}

absl::Status checkRun(const v1::RunJob &job) {
  HONE_CHECK(checkDigestField("spec.run.artifact", job.has_artifact(), job.artifact(), true));
  HONE_CHECK(checkDigestField("spec.run.inputs", job.has_inputs(), job.inputs(), false));
  HONE_CHECK(checkName("spec.run.key", job.key()));
  const v1::Run &options = job.options();
  if (!v1::Run::FillMode_IsValid(options.fill_mode()))
    return absl::InvalidArgumentError(
        absl::StrCat("fill_mode is ", static_cast<int>(options.fill_mode()), ", which is none of RANDOM, ZEROS, ONES"));
  HONE_CHECK(checkRange("print_top", options.print_top(), 0, kMostRuns));
  HONE_CHECK(checkRange("repeat", options.repeat(), 0, kMostRuns));
  HONE_CHECK(checkRange("number", options.number(), 0, kMostRuns));
  HONE_CHECK(checkRange("warmup", options.warmup(), 0, kMostRuns));
  return checkRange("threads", options.threads(), 0, kMostThreads);
}

}  // namespace

absl::Status check(const v1::SubmitRequest &request, const Site &site) {
  HONE_CHECK(checkId("request_id", request.request_id()));
  HONE_CHECK(checkRange("priority", request.priority(), -100, 100));
  HONE_CHECK(checkLength("label", request.label(), kMostLabel));
  HONE_CHECK(checkRange("deadline_seconds", request.deadline_seconds(), 0, absl::ToInt64Seconds(site.policy.maxJob)));
  switch (request.spec().kind_case()) {
    case v1::JobSpec::kCompile:
      return checkCompile(request.spec().compile());
    case v1::JobSpec::kRun:
      return checkRun(request.spec().run());
    case v1::JobSpec::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("spec says neither compile nor run, or something that this version does not know");
}

}  // namespace hone::server
