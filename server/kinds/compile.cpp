#include "server/kinds/compile.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "server/kinds/entries.h"
#include "server/kinds/fields.h"
#include "server/kinds/specification.h"

namespace hone::server {
namespace {

constexpr char kFormat[] = "hone compile 1";  // changes when the text does: then nothing old is found
constexpr size_t kMostName = 256;
constexpr size_t kMostInputName = 4096;  // models' names are made by programs
constexpr size_t kMostLocation = 1024;
constexpr size_t kMostSchedules = 2 << 20;   // it is stored with the job, and a message has 4 MiB
constexpr size_t kMostBoundBytes = 1 << 20;  // all of them together, for the same reason
constexpr int kMostItems = 1000;
constexpr int kMostDims = 64;
constexpr int64_t kMostDim = int64_t{1} << 40;
constexpr int64_t kMostThreads = 1 << 16;

// ---------------------------------------------------------------------------------------------------------- the
// request

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

absl::Status check(const v1::JobSpec &spec) {
  const v1::CompileJob &job = spec.compile();
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
  HONE_CHECK(checkNames("disabled_algorithms", options.disabled_algorithms()));
  HONE_CHECK(checkNames("print_after", options.print_after()));
  HONE_CHECK(checkLength("stop_after", options.stop_after(), kMostName));
  HONE_CHECK(checkNames("dumps", options.dumps()));
  HONE_CHECK(checkRange("threads", options.threads(), 0, kMostThreads));
  return checkLength("module_name", options.module_name(), kMostName);
}

std::vector<v1::Digest> blobs(const v1::TaskSpec &spec) {
  std::vector<v1::Digest> digests = {spec.compile().model()};
  for (const v1::DataBlob &file : spec.compile().data_files()) digests.push_back(file.digest());
  return digests;
}

void shorten(v1::JobSpec &spec) {
  spec.mutable_compile()->clear_data_files();
  v1::Compile &options = *spec.mutable_compile()->mutable_options();
  options.clear_schedules();
  options.clear_bound_inputs();
}

// ------------------------------------------------------------------------------------------------------ the same work

void field(std::string &text, absl::string_view name, const std::string &value) {
  absl::StrAppend(&text, name, " ", value.size(), ":", value, "\n");
}

void field(std::string &text, absl::string_view name, int64_t value) { absl::StrAppend(&text, name, " ", value, "\n"); }

template <typename Repeated>
std::vector<std::string> sorted(const Repeated &values) {
  std::vector<std::string> result(values.begin(), values.end());
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

void appendTarget(std::string &text, const v1::TargetDescription &target) {
  field(text, "triple", target.triple());
  field(text, "cpu", target.cpu());
  for (const std::string &feature : sorted(target.features())) field(text, "feature", feature);
  field(text, "vector_bytes", target.vector_bytes());
  field(text, "vector_registers", target.vector_registers());
  field(text, "l1_bytes", target.l1_bytes());
  field(text, "l2_bytes", target.l2_bytes());
  field(text, "l3_bytes", target.l3_bytes());
  field(text, "cores", target.cores());
}

void appendShapes(std::string &text, const v1::Compile &options) {
  std::vector<std::string> shapes;
  for (const v1::InputShape &shape : options.input_shapes()) {
    std::string line;
    field(line, "input", shape.name());
    for (const int64_t dim : shape.dims()) field(line, "dim", dim);
    shapes.push_back(std::move(line));
  }
  for (const std::string &line : sorted(shapes)) text += line;
}

/// In the order of the names; each name is there once.
void appendBoundInputs(std::string &text, const v1::Compile &options) {
  std::vector<std::string> inputs;
  for (const v1::BoundInput &input : options.bound_inputs()) {
    std::string part;
    field(part, "bound", input.name());
    if (input.has_tensor()) {
      field(part, "dtype", input.tensor().dtype());
      for (const int64_t dim : input.tensor().shape()) field(part, "dim", dim);
      field(part, "data", sha256Hex(input.tensor().data()));
    } else {
      field(part, "numbers", input.numbers());
    }
    inputs.push_back(std::move(part));
  }
  for (const std::string &part : sorted(inputs)) text += part;
}

void appendDataFiles(std::string &text, const v1::CompileJob &compile) {
  std::vector<std::string> files;
  for (const v1::DataBlob &file : compile.data_files()) {
    std::string part;
    field(part, "data_file", file.location());
    field(part, "data", file.digest().sha256());
    field(part, "data_bytes", file.digest().size_bytes());
    files.push_back(std::move(part));
  }
  for (const std::string &part : sorted(files)) text += part;
}

std::string specification(const v1::TaskSpec &spec) {
  const v1::Compile &options = spec.compile().options();
  // It wants to see inside of its compilation.
  if (options.print_after_size() > 0 || !options.stop_after().empty() || options.dumps_size() > 0) return "";
  return specificationKey(canonicalText(spec.compile()), spec.compile().skip_cache());
}

std::string missing(const v1::TaskResult &result) { return result.artifact().sha256().empty() ? "artifact" : ""; }

}  // namespace

std::string canonicalText(const v1::CompileJob &compile) {
  const v1::Compile &options = compile.options();
  std::string text = absl::StrCat(kFormat, "\n");
  field(text, "model", compile.model().sha256());
  field(text, "model_bytes", compile.model().size_bytes());
  appendDataFiles(text, compile);
  appendShapes(text, options);
  appendBoundInputs(text, options);
  field(text, "schedules", options.schedules());
  field(text, "opt_level", options.opt_level());
  for (const std::string &pass : sorted(options.disabled_passes())) field(text, "disabled_pass", pass);
  for (const std::string &name : sorted(options.disabled_algorithms())) field(text, "disabled_algorithm", name);
  field(text, "module_name", options.module_name());
  if (options.check_indices()) field(text, "check_indices", 1);
  appendTarget(text, options.target_description());
  return text;
}

const TaskKind kCompileTask = {.which = v1::TaskSpec::kCompile,
                               .name = "compile",
                               .version = 1,
                               .role = v1::ROLE_BUILDER,
                               .key = nullptr,
                               .blobs = blobs,
                               .specification = specification,
                               .items = nullptr,
                               .missing = missing,
                               .scratch = nullptr};

const JobKind kCompileJob = {.which = v1::JobSpec::kCompile,
                             .name = "compile",
                             .check = check,
                             .shorten = shorten,
                             .task = &kCompileTask,
                             .begin = nullptr,
                             .advance = nullptr};

}  // namespace hone::server
