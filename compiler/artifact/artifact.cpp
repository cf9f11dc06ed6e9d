#include "compiler/artifact/artifact.h"

#include <algorithm>
#include <set>

#include "abi/hone_abi.h"
#include "compiler/artifact/digest.h"
#include "compiler/artifact/mod_json.h"
#include "compiler/artifact/tar.h"
#include "compiler/artifact/text.h"
#include "compiler/base/status.h"
#include "text/tvm_artifact.h"

namespace hone::artifact {
namespace {

constexpr std::string_view kModule = "mod.so", kJson = "mod.json", kParameters = "mod.params";

absl::Status broken(std::string_view what) {
  return absl::InternalError(concat("malformed artifact description: ", what));
}

int64_t denseBytes(DType dtype, const std::vector<int64_t> &shape) {
  int64_t bytes = sizeOf(dtype);
  for (int64_t extent : shape) bytes *= extent;
  return bytes;
}

/// Every input and output has one buffer, of its size.
absl::Status verifyPorts(const ArtifactDescription &description, BufferKind kind,
                         const std::vector<TensorDescription> &tensors, std::string_view what) {
  std::vector<int> buffers(tensors.size(), 0);
  for (const BufferDescription &buffer : description.buffers) {
    if (buffer.kind != kind) continue;
    if (buffer.index < 0 || buffer.index >= static_cast<int64_t>(tensors.size()))
      return broken(concat("buffer '", buffer.name, "' is ", what, " ", buffer.index, " of ", tensors.size()));
    const TensorDescription &tensor = tensors[buffer.index];
    if (++buffers[buffer.index] > 1) return broken(concat(what, " '", tensor.name, "' has two buffers"));
    if (buffer.bytes != denseBytes(tensor.dtype, tensor.shape))
      return broken(concat(what, " '", tensor.name, "' has ", denseBytes(tensor.dtype, tensor.shape),
                           " bytes, but its buffer has ", buffer.bytes));
  }
  std::set<std::string> names;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (buffers[i] == 0) return broken(concat(what, " '", tensors[i].name, "' has no buffer"));
    if (!names.insert(tensors[i].name).second)
      return broken(concat("two ", what, "s are named '", tensors[i].name, "'"));
  }
  return absl::OkStatus();
}

/// Extents are scalars of int64, come last, and are all that others name.
absl::Status verifyExtents(const std::vector<TensorDescription> &outputs) {
  bool isLast = false;
  for (const TensorDescription &output : outputs) {
    const bool isScalar = output.dtype == DType::I64 && output.shape.empty();
    if ((isLast && !output.isExtent) || (output.isExtent && !isScalar))
      return broken(concat("output '", output.name, "' is not the extent that it should be"));
    isLast = output.isExtent;
    if (!output.extents.empty() && output.extents.size() != output.shape.size())
      return broken(concat("output '", output.name, "' has ", output.extents.size(), " extents"));
    for (int position : output.extents)
      if (position >= static_cast<int>(outputs.size()) || (position >= 0 && !outputs[position].isExtent))
        return broken(concat("an extent of '", output.name, "' is in output ", position, ", which holds none"));
  }
  return absl::OkStatus();
}

/// What checks count is in outputs that the model does not have.
absl::Status verifyIndexChecks(const ArtifactDescription &description) {
  if (!description.indexChecks) return absl::OkStatus();
  const int outputs = static_cast<int>(description.outputs.size());
  for (const IndexCheckDescription &check : *description.indexChecks) {
    for (const int position : {check.count, check.example, check.extent})
      if (position < 0 || position >= outputs || !description.outputs[position].isExtent)
        return broken(concat("the check of node '", check.node, "' is in output ", position, ", which holds none"));
  }
  return absl::OkStatus();
}

absl::Status verifyPlace(const BufferDescription &buffer, int64_t areaBytes) {
  if (buffer.offset < 0 || buffer.offset % HONE_ALIGNMENT != 0)
    return broken(concat("buffer '", buffer.name, "' starts at ", buffer.offset, ", which is not a multiple of ",
                         HONE_ALIGNMENT));
  if (buffer.bytes < 0 || buffer.offset > areaBytes || buffer.bytes > areaBytes - buffer.offset)
    return broken(concat("buffer '", buffer.name, "' takes bytes [", buffer.offset, ", ", buffer.offset + buffer.bytes,
                         ") of ", areaBytes));
  return absl::OkStatus();
}

absl::Status verifyConditions(const ArtifactDescription &description, const std::vector<CallCondition> &conditions,
                              const std::string &who) {
  const auto buffers = static_cast<int>(description.buffers.size());
  for (const CallCondition &condition : conditions) {
    if (condition.buffer < 0 || condition.buffer >= buffers || description.buffers[condition.buffer].bytes < 1)
      return broken(concat(who, " depends on buffer ", condition.buffer, " of ", buffers));
  }
  return absl::OkStatus();
}

absl::Status verifyLoops(const ArtifactDescription &description) {
  const auto calls = static_cast<int64_t>(description.calls.size());
  std::vector<const LoopDescription *> around;
  int64_t last = 0;
  for (const LoopDescription &loop : description.loops) {
    const std::string who = concat("the loop over ", loop.count, " calls from call ", loop.first);
    if (loop.first < last || loop.count < 1 || loop.first > calls || loop.count > calls - loop.first)
      return broken(concat(who, " is not in place"));
    last = loop.first;
    while (!around.empty() && loop.first >= around.back()->first + around.back()->count) around.pop_back();
    if (!around.empty() && loop.first + loop.count > around.back()->first + around.back()->count)
      return broken(concat(who, " begins within another and ends outside"));
    around.push_back(&loop);
    HONE_RETURN_IF_ERROR(verifyConditions(description, loop.conditions, who));
    HONE_RETURN_IF_ERROR(verifyConditions(description, {{loop.condition, true}}, who));
    if (description.buffers[loop.condition].kind != BufferKind::Arena ||
        description.buffers[loop.condition].dtype != DType::Bool || description.buffers[loop.condition].bytes != 1)
      return broken(concat(who, " goes by buffer ", loop.condition, ", which is not one bool in the arena"));
  }
  return absl::OkStatus();
}

absl::Status verifyCalls(const ArtifactDescription &description) {
  const int64_t kernels = static_cast<int64_t>(description.kernels.size());
  const int64_t buffers = static_cast<int64_t>(description.buffers.size());
  std::vector<int64_t> arity(kernels, -1);
  for (const CallDescription &call : description.calls) {
    if (call.kernel < 0 || call.kernel >= kernels)
      return broken(concat("call '", call.name, "' is of kernel ", call.kernel, " of ", kernels));
    for (int argument : call.arguments)
      if (argument < 0 || argument >= buffers)
        return broken(concat("call '", call.name, "' takes buffer ", argument, " of ", buffers));
    HONE_RETURN_IF_ERROR(verifyConditions(description, call.conditions, concat("call '", call.name, "'")));
    const int64_t count = static_cast<int64_t>(call.arguments.size());
    if (int64_t &known = arity[call.kernel]; known < 0) known = count;
    if (arity[call.kernel] != count)
      return broken(concat("kernel '", description.kernels[call.kernel].name, "' is called with ", arity[call.kernel],
                           " and with ", count, " arguments"));
  }
  return absl::OkStatus();
}

absl::Status checkMember(std::string_view name, std::string_view bytes, const MemberDigest &stated) {
  if (static_cast<int64_t>(bytes.size()) != stated.bytes)
    return absl::InvalidArgumentError(concat(name, " has ", bytes.size(), " bytes, but mod.json says ", stated.bytes));
  if (digestOf(bytes) != stated)
    return absl::InvalidArgumentError(concat(name, " is damaged: its digest is not the one in mod.json"));
  return absl::OkStatus();
}

/// The members alone, whatever they are.
absl::StatusOr<Artifact> readMembers(std::string_view tar) {
  HONE_ASSIGN_OR_RETURN(const std::vector<TarMember> members, readTar(tar));
  Artifact artifact;
  std::set<std::string> seen;
  for (const TarMember &member : members) {
    if (!seen.insert(member.name).second)
      return absl::InvalidArgumentError(concat("the artifact holds '", member.name, "' twice"));
    if (member.name == kModule)
      artifact.moduleBytes = member.bytes;
    else if (member.name == kJson)
      artifact.json = member.bytes;
    else if (member.name == kParameters)
      artifact.parameterBytes = member.bytes;
    else
      return absl::InvalidArgumentError(
          concat("the artifact holds '", member.name,
                 "', which does not belong there; expected mod.so, mod.json and mod.params"));
  }
  for (const std::string_view name : {kModule, kJson, kParameters})
    if (!seen.count(std::string(name))) return absl::InvalidArgumentError(concat("the artifact holds no '", name, "'"));
  return artifact;
}

}  // namespace

absl::Status verify(const ArtifactDescription &description, int64_t parameterBytes) {
  HONE_RETURN_IF_ERROR(verifyPorts(description, BufferKind::Input, description.inputs, "input"));
  HONE_RETURN_IF_ERROR(verifyPorts(description, BufferKind::Output, description.outputs, "output"));
  HONE_RETURN_IF_ERROR(verifyExtents(description.outputs));
  HONE_RETURN_IF_ERROR(verifyIndexChecks(description));
  if (description.arenaBytes < 0) return broken(concat("an arena of ", description.arenaBytes, " bytes"));
  for (const BufferDescription &buffer : description.buffers) {
    if (buffer.kind == BufferKind::Arena) HONE_RETURN_IF_ERROR(verifyPlace(buffer, description.arenaBytes));
    if (buffer.kind == BufferKind::Parameter) HONE_RETURN_IF_ERROR(verifyPlace(buffer, parameterBytes));
  }
  HONE_RETURN_IF_ERROR(verifyCalls(description));
  return verifyLoops(description);
}

absl::Status writeArtifact(const ArtifactDescription &description, std::string_view moduleBytes,
                           const Parameters &parameters, const ByteSink &sink) {
  HONE_RETURN_IF_ERROR(verify(description, parameters.digest.bytes));
  const std::string json = printModJson({description, HONE_ABI_VERSION, digestOf(moduleBytes), parameters.digest});
  const auto inMemory = [](std::string_view name, std::string_view bytes) {
    return TarContent{std::string(name), static_cast<int64_t>(bytes.size()),
                      [bytes](const ByteSink &member) { return member(bytes); }};
  };
  return writeTar({inMemory(kModule, moduleBytes),
                   inMemory(kJson, json),
                   {std::string(kParameters), parameters.digest.bytes, parameters.write}},
                  sink);
}

absl::StatusOr<Artifact> readArtifact(std::string_view tar) {
  absl::StatusOr<Artifact> members = readMembers(tar);
  if (!members.ok() && text::isTvmArchive(tar)) return absl::InvalidArgumentError(text::kTvmArtifact);
  if (!members.ok()) return members.status();
  Artifact artifact = *std::move(members);
  HONE_ASSIGN_OR_RETURN(ModJson content, parseModJson(artifact.json));
  HONE_RETURN_IF_ERROR(checkMember(kModule, artifact.moduleBytes, content.module));
  HONE_RETURN_IF_ERROR(checkMember(kParameters, artifact.parameterBytes, content.parameters));
  if (absl::Status status = verify(content.description, content.parameters.bytes); !status.ok())
    return absl::InvalidArgumentError(status.message());
  artifact.description = std::move(content.description);
  artifact.abiVersion = content.abiVersion;
  artifact.moduleSha256 = content.module.sha256;
  artifact.parameterSha256 = content.parameters.sha256;
  artifact.identity = sha256(artifact.json);
  return artifact;
}

}  // namespace hone::artifact
