#include "runtime/manifest.h"

#include <algorithm>
#include <charconv>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "abi/hone_abi.h"
#include "runtime/json.h"
#include "text/tvm_artifact.h"

namespace hone::runtime {
namespace {

constexpr int64_t kFormatVersion = 3;
constexpr size_t kMaxTextBytes = size_t{256} << 20;
constexpr int kMaxRank = 64;
constexpr size_t kMaxLoopDepth = 64;
/// Keeps sums and products of sizes far from overflow.
constexpr int64_t kMaxBytes = int64_t{1} << 46;

struct DtypeEntry {
  const char *name;
  size_t size;
};
constexpr DtypeEntry kDtypes[] = {{"bool", 1},     {"int8", 1},    {"int16", 2},  {"int32", 4},  {"int64", 8},
                                  {"uint8", 1},    {"uint16", 2},  {"uint32", 4}, {"uint64", 8}, {"float16", 2},
                                  {"bfloat16", 2}, {"float32", 4}, {"float64", 8}};

template <typename... Parts>
Status damaged(const Parts &...parts) {
  return refused("mod.json is damaged: ", parts...);
}

/// The text opens with its own digest, which is computed with zeros in its place.
Status checkDigest(std::string_view text) {
  constexpr std::string_view kOpening = "{\n \"xxh3\": \"", kZeros = "0000000000000000";
  if (!text.starts_with(kOpening) || text.size() < kOpening.size() + kZeros.size())
    return text::isTvmGraph(text) ? refused(text::kTvmArtifact) : damaged("it does not open with its digest");
  const std::string_view stated = text.substr(kOpening.size(), kZeros.size());
  uint64_t digest = 0;
  const auto [end, error] = std::from_chars(stated.data(), stated.data() + stated.size(), digest, 16);
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, kOpening.data(), kOpening.size());
  XXH3_64bits_update(&state, kZeros.data(), kZeros.size());
  const std::string_view rest = text.substr(kOpening.size() + kZeros.size());
  XXH3_64bits_update(&state, rest.data(), rest.size());
  if (error != std::errc() || end != stated.data() + stated.size() || XXH3_64bits_digest(&state) != digest)
    return damaged("its digest does not agree with its content");
  return {};
}

/// Reads typed fields and keeps the first complaint, so that parsing reads as a list of fields.
class Reader {
 public:
  const Status &status() const { return status_; }

  const JsonValue &field(const JsonValue &object, const char *key, JsonValue::Kind kind) {
    static const JsonValue kNone;
    const JsonValue *value = object.find(key);
    if (value && value->kind == kind) return *value;
    fail("'", key, value ? "' has a wrong type" : "' is missing");
    return kNone;
  }

  const std::string &text(const JsonValue &object, const char *key) {
    return field(object, key, JsonValue::Kind::String).string;
  }
  const std::vector<JsonValue> &list(const JsonValue &object, const char *key) {
    return field(object, key, JsonValue::Kind::Array).elements;
  }
  const JsonValue &object(const JsonValue &parent, const char *key) {
    return field(parent, key, JsonValue::Kind::Object);
  }

  /// A natural number of at most \p limit.
  int64_t natural(const JsonValue &object, const char *key, int64_t limit) {
    return checkNatural(field(object, key, JsonValue::Kind::Integer), key, limit);
  }

  std::vector<int64_t> naturals(const JsonValue &object, const char *key, int64_t limit) {
    std::vector<int64_t> values;
    for (const JsonValue &value : list(object, key)) {
      if (value.kind != JsonValue::Kind::Integer) fail("'", key, "' holds something else than integers");
      values.push_back(checkNatural(value, key, limit));
    }
    return values;
  }

  template <typename... Parts>
  void fail(const Parts &...parts) {
    if (status_.ok()) status_ = damaged(parts...);
  }

 private:
  int64_t checkNatural(const JsonValue &value, const char *key, int64_t limit) {
    if (value.integer >= 0 && value.integer <= limit) return value.integer;
    fail("'", key, "' is ", value.integer, ", which is not between 0 and ", limit);
    return 0;
  }

  Status status_;
};

void readExtents(Reader &reader, const JsonValue &entry, Tensor &tensor) {
  const JsonValue *isExtent = entry.find("is_extent");
  tensor.isExtent = isExtent && isExtent->boolean;
  if (!entry.find("extents")) return;
  for (const JsonValue &extent : reader.list(entry, "extents")) {
    const int64_t dim = reader.natural(extent, "dim", INT32_MAX), output = reader.natural(extent, "output", INT32_MAX);
    if (static_cast<size_t>(dim) >= tensor.shape.size()) reader.fail("'", tensor.name, "' has no dim ", dim);
    tensor.extents.push_back({static_cast<size_t>(dim), static_cast<size_t>(output)});
  }
}

/// The outputs that hold extents come last, and are scalars of int64; others name only such.
void checkExtents(Reader &reader, Manifest &manifest) {
  const std::vector<Tensor> &outputs = manifest.outputs;
  while (manifest.outputCount < outputs.size() && !outputs[manifest.outputCount].isExtent) ++manifest.outputCount;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor &output = outputs[i];
    const bool isScalar = output.dtype == HONE_INT64 && output.shape.empty();
    if (i >= manifest.outputCount && (!output.isExtent || !isScalar))
      reader.fail("output '", output.name, "' is not the extent that it should be");
    for (const Tensor::Extent &extent : output.extents)
      if (extent.output < manifest.outputCount || extent.output >= outputs.size())
        reader.fail("an extent of '", output.name, "' is in output ", extent.output, ", which holds none");
  }
}

void readIndexChecks(Reader &reader, const JsonValue &root, Manifest &manifest) {
  manifest.checksIndices = root.find("index_checks") != nullptr;
  if (!manifest.checksIndices) return;
  for (const JsonValue &entry : reader.list(root, "index_checks")) {
    IndexCheck check;
    check.node = reader.text(entry, "node");
    check.op = reader.text(entry, "operator");
    check.axis = reader.natural(entry, "axis", INT32_MAX);
    const auto read = [&](const char *key) {
      const auto output = static_cast<size_t>(reader.natural(entry, key, INT32_MAX));
      if (output < manifest.outputCount || output >= manifest.outputs.size())
        reader.fail("the index check of '", check.node, "' is in output ", output, ", which holds none");
      return output;
    };
    check.count = read("count");
    check.example = read("example");
    check.extent = read("extent");
    manifest.indexChecks.push_back(std::move(check));
  }
}

std::vector<Tensor> readTensors(Reader &reader, const JsonValue &root, const char *key) {
  std::vector<Tensor> tensors;
  for (const JsonValue &entry : reader.list(root, key)) {
    Tensor tensor;
    tensor.name = reader.text(entry, "name");
    tensor.shape = reader.naturals(entry, "shape", kMaxBytes);
    if (tensor.shape.size() > kMaxRank) reader.fail("'", tensor.name, "' has ", tensor.shape.size(), " dimensions");
    const std::string &spelled = reader.text(entry, "dtype");
    bool known = false;
    for (size_t i = 0; i < std::size(kDtypes); ++i) {
      if (spelled != kDtypes[i].name) continue;
      tensor.dtype = static_cast<hone_dtype>(i);
      known = true;
    }
    if (!known) reader.fail("'", tensor.name, "' has the unknown dtype '", spelled, "'");
    int64_t bytes = static_cast<int64_t>(dtypeSize(tensor.dtype));
    for (int64_t extent : tensor.shape) {
      if (extent != 0 && bytes > kMaxBytes / extent) {
        reader.fail("'", tensor.name, "' is larger than ", kMaxBytes, " bytes");
        bytes = 0;
      }
      bytes *= extent;
    }
    tensor.bytes = static_cast<size_t>(bytes);
    readExtents(reader, entry, tensor);
    for (const Tensor &other : tensors)
      if (other.name == tensor.name) reader.fail("two of its ", key, " are named '", tensor.name, "'");
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

/// An input or output: \p uses counts the buffers of each.
void checkPort(Reader &reader, const Buffer &buffer, int64_t bytes, const std::vector<Tensor> &tensors,
               std::vector<int> &uses) {
  if (buffer.index >= tensors.size()) {
    reader.fail("a buffer is input or output ", buffer.index, " of ", tensors.size());
  } else if (static_cast<size_t>(bytes) != tensors[buffer.index].bytes) {
    reader.fail("'", tensors[buffer.index].name, "' has ", tensors[buffer.index].bytes, " bytes, but its buffer ",
                bytes);
  } else if (++uses[buffer.index] > 1) {
    reader.fail("'", tensors[buffer.index].name, "' has two buffers");
  }
}

void checkPlace(Reader &reader, const Buffer &buffer, int64_t bytes, size_t areaBytes, const char *area) {
  if (buffer.offset % HONE_ALIGNMENT != 0)
    reader.fail("a buffer starts at byte ", buffer.offset, ", which is not a multiple of ", HONE_ALIGNMENT);
  if (buffer.offset > areaBytes || static_cast<size_t>(bytes) > areaBytes - buffer.offset)
    reader.fail("a buffer takes ", bytes, " bytes from ", buffer.offset, " of ", area, ", which has ", areaBytes);
}

void readBuffers(Reader &reader, const JsonValue &root, Manifest &manifest) {
  std::vector<int> inputUses(manifest.inputs.size(), 0), outputUses(manifest.outputs.size(), 0);
  for (const JsonValue &entry : reader.list(root, "buffers")) {
    Buffer buffer;
    const std::string &kind = reader.text(entry, "kind");
    const int64_t bytes = reader.natural(entry, "bytes", kMaxBytes);
    buffer.bytes = static_cast<size_t>(bytes);
    if (kind == "input" || kind == "output") {
      const bool isInput = kind == "input";
      buffer.kind = isInput ? BufferKind::Input : BufferKind::Output;
      buffer.index = static_cast<size_t>(reader.natural(entry, "index", INT32_MAX));
      checkPort(reader, buffer, bytes, isInput ? manifest.inputs : manifest.outputs, isInput ? inputUses : outputUses);
    } else if (kind == "arena" || kind == "parameter") {
      const bool isArena = kind == "arena";
      buffer.kind = isArena ? BufferKind::Arena : BufferKind::Parameter;
      buffer.offset = static_cast<size_t>(reader.natural(entry, "offset", kMaxBytes));
      checkPlace(reader, buffer, bytes, isArena ? manifest.arenaBytes : manifest.parameters.bytes,
                 isArena ? "the arena" : "mod.params");
    } else {
      reader.fail("a buffer has the unknown kind '", kind, "'");
    }
    manifest.buffers.push_back(buffer);
  }
  for (size_t i = 0; i < inputUses.size(); ++i)
    if (inputUses[i] == 0) reader.fail("input '", manifest.inputs[i].name, "' has no buffer");
  for (size_t i = 0; i < outputUses.size(); ++i)
    if (outputUses[i] == 0) reader.fail("output '", manifest.outputs[i].name, "' has no buffer");
}

/// What has no conditions need not say so. \p who has them.
std::vector<CallCondition> readConditions(Reader &reader, const JsonValue &entry, const Manifest &manifest,
                                          const std::string &who) {
  std::vector<CallCondition> conditions;
  if (entry.find("conditions") == nullptr) return conditions;
  for (const JsonValue &condition : reader.list(entry, "conditions")) {
    const int64_t buffer = reader.natural(condition, "buffer", INT32_MAX);
    if (static_cast<size_t>(buffer) >= manifest.buffers.size()) {
      reader.fail(who, " depends on buffer ", buffer, " of ", manifest.buffers.size());
    } else if (manifest.buffers[static_cast<size_t>(buffer)].bytes == 0) {
      reader.fail(who, " depends on buffer ", buffer, ", which has no bytes");
    }
    conditions.push_back({static_cast<int32_t>(buffer), reader.natural(condition, "value", 1) != 0});
  }
  return conditions;
}

Estimate readEstimate(Reader &reader, const JsonValue &kernel) {
  if (kernel.find("estimate") == nullptr) return {};
  const JsonValue &entry = reader.object(kernel, "estimate");
  return {reader.natural(entry, "cycles", INT64_MAX), reader.text(entry, "limit"),
          static_cast<int32_t>(reader.natural(entry, "threads", INT32_MAX))};
}

void readCalls(Reader &reader, const JsonValue &root, Manifest &manifest) {
  std::vector<std::string> kernelNames;
  std::vector<Estimate> estimates;
  for (const JsonValue &entry : reader.list(root, "kernels")) {
    kernelNames.push_back(reader.text(entry, "name"));
    estimates.push_back(readEstimate(reader, entry));
  }
  manifest.kernelCount = static_cast<int32_t>(kernelNames.size());
  for (const JsonValue &entry : reader.list(root, "calls")) {
    Call call;
    call.name = reader.text(entry, "name");
    call.kernel = static_cast<int32_t>(reader.natural(entry, "kernel", INT32_MAX));
    call.flops = reader.natural(entry, "flops", INT64_MAX);
    for (int64_t argument : reader.naturals(entry, "arguments", INT32_MAX)) {
      if (static_cast<size_t>(argument) >= manifest.buffers.size())
        reader.fail("call '", call.name, "' takes buffer ", argument, " of ", manifest.buffers.size());
      call.arguments.push_back(static_cast<int32_t>(argument));
    }
    call.conditions = readConditions(reader, entry, manifest, "call '" + call.name + "'");
    if (call.kernel >= manifest.kernelCount) {
      reader.fail("call '", call.name, "' is of kernel ", call.kernel, " of ", manifest.kernelCount);
    } else {
      call.kernelName = kernelNames[static_cast<size_t>(call.kernel)];
      call.estimate = estimates[static_cast<size_t>(call.kernel)];
    }
    manifest.calls.push_back(std::move(call));
  }
}

/// The byte that a loop goes by.
void checkLoopCondition(Reader &reader, const JsonValue &entry, const Manifest &manifest, Loop &loop) {
  const int64_t buffer = reader.natural(entry, "condition", INT32_MAX);
  loop.condition = static_cast<int32_t>(buffer);
  if (static_cast<size_t>(buffer) >= manifest.buffers.size()) {
    reader.fail("a loop goes by buffer ", buffer, " of ", manifest.buffers.size());
  } else if (const Buffer &byte = manifest.buffers[static_cast<size_t>(buffer)];
             byte.kind != BufferKind::Arena || byte.bytes != 1) {
    reader.fail("a loop goes by buffer ", buffer, ", which is not one byte of the arena");
  }
}

/// Loops lie within each other or apart, not too deep for who runs them by recursion, and have calls.
void readLoops(Reader &reader, const JsonValue &root, Manifest &manifest) {
  if (root.find("loops") == nullptr) return;
  const size_t calls = manifest.calls.size();
  std::vector<size_t> around;  // positions of the loops that go on where the next one begins
  for (const JsonValue &entry : reader.list(root, "loops")) {
    Loop loop;
    loop.first = static_cast<size_t>(reader.natural(entry, "first", INT32_MAX));
    const auto count = static_cast<size_t>(reader.natural(entry, "count", INT32_MAX));
    loop.end = loop.first + count;
    if (count == 0 || loop.end > calls)
      reader.fail("a loop has ", count, " calls from call ", loop.first, ", of ", calls);
    for (size_t call = loop.first; call < std::min(loop.end, calls); ++call) manifest.calls[call].isRepeated = true;
    if (!manifest.loops.empty() && loop.first < manifest.loops.back().first)
      reader.fail("the loop from call ", loop.first, " comes behind one from call ", manifest.loops.back().first);
    while (!around.empty() && loop.first >= manifest.loops[around.back()].end) {
      manifest.loops[around.back()].next = manifest.loops.size();
      around.pop_back();
    }
    if (!around.empty() && loop.end > manifest.loops[around.back()].end)
      reader.fail("the loop from call ", loop.first, " ends behind the one around it");
    if (around.size() >= kMaxLoopDepth)
      reader.fail("the loop from call ", loop.first, " lies within ", kMaxLoopDepth, " others");
    checkLoopCondition(reader, entry, manifest, loop);
    loop.conditions = readConditions(reader, entry, manifest, "a loop");
    around.push_back(manifest.loops.size());
    manifest.loops.push_back(std::move(loop));
  }
  for (size_t loop : around) manifest.loops[loop].next = manifest.loops.size();
}

Member readMember(Reader &reader, const JsonValue &members, const char *name) {
  const JsonValue &entry = reader.object(members, name);
  Member member;
  member.bytes = static_cast<size_t>(reader.natural(entry, "bytes", kMaxBytes));
  const std::string &digest = reader.text(entry, "xxh3");
  const auto [end, error] = std::from_chars(digest.data(), digest.data() + digest.size(), member.xxh3, 16);
  if (error != std::errc() || end != digest.data() + digest.size() || digest.size() != 16)
    reader.fail("the digest of ", name, " is '", digest, "'");
  return member;
}

Status checkVersions(Reader &reader, const JsonValue &root) {
  const int64_t format = reader.natural(root, "format", INT32_MAX), abi = reader.natural(root, "abi", INT32_MAX);
  if (!reader.status().ok()) return reader.status();
  const char *remedy = "; compile the model again with the compiler of this runtime's version";
  if (format < 1 || format > kFormatVersion)
    return refused("the artifact has format ", format, ", but this runtime reads formats up to ", kFormatVersion,
                   remedy);
  if (abi != HONE_ABI_VERSION)
    return refused("the artifact was built for ABI version ", abi, ", but this runtime has ", HONE_ABI_VERSION, remedy);
  return {};
}

}  // namespace

Result<Manifest> parseManifest(std::string_view text) {
  if (text.size() > kMaxTextBytes)
    return damaged("it has ", text.size(), " bytes; at most ", kMaxTextBytes, " are read");
  HONE_RT_RETURN_IF_ERROR(checkDigest(text));
  Result<JsonValue> parsed = parseJson(text);
  if (!parsed.ok()) return damaged(parsed.status().message);
  const JsonValue &root = *parsed;
  Reader reader;
  HONE_RT_RETURN_IF_ERROR(checkVersions(reader, root));
  Manifest manifest;
  manifest.name = reader.text(root, "name");
  manifest.compilerVersion = reader.text(root, "compiler");
  const JsonValue &target = reader.object(root, "target");
  manifest.triple = reader.text(target, "triple");
  manifest.cpu = reader.text(target, "cpu");
  for (const JsonValue &feature : reader.list(root, "required_features")) {
    if (feature.kind != JsonValue::Kind::String) reader.fail("'required_features' holds something else than strings");
    manifest.requiredFeatures.push_back(feature.string);
  }
  const JsonValue &members = reader.object(root, "members");
  manifest.module = readMember(reader, members, "mod.so");
  manifest.parameters = readMember(reader, members, "mod.params");
  manifest.arenaBytes = static_cast<size_t>(reader.natural(root, "arena_bytes", kMaxBytes));
  manifest.inputs = readTensors(reader, root, "inputs");
  manifest.outputs = readTensors(reader, root, "outputs");
  checkExtents(reader, manifest);
  readIndexChecks(reader, root, manifest);
  readBuffers(reader, root, manifest);
  readCalls(reader, root, manifest);
  readLoops(reader, root, manifest);
  if (!reader.status().ok()) return reader.status();
  return manifest;
}

uint64_t xxh3(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

const char *dtypeName(hone_dtype dtype) {
  const auto index = static_cast<size_t>(dtype);
  return index < std::size(kDtypes) ? kDtypes[index].name : nullptr;
}

size_t dtypeSize(hone_dtype dtype) {
  const auto index = static_cast<size_t>(dtype);
  return index < std::size(kDtypes) ? kDtypes[index].size : 0;
}

}  // namespace hone::runtime
