#include "server/engine/cache_key.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/store/sha256.h"

namespace hone::server {
namespace {

constexpr char kFormat[] = "hone compile 1";  // changes when the text does: then nothing old is found
constexpr absl::string_view kFresh = "fresh:";

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
  field(text, "module_name", options.module_name());
  if (options.check_indices()) field(text, "check_indices", 1);
  appendTarget(text, options.target_description());
  return text;
}

std::string specificationKey(const v1::JobSpec &spec) {
  if (!spec.has_compile()) return "";
  const v1::Compile &options = spec.compile().options();
  if (options.print_after_size() > 0 || !options.stop_after().empty() || options.dumps_size() > 0) return "";
  return absl::StrCat(spec.compile().skip_cache() ? kFresh : "", sha256Hex(canonicalText(spec.compile())));
}

bool wantsFresh(const std::string &specificationKey) { return absl::StartsWith(specificationKey, kFresh); }

std::string cacheKey(const std::string &specificationKey, const std::string &build) {
  const size_t skipped = wantsFresh(specificationKey) ? kFresh.size() : 0;
  return absl::StrCat(absl::string_view(specificationKey).substr(skipped), "@", build);
}

}  // namespace hone::server
