// Artifact: the tar file that compiling gives and the runtime loads; docs/artifact.md has the format. Plain values and
// functions without state, so any thread may call them. Writing is deterministic: same input, same bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compiler/artifact/digest.h"
#include "compiler/artifact/tar.h"
#include "compiler/base/dtype.h"
#include "compiler/base/target.h"

namespace hone::artifact {

/// Raised when the meaning of mod.json changes; the runtime refuses what is newer than itself.
inline constexpr int64_t kFormatVersion = 3;
/// What is written where there are no loops, and where no size depends on data either: older runtimes read that, too.
inline constexpr int64_t kFormatWithoutLoops = 2, kFormatOfFixedSizes = 1;

/// An input or output of the model: dense, row-major.
struct TensorDescription {
  std::string name;  ///< as the model names it; unique among inputs, and among outputs
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  /// Outputs whose sizes depend on data: per dim the position in outputs of the int64 that is its extent after a run,
  /// -1 where that is the shape's. Empty: the shape is the true one.
  std::vector<int> extents = {};
  /// Holds an extent of other outputs, or what an IndexCheck counts: the model does not have it. Such outputs come
  /// last.
  bool isExtent = false;
  bool operator==(const TensorDescription &) const = default;
};

enum class BufferKind : uint8_t { Input, Output, Arena, Parameter };

/// Bytes that a kernel call takes as an argument.
struct BufferDescription {
  BufferKind kind = BufferKind::Arena;
  int64_t index = 0;   ///< Input, Output: position in inputs or outputs; every one has exactly one buffer
  int64_t offset = 0;  ///< Arena, Parameter: bytes from the start of the arena or of mod.params; 64-aligned
  int64_t bytes = 0;   ///< padding of the layout included
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::string layout;  ///< tensor::Layout::text(); for people and tools
  std::string name;    ///< for people and tools
  bool operator==(const BufferDescription &) const = default;
};

/// How long a kernel should take, by calculation.
struct KernelEstimate {
  int64_t cycles = 0;
  std::string limit;    ///< the part of the machine that is busy longest
  int64_t threads = 0;  ///< that it was made for
  bool operator==(const KernelEstimate &) const = default;
};

/// Entry of mod.so's table, in its order.
struct KernelDescription {
  std::string name;
  std::string schedule;           ///< in the names of that kernel; empty when there is none
  std::string task = {};          ///< SHA-256 of the text of its task; empty in artifacts before there were tasks
  std::string taskSchedule = {};  ///< the schedule in the names of the task
  std::optional<KernelEstimate> estimate = std::nullopt;
  bool operator==(const KernelDescription &) const = default;
};

/// That the first byte of a buffer is not 0, or that it is.
struct CallCondition {
  int buffer = 0;  ///< position in buffers
  bool isTrue = true;
  bool operator==(const CallCondition &) const = default;
};

/// One step of a run.
struct CallDescription {
  int kernel = 0;                  ///< position in kernels
  std::string name;                ///< for profiles; several calls may share a kernel
  std::vector<int> arguments;      ///< positions in buffers, in the order that the kernel takes them
  std::vector<std::string> nodes;  ///< the model's nodes that it computes: provenance
  int64_t flops = 0;               ///< counted with padding; 0 when not known
  /// The call may be left out unless all hold, asked in this order: nobody needs its results then.
  std::vector<CallCondition> conditions = {};
  bool operator==(const CallDescription &) const = default;
};

/// Calls that are repeated while the first byte of a buffer in the arena is not 0.
struct LoopDescription {
  int64_t first = 0, count = 0;  ///< positions in calls
  int condition = 0;             ///< position in buffers; asked in front of each iteration
  /// The loop is left out unless all hold, asked in this order, once, in front of it.
  std::vector<CallCondition> conditions = {};
  bool operator==(const LoopDescription &) const = default;
};

/// How many of the indices that an operator read from data were outside of their axis.
struct IndexCheckDescription {
  std::string node, op;  ///< of the model
  int64_t axis = 0;      ///< of the operand that is indexed
  /// Outputs that hold, after a run, how many, the largest of them (where there is one), and the extent of the axis.
  int count = 0, example = 0, extent = 0;
  bool operator==(const IndexCheckDescription &) const = default;
};

struct ArtifactDescription {
  std::string name;             ///< of the model
  std::string compilerVersion;  ///< "0.1.0"
  TargetDescription target;
  std::vector<std::string> requiredFeatures;  ///< sorted; see requiredFeatures()
  std::vector<TensorDescription> inputs, outputs;
  /// Nothing where indices are not checked.
  std::optional<std::vector<IndexCheckDescription>> indexChecks = std::nullopt;
  std::vector<BufferDescription> buffers;
  int64_t arenaBytes = 0;
  std::vector<KernelDescription> kernels;
  std::vector<CallDescription> calls;  ///< in the order of execution
  /// By their first call, one around others before those; two lie within each other or have no call in common.
  std::vector<LoopDescription> loops;
  /// Where the artifact comes from: "model_sha256", "records", …; free keys, shown by inspect.
  std::map<std::string, std::string> provenance;
  bool operator==(const ArtifactDescription &) const = default;
};

/// The features of \p target that generated code may depend on, sorted: what the runtime checks before it loads the
/// module. Features that no code generator emits (and those that every CPU of the architecture has) are left out.
std::vector<std::string> requiredFeatures(const TargetDescription &target);

/// Everything the runtime will demand: INTERNAL with the first rule broken. writeArtifact calls it.
absl::Status verify(const ArtifactDescription &description, int64_t parameterBytes);

/// The bytes of mod.params, which need not be in memory: \p write gives those of which \p digest tells.
struct Parameters {
  MemberDigest digest;
  std::function<absl::Status(const ByteSink &)> write;
};

/// Writes the tar to \p sink.
absl::Status writeArtifact(const ArtifactDescription &description, std::string_view moduleBytes,
                           const Parameters &parameters, const ByteSink &sink);

/// What readArtifact finds. The views refer into the bytes that were given to it.
struct Artifact {
  ArtifactDescription description;
  int64_t abiVersion = 0;
  std::string_view moduleBytes, json, parameterBytes;
  std::string moduleSha256, parameterSha256;
  std::string identity;  ///< SHA-256 of mod.json
};

/// For inspection and tests; never loads code. INVALID_ARGUMENT with a sentence unless \p tar holds exactly the three
/// members as regular files, their digests agree and mod.json is well-formed.
absl::StatusOr<Artifact> readArtifact(std::string_view tar);

}  // namespace hone::artifact
