#include "compiler/artifact/mod_json.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "abi/hone_abi.h"
#include "compiler/artifact/digest.h"
#include "compiler/artifact/text.h"
#include "text/tvm_artifact.h"

namespace hone::artifact {
namespace {

using Json = nlohmann::ordered_json;

/// mod.json opens with its own digest, at a place that is always the same.
constexpr std::string_view kOpening = "{\n \"xxh3\": \"";
constexpr std::string_view kZeroDigest = "0000000000000000";
constexpr std::string_view kBufferKinds[] = {"input", "output", "arena", "parameter"};

// ------------------------------------------------------------------------------------------------ writing

Json tensorsJson(const std::vector<TensorDescription> &tensors) {
  Json list = Json::array();
  for (const TensorDescription &tensor : tensors) {
    Json entry = {{"name", tensor.name}, {"dtype", std::string(name(tensor.dtype))}, {"shape", tensor.shape}};
    Json extents = Json::array();
    for (size_t dim = 0; dim < tensor.extents.size(); ++dim)
      if (tensor.extents[dim] >= 0) extents.push_back({{"dim", dim}, {"output", tensor.extents[dim]}});
    if (!extents.empty()) entry["extents"] = std::move(extents);
    if (tensor.isExtent) entry["is_extent"] = true;
    list.push_back(std::move(entry));
  }
  return list;
}

Json bufferJson(const BufferDescription &buffer) {
  Json entry;
  entry["kind"] = std::string(kBufferKinds[static_cast<int>(buffer.kind)]);
  const bool isPort = buffer.kind == BufferKind::Input || buffer.kind == BufferKind::Output;
  entry[isPort ? "index" : "offset"] = isPort ? buffer.index : buffer.offset;
  entry["bytes"] = buffer.bytes;
  entry["dtype"] = std::string(name(buffer.dtype));
  entry["shape"] = buffer.shape;
  entry["layout"] = buffer.layout;
  entry["name"] = buffer.name;
  return entry;
}

Json targetJson(const TargetDescription &target) {
  return {{"triple", target.triple},
          {"cpu", target.cpu},
          {"features", target.features},
          {"vector_bytes", target.vectorBytes},
          {"vector_registers", target.vectorRegisters},
          {"l1_bytes", target.l1Bytes},
          {"l2_bytes", target.l2Bytes},
          {"l3_bytes", target.l3Bytes},
          {"cores", target.cores}};
}

Json memberJson(const MemberDigest &member) {
  return {{"bytes", member.bytes}, {"sha256", member.sha256}, {"xxh3", member.xxh3}};
}

// ------------------------------------------------------------------------------------------------ reading

/// Reads fields and remembers the first that is missing or of another type, so that the code below is a list of fields.
class Reader {
 public:
  explicit Reader(absl::Status &status) : status_(status) {}

  const Json &field(const Json &object, const char *key) {
    static const Json kNull;
    if (!object.is_object()) return fail(concat("what should hold '", key, "' is not an object"), kNull);
    const auto found = object.find(key);
    if (found == object.end()) return fail(concat("'", key, "' is missing"), kNull);
    return *found;
  }

  std::string text(const Json &object, const char *key) {
    const Json &value = field(object, key);
    if (value.is_string()) return value.get<std::string>();
    return fail(concat("'", key, "' is not a string"), std::string());
  }

  int64_t integer(const Json &object, const char *key) { return integerValue(field(object, key), key); }

  int64_t integerValue(const Json &value, const char *key) {
    if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX) return fail(tooLarge(key), int64_t{0});
    if (value.is_number_integer() && value.get<int64_t>() >= 0) return value.get<int64_t>();
    return fail(concat("'", key, "' is not a natural number"), int64_t{0});
  }

  std::vector<int64_t> integers(const Json &object, const char *key) {
    std::vector<int64_t> values;
    for (const Json &value : list(object, key)) values.push_back(integerValue(value, key));
    return values;
  }

  std::vector<std::string> texts(const Json &object, const char *key) {
    std::vector<std::string> values;
    for (const Json &value : list(object, key)) {
      if (!value.is_string()) return fail(concat("'", key, "' holds something else than strings"), values);
      values.push_back(value.get<std::string>());
    }
    return values;
  }

  const Json &list(const Json &object, const char *key) {
    static const Json kEmpty = Json::array();
    const Json &value = field(object, key);
    if (value.is_array()) return value;
    return fail(concat("'", key, "' is not a list"), kEmpty);
  }

  DType dtype(const Json &object) {
    const std::string spelled = text(object, "dtype");
    if (const std::optional<DType> dtype = parseDType(spelled)) return *dtype;
    return fail(concat("dtype '", spelled, "' is unknown"), DType::F32);
  }

  template <typename Value>
  Value &&fail(std::string message, Value &&value) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(concat("mod.json is damaged: ", message));
    return std::forward<Value>(value);
  }

 private:
  static std::string tooLarge(const char *key) { return concat("'", key, "' is too large"); }

  absl::Status &status_;
};

std::vector<TensorDescription> readTensors(Reader &reader, const Json &root, const char *key) {
  std::vector<TensorDescription> tensors;
  for (const Json &entry : reader.list(root, key)) {
    TensorDescription tensor{reader.text(entry, "name"), reader.dtype(entry), reader.integers(entry, "shape")};
    tensor.isExtent = entry.is_object() && entry.contains("is_extent");
    if (entry.is_object() && entry.contains("extents")) tensor.extents.resize(tensor.shape.size(), -1);
    for (size_t i = 0; !tensor.extents.empty() && i < reader.list(entry, "extents").size(); ++i) {
      const Json &extent = reader.list(entry, "extents")[i];
      const int64_t dim = reader.integer(extent, "dim"), output = reader.integer(extent, "output");
      if (dim >= static_cast<int64_t>(tensor.shape.size()) || output > INT32_MAX)
        return reader.fail(concat("'", tensor.name, "' has an extent of dim ", dim, " in output ", output), tensors);
      tensor.extents[static_cast<size_t>(dim)] = static_cast<int>(output);
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

BufferDescription readBuffer(Reader &reader, const Json &entry) {
  BufferDescription buffer;
  const std::string kind = reader.text(entry, "kind");
  const auto *found = std::find(std::begin(kBufferKinds), std::end(kBufferKinds), kind);
  if (found == std::end(kBufferKinds)) return reader.fail(concat("buffer kind '", kind, "' is unknown"), buffer);
  buffer.kind = static_cast<BufferKind>(found - std::begin(kBufferKinds));
  const bool isPort = buffer.kind == BufferKind::Input || buffer.kind == BufferKind::Output;
  (isPort ? buffer.index : buffer.offset) = reader.integer(entry, isPort ? "index" : "offset");
  buffer.bytes = reader.integer(entry, "bytes");
  buffer.dtype = reader.dtype(entry);
  buffer.shape = reader.integers(entry, "shape");
  buffer.layout = reader.text(entry, "layout");
  buffer.name = reader.text(entry, "name");
  return buffer;
}

TargetDescription readTarget(Reader &reader, const Json &root) {
  const Json &entry = reader.field(root, "target");
  TargetDescription target;
  target.triple = reader.text(entry, "triple");
  target.cpu = reader.text(entry, "cpu");
  target.features = reader.texts(entry, "features");
  target.vectorBytes = reader.integer(entry, "vector_bytes");
  target.vectorRegisters = reader.integer(entry, "vector_registers");
  target.l1Bytes = reader.integer(entry, "l1_bytes");
  target.l2Bytes = reader.integer(entry, "l2_bytes");
  target.l3Bytes = reader.integer(entry, "l3_bytes");
  target.cores = reader.integer(entry, "cores");
  return target;
}

/// What has none need not say so.
std::vector<CallCondition> readConditions(Reader &reader, const Json &entry) {
  std::vector<CallCondition> conditions;
  if (!entry.is_object() || !entry.contains("conditions")) return conditions;
  for (const Json &condition : reader.list(entry, "conditions")) {
    const int64_t buffer = reader.integer(condition, "buffer");
    if (buffer > INT32_MAX) return reader.fail("'buffer' is too large", conditions);
    conditions.push_back({static_cast<int>(buffer), reader.integer(condition, "value") != 0});
  }
  return conditions;
}

CallDescription readCall(Reader &reader, const Json &entry) {
  CallDescription call;
  const int64_t kernel = reader.integer(entry, "kernel");
  if (kernel > INT32_MAX) return reader.fail("'kernel' is too large", call);
  call.kernel = static_cast<int>(kernel);
  call.name = reader.text(entry, "name");
  for (int64_t argument : reader.integers(entry, "arguments")) {
    if (argument > INT32_MAX) return reader.fail("'arguments' holds a number that is too large", call);
    call.arguments.push_back(static_cast<int>(argument));
  }
  call.nodes = reader.texts(entry, "nodes");
  call.flops = reader.integer(entry, "flops");
  call.conditions = readConditions(reader, entry);
  return call;
}

LoopDescription readLoop(Reader &reader, const Json &entry) {
  LoopDescription loop;
  loop.first = reader.integer(entry, "first");
  loop.count = reader.integer(entry, "count");
  const int64_t condition = reader.integer(entry, "condition");
  if (condition > INT32_MAX) return reader.fail("'condition' is too large", loop);
  loop.condition = static_cast<int>(condition);
  loop.conditions = readConditions(reader, entry);
  return loop;
}

void addConditions(const std::vector<CallCondition> &conditions, Json &json) {
  for (const CallCondition &condition : conditions)
    json["conditions"].push_back({{"buffer", condition.buffer}, {"value", condition.isTrue ? 1 : 0}});
}

Json loopJson(const LoopDescription &loop) {
  Json json = {{"first", loop.first}, {"count", loop.count}, {"condition", loop.condition}};
  addConditions(loop.conditions, json);
  return json;
}

Json callJson(const CallDescription &call) {
  Json json = {{"kernel", call.kernel},
               {"name", call.name},
               {"arguments", call.arguments},
               {"nodes", call.nodes},
               {"flops", call.flops}};
  addConditions(call.conditions, json);
  return json;
}

KernelDescription readKernel(Reader &reader, const Json &entry) {
  KernelDescription kernel{reader.text(entry, "name"), reader.text(entry, "schedule"), {}, {}};
  if (entry.is_object() && entry.contains("estimate")) {
    const Json &estimate = reader.field(entry, "estimate");
    kernel.estimate = {reader.integer(estimate, "cycles"), reader.text(estimate, "limit"),
                       reader.integer(estimate, "threads")};
  }
  if (!entry.is_object() || !entry.contains("task")) return kernel;
  kernel.task = reader.text(entry, "task");
  kernel.taskSchedule = reader.text(entry, "task_schedule");
  return kernel;
}

Json kernelJson(const KernelDescription &kernel) {
  Json json = {{"name", kernel.name}, {"schedule", kernel.schedule}};
  if (kernel.estimate)
    json["estimate"] = {
        {"cycles", kernel.estimate->cycles}, {"limit", kernel.estimate->limit}, {"threads", kernel.estimate->threads}};
  if (kernel.task.empty()) return json;
  json["task"] = kernel.task;
  json["task_schedule"] = kernel.taskSchedule;
  return json;
}

MemberDigest readMember(Reader &reader, const Json &root, const char *member) {
  const Json &entry = reader.field(reader.field(root, "members"), member);
  return {reader.integer(entry, "bytes"), reader.text(entry, "sha256"), reader.text(entry, "xxh3")};
}

Json indexCheckJson(const IndexCheckDescription &check) {
  return {{"node", check.node},   {"operator", check.op},     {"axis", check.axis},
          {"count", check.count}, {"example", check.example}, {"extent", check.extent}};
}

IndexCheckDescription readIndexCheck(Reader &reader, const Json &entry) {
  const auto position = [&](const char *key) -> int {
    const int64_t output = reader.integer(entry, key);
    return output <= INT32_MAX ? static_cast<int>(output) : reader.fail(concat("'", key, "' is too large"), 0);
  };
  return {reader.text(entry, "node"),    reader.text(entry, "operator"),
          reader.integer(entry, "axis"), position("count"),
          position("example"),           position("extent")};
}

ModJson readFields(Reader &reader, const Json &root) {
  ModJson content;
  ArtifactDescription &description = content.description;
  if (const int64_t format = reader.integer(root, "format"); format < kFormatOfFixedSizes || format > kFormatVersion)
    return reader.fail(concat("format ", format, " is newer than the format ", kFormatVersion, " of this version"),
                       content);
  content.abiVersion = reader.integer(root, "abi");
  description.compilerVersion = reader.text(root, "compiler");
  description.name = reader.text(root, "name");
  description.target = readTarget(reader, root);
  description.requiredFeatures = reader.texts(root, "required_features");
  description.inputs = readTensors(reader, root, "inputs");
  description.outputs = readTensors(reader, root, "outputs");
  if (root.contains("index_checks")) {
    description.indexChecks.emplace();
    for (const Json &entry : reader.list(root, "index_checks"))
      description.indexChecks->push_back(readIndexCheck(reader, entry));
  }
  description.arenaBytes = reader.integer(root, "arena_bytes");
  for (const Json &entry : reader.list(root, "buffers")) description.buffers.push_back(readBuffer(reader, entry));
  for (const Json &entry : reader.list(root, "calls")) description.calls.push_back(readCall(reader, entry));
  if (root.is_object() && root.contains("loops"))
    for (const Json &entry : reader.list(root, "loops")) description.loops.push_back(readLoop(reader, entry));
  for (const Json &entry : reader.list(root, "kernels")) description.kernels.push_back(readKernel(reader, entry));
  const Json &provenance = reader.field(root, "provenance");
  if (!provenance.is_object()) return reader.fail("'provenance' is not an object", content);
  for (const auto &[key, value] : provenance.items())
    description.provenance[key] = reader.text(provenance, key.c_str());
  content.module = readMember(reader, root, "mod.so");
  content.parameters = readMember(reader, root, "mod.params");
  return content;
}

}  // namespace

std::string printModJson(const ModJson &content) {
  const ArtifactDescription &description = content.description;
  Json root;
  root["xxh3"] = std::string(kZeroDigest);
  const bool isFixed = std::none_of(description.outputs.begin(), description.outputs.end(),
                                    [](const TensorDescription &output) { return output.isExtent; });
  const int64_t withoutLoops = isFixed ? kFormatOfFixedSizes : kFormatWithoutLoops;
  root["format"] = description.loops.empty() ? withoutLoops : kFormatVersion;
  root["abi"] = content.abiVersion;
  root["compiler"] = description.compilerVersion;
  root["name"] = description.name;
  root["target"] = targetJson(description.target);
  root["required_features"] = description.requiredFeatures;
  root["inputs"] = tensorsJson(description.inputs);
  root["outputs"] = tensorsJson(description.outputs);
  if (description.indexChecks) {
    Json &checks = root["index_checks"] = Json::array();
    for (const IndexCheckDescription &check : *description.indexChecks) checks.push_back(indexCheckJson(check));
  }
  root["arena_bytes"] = description.arenaBytes;
  Json &buffers = root["buffers"] = Json::array();
  for (const BufferDescription &buffer : description.buffers) buffers.push_back(bufferJson(buffer));
  Json &calls = root["calls"] = Json::array();
  for (const CallDescription &call : description.calls) calls.push_back(callJson(call));
  for (const LoopDescription &loop : description.loops) root["loops"].push_back(loopJson(loop));
  Json &kernels = root["kernels"] = Json::array();
  for (const KernelDescription &kernel : description.kernels) kernels.push_back(kernelJson(kernel));
  Json &provenance = root["provenance"] = Json::object();
  for (const auto &[key, value] : description.provenance) provenance[key] = value;
  root["members"] = {{"mod.so", memberJson(content.module)}, {"mod.params", memberJson(content.parameters)}};
  // Names come from models, whose bytes need not be UTF-8: what is not is replaced rather than refused.
  std::string text = root.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  text.replace(kOpening.size(), kZeroDigest.size(), xxh3(text));
  return text;
}

absl::StatusOr<ModJson> parseModJson(std::string_view text) {
  if (!text.starts_with(kOpening) || text.size() < kOpening.size() + kZeroDigest.size())
    return absl::InvalidArgumentError(text::isTvmGraph(text) ? text::kTvmArtifact
                                                             : "mod.json is damaged: it does not open with its digest");
  std::string zeroed(text);
  zeroed.replace(kOpening.size(), kZeroDigest.size(), kZeroDigest);
  if (xxh3(zeroed) != text.substr(kOpening.size(), kZeroDigest.size()))
    return absl::InvalidArgumentError("mod.json is damaged: its digest does not agree with its content");
  const Json root = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded()) return absl::InvalidArgumentError("mod.json is damaged: it is not JSON");
  absl::Status status;
  Reader reader(status);
  ModJson content = readFields(reader, root);
  if (!status.ok()) return status;
  return content;
}

}  // namespace hone::artifact
