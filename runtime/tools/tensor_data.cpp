#include "runtime/tools/tensor_data.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>

#include "runtime/tools/element.h"
#include "runtime/tools/npz.h"
#include "runtime/tools/output_path.h"

namespace hone::runtime {
namespace {

/// SplitMix64: small, good enough for filling, and the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }
  /// Uniform in [-1, 1).
  double nextReal() { return static_cast<double>(next() >> 11) * 0x1p-52 - 1; }

 private:
  uint64_t state_;
};

/// Rounds towards zero: enough for random numbers of magnitude one.
uint16_t toHalf(double value) {
  const uint16_t sign = value < 0 ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (magnitude < 0x1p-14) return static_cast<uint16_t>(sign | static_cast<uint16_t>(magnitude * 0x1p24));
  int exponent = 0;
  const double fraction = std::frexp(magnitude, &exponent);  // in [0.5, 1)
  return static_cast<uint16_t>(sign | (exponent + 14) << 10 | (static_cast<int>(fraction * 2048) & 1023));
}

uint16_t toBrain(double value) {
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(value)) >> 16);
}

template <typename Element, typename Next>
std::string fill(size_t bytes, Next next) {
  std::string data(bytes, '\0');
  for (size_t at = 0; at + sizeof(Element) <= bytes; at += sizeof(Element)) {
    const Element element = static_cast<Element>(next());
    std::memcpy(data.data() + at, &element, sizeof(Element));
  }
  return data;
}

/// Names that are paths in a zip file would be unpacked into folders; control characters have no place in names.
std::string memberName(std::string name) {
  for (char &byte : name)
    if (byte == '/' || byte == '\\' || static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) byte = '_';
  return name;
}

/// The input that array \p name is for: of that name, or of one that is written so in an npz file; -1 for none.
int32_t inputFor(const std::vector<TensorInfo> &infos, const std::string &name) {
  for (size_t i = 0; i < infos.size(); ++i)
    if (infos[i].name == name) return static_cast<int32_t>(i);
  for (size_t i = 0; i < infos.size(); ++i)
    if (memberName(infos[i].name) == name) return static_cast<int32_t>(i);
  return -1;
}

Status readArrays(const std::string &path, const std::vector<TensorInfo> &infos, std::vector<std::string> &inputs,
                  std::vector<bool> &given) {
  Result<NpzFile> file = NpzFile::open(path);
  if (!file.ok()) return file.status();
  std::string known;
  for (const TensorInfo &info : infos) known += (known.empty() ? "'" : ", '") + info.name + "'";
  for (const std::string &name : file->names()) {
    const int32_t index = inputFor(infos, name);
    if (index < 0) return refused("the model has no input '", name, "'; it has ", known.empty() ? "none" : known);
    const TensorInfo &info = infos[static_cast<size_t>(index)];
    if (given[static_cast<size_t>(index)]) return refused("input '", info.name, "' is given twice");
    // Generous, so that a wrong shape or dtype is told as such.
    constexpr uint64_t kSlack = 1 << 20;
    Result<Array> array = file->read(name, 16 * static_cast<uint64_t>(info.bytes) + kSlack);
    if (!array.ok()) return array.status();
    if (array->dtype != info.dtype || array->shape != info.shape)
      return refused("input '", info.name, "' is ", typeText(array->dtype, array->shape), ", but the model takes ",
                     typeText(info.dtype, info.shape));
    inputs[static_cast<size_t>(index)] = std::move(array->bytes);
    given[static_cast<size_t>(index)] = true;
  }
  return {};
}

}  // namespace

std::string fillTensor(const TensorInfo &info, int32_t index, FillMode mode, uint64_t seed) {
  Random random(seed * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(index));
  const auto integer = [&]() -> int64_t {
    return mode == FillMode::Random ? static_cast<int64_t>(random.next() >> 57) : mode == FillMode::Ones;
  };
  const auto real = [&]() -> double { return mode == FillMode::Random ? random.nextReal() : mode == FillMode::Ones; };
  switch (info.dtype) {
    case HONE_BOOL:
      return fill<uint8_t>(info.bytes, [&] { return integer() & 1; });
    case HONE_FLOAT16:
      return fill<uint16_t>(info.bytes, [&] { return toHalf(real()); });
    case HONE_BFLOAT16:
      return fill<uint16_t>(info.bytes, [&] { return toBrain(real()); });
    case HONE_FLOAT32:
      return fill<float>(info.bytes, real);
    case HONE_FLOAT64:
      return fill<double>(info.bytes, real);
    default:
      break;
  }
  switch (hone_dtype_size(info.dtype)) {
    case 1:
      return fill<int8_t>(info.bytes, integer);
    case 2:
      return fill<int16_t>(info.bytes, integer);
    case 4:
      return fill<int32_t>(info.bytes, integer);
    default:
      return fill<int64_t>(info.bytes, integer);
  }
}

Result<std::vector<std::string>> makeInputs(const Model &model, const RunOptions &options,
                                            std::vector<std::string> &filled) {
  std::vector<TensorInfo> infos;
  for (int32_t i = 0; i < model.inputCount(); ++i) infos.push_back(model.input(i));
  std::vector<std::string> inputs(infos.size());
  std::vector<bool> given(infos.size(), false);
  if (!options.inputs.empty()) {
    Status status = readArrays(options.inputs, infos, inputs, given);
    if (!status.ok()) {
      if (status.code == HONE_REFUSED) status.message = "'" + options.inputs + "': " + status.message;
      return status;
    }
  }
  for (size_t i = 0; i < infos.size(); ++i) {
    if (given[i]) continue;
    inputs[i] = fillTensor(infos[i], static_cast<int32_t>(i), options.fillMode, options.seed);
    filled.push_back(infos[i].name);
  }
  return inputs;
}

Status writeNpz(std::ostream &file, const std::vector<OutputData> &outputs) {
  ZipWriter zip(file);
  std::set<std::string> written;
  Status status;
  const auto add = [&](const std::string &name, const OutputData &output) {
    if (!status.ok() || name.empty() || !written.insert(name).second) return;
    const std::string_view body(static_cast<const char *>(output.data), output.info.bytes);
    status = zip.add(name + ".npy", npyHeader(output.info.dtype, output.info.shape), body);
  };
  for (size_t i = 0; i < outputs.size(); ++i) add("output_" + std::to_string(i), outputs[i]);
  for (const OutputData &output : outputs) add(memberName(output.info.name), output);
  return status.ok() ? zip.finish() : status;
}

Status writeOutputs(const std::string &path, const std::vector<OutputData> &outputs) {
  const OutputPlace place(path);
  const auto cannot = [&](int error) {
    place.abandon();
    return failure(HONE_UNAVAILABLE, "cannot write '", path, "': ", std::strerror(error));
  };
  errno = 0;
  std::ofstream file(place.aside(), std::ios::binary | std::ios::trunc);
  if (!file) return cannot(errno ? errno : EIO);
  if (Status status = writeNpz(file, outputs); !status.ok()) {
    place.abandon();
    return status;
  }
  file.close();
  if (!file || !place.replace()) return cannot(errno ? errno : EIO);
  return {};
}

}  // namespace hone::runtime
