#include "client/test_data.h"

#include <algorithm>
#include <charconv>
#include <hone/runtime.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/input_file.h"
#include "runtime/tools/index_checks.h"

namespace hone::client {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSetPrefix = "test_data_set_";

absl::Status refused(const std::string &sentence) { return absl::DataLossError(sentence); }

/// KIND_0.pb, KIND_1.pb, … as long as there are files.
absl::StatusOr<std::vector<runtime::NamedArray>> readTensors(const fs::path &folder, const char *kind) {
  std::vector<runtime::NamedArray> tensors;
  std::error_code error;
  for (;;) {
    const fs::path path = folder / absl::StrCat(kind, "_", tensors.size(), ".pb");
    if (!fs::exists(path, error)) return tensors;
    auto bytes = readWholeFile(path);
    if (!bytes.ok()) return bytes.status();
    auto tensor = runtime::parseOnnxTensor(*bytes, path.string());
    if (!tensor.ok()) return refused(tensor.status().message);
    tensors.push_back(std::move(*tensor));
  }
}

/// Folders of data sets in the order of their numbers.
std::set<std::pair<int, fs::path>> findSets(const fs::path &folder) {
  std::set<std::pair<int, fs::path>> found;
  std::error_code error;
  for (const auto &entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    int number = 0;
    if (!name.starts_with(kSetPrefix)) continue;
    const char *end = name.data() + name.size();
    const auto [rest, problem] = std::from_chars(name.data() + kSetPrefix.size(), end, number);
    if (problem == std::errc() && rest == end) found.emplace(number, entry.path());
  }
  return found;
}

std::string typeText(hone_dtype dtype, const std::vector<int64_t> &shape) {
  return absl::StrCat(hone_dtype_name(dtype), "[", absl::StrJoin(shape, ","), "]");
}

/// The array for the artifact's input \p index: by its name, or the one at its position among those that are not bound.
const runtime::Array *arrayFor(const TestSet &set, const std::set<std::string> &bound, const std::string &name,
                               size_t index) {
  for (const runtime::NamedArray &input : set.inputs) {
    if (set.isNamed() ? input.name != name : bound.contains(input.name) || index-- != 0) continue;
    return &input.array;
  }
  return nullptr;
}

absl::Status setInputs(const Model &model, const TestSet &set, const std::set<std::string> &bound, Session &session) {
  for (int32_t i = 0; i < model.inputCount(); ++i) {
    const TensorInfo info = model.input(i);
    const runtime::Array *array = arrayFor(set, bound, info.name, static_cast<size_t>(i));
    if (array == nullptr)
      return refused(absl::StrCat(set.name, " has no data for the input '", info.name, "': it holds ",
                                  set.inputs.size(), " inputs, the model takes ", model.inputCount()));
    if (array->dtype != info.dtype || array->shape != info.shape)
      return refused(absl::StrCat(set.name, ": input '", info.name, "' is ", typeText(array->dtype, array->shape),
                                  ", but the model takes ", typeText(info.dtype, info.shape)));
    session.setInput(i, array->bytes.data(), array->bytes.size());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TestedOutput>> runAndCompare(const fs::path &artifact, const TestSet &set,
                                                        const std::set<std::string> &bound, int threads,
                                                        const runtime::Tolerance &tolerance) {
  const Model model = Model::load(artifact.string());
  if (static_cast<size_t>(model.outputCount()) != set.outputs.size())
    return refused(
        absl::StrCat(set.name, " holds ", set.outputs.size(), " outputs, but the model has ", model.outputCount()));
  const Context context(threads);
  Session session(context, model);
  if (absl::Status status = setInputs(model, set, bound, session); !status.ok()) return status;
  session.run();
  if (const std::string outside = runtime::indicesOutside(model, session); !outside.empty())
    return absl::AbortedError(absl::StrCat(set.name, ": ", outside));
  std::vector<TestedOutput> outputs;
  for (int32_t i = 0; i < model.outputCount(); ++i) {
    const TensorInfo info = model.output(i);
    const runtime::Array &expected = set.outputs[static_cast<size_t>(i)].array;
    const std::vector<int64_t> shape = session.outputShape(i);
    outputs.push_back({info.name, typeText(info.dtype, shape),
                       runtime::compareArrays(info.dtype, shape, session.output(i), expected, tolerance)});
  }
  return outputs;
}

absl::Status statusOf(const RuntimeError &error) {
  switch (error.status()) {
    case HONE_REFUSED:
      return refused(error.what());
    case HONE_UNAVAILABLE:
      return absl::UnavailableError(error.what());
    case HONE_FAILED:
      return absl::AbortedError(error.what());
    default:
      return absl::InternalError(error.what());
  }
}

}  // namespace

bool TestSet::isNamed() const {
  std::set<std::string> names;
  for (const runtime::NamedArray &input : inputs)
    if (input.name.empty() || !names.insert(input.name).second) return false;
  return true;
}

absl::StatusOr<std::vector<TestSet>> readTestSets(const fs::path &folder) {
  std::vector<TestSet> sets;
  for (const auto &[number, path] : findSets(folder)) {
    auto inputs = readTensors(path, "input");
    if (!inputs.ok()) return inputs.status();
    auto outputs = readTensors(path, "output");
    if (!outputs.ok()) return outputs.status();
    if (outputs->empty())
      return absl::NotFoundError(absl::StrCat("'", path.string(), "' has no output_0.pb: there is nothing to compare"));
    sets.push_back({path.filename().string(), *std::move(inputs), *std::move(outputs)});
  }
  if (!sets.empty()) return sets;
  return absl::NotFoundError(absl::StrCat("'", folder.string(), "' has no folder ", std::string(kSetPrefix),
                                          "0 with input_0.pb, output_0.pb, …: save a tensor as such a file with "
                                          "onnx.numpy_helper.from_array(array, name).SerializeToString()"));
}

absl::StatusOr<std::vector<TestedOutput>> runTestSet(const fs::path &artifact, const TestSet &set,
                                                     const std::set<std::string> &bound, int threads,
                                                     const runtime::Tolerance &tolerance) {
  try {
    return runAndCompare(artifact, set, bound, threads, tolerance);
  } catch (const RuntimeError &error) {
    return statusOf(error);
  }
}

}  // namespace hone::client
