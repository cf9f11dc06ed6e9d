#include "client/bound_inputs.h"

#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/tools/npz.h"
#include "text/printable.h"

namespace hone::client {

namespace {

// All of them travel in one message and are stored with the job.
constexpr size_t kMostBytes = 1 << 20;

absl::StatusOr<v1::Tensor> readTensor(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kMostBytes + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.is_open() || file.bad()) return absl::NotFoundError(absl::StrCat("cannot read '", path, "'"));
  bytes.resize(static_cast<size_t>(file.gcount()));
  if (bytes.size() > kMostBytes)
    return absl::DataLossError(absl::StrCat("'", path, "' is longer than ", kMostBytes,
                                            " bytes, the most that --bind takes: make larger constants "
                                            "initializers of the model"));
  auto array = runtime::parseNpy(bytes, path);
  if (!array.ok()) return absl::DataLossError(array.status().message);
  v1::Tensor tensor;
  tensor.set_dtype(hone_dtype_name(array->dtype));
  for (const int64_t extent : array->shape) tensor.add_shape(extent);
  tensor.set_data(std::move(array->bytes));
  return tensor;
}

}  // namespace

absl::StatusOr<std::vector<v1::BoundInput>> parseBoundInputs(const std::vector<std::string> &values) {
  std::map<std::string, v1::BoundInput> inputs;
  for (const std::string &text : values) {
    // A name may hold a '=', the value of a number or a file rarely does: the last one divides.
    const size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0)
      return absl::InvalidArgumentError(
          absl::StrCat("cannot read '", text, "' in --bind; expected NAME=VALUE, as axes=1,2 or shape=shape.npy"));
    v1::BoundInput input;
    input.set_name(text::asUtf8(text.substr(0, equals)));
    const std::string value = text.substr(equals + 1);
    if (absl::EndsWith(value, ".npy")) {
      auto tensor = readTensor(value);
      if (!tensor.ok()) return tensor.status();
      *input.mutable_tensor() = *std::move(tensor);
    } else {
      input.set_numbers(value);
    }
    const std::string name = input.name();
    if (!inputs.emplace(name, std::move(input)).second)
      return absl::InvalidArgumentError(absl::StrCat("--bind gives '", name, "' twice"));
  }
  std::vector<v1::BoundInput> result;
  for (auto &[name, input] : inputs) result.push_back(std::move(input));
  return result;
}

}  // namespace hone::client
