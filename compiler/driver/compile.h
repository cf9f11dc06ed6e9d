// The compiler as one function: model bytes -> artifact bytes. Phases are a flat list (Phase); each may be the last
// one, and each leaves text behind for whoever asks. LLVM may abort the process on its own defects: callers that must
// live on run this in a child. Thread-safe except that one process links one module at a time (lld).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/artifact/tar.h"
#include "compiler/base/target.h"
#include "compiler/frontend/onnx/import.h"

namespace hone::driver {

inline constexpr std::string_view kVersion = HONE_VERSION;

/// In the order in which they run.
enum class Phase : uint8_t { Import, Graph, Plan, Schedule, Loops, Codegen, Artifact };
inline constexpr Phase kPhases[] = {Phase::Import, Phase::Graph,   Phase::Plan,    Phase::Schedule,
                                    Phase::Loops,  Phase::Codegen, Phase::Artifact};
std::string_view name(Phase phase);
std::optional<Phase> parsePhase(std::string_view name);

/// Forms of the program that can be kept.
enum class Dump : uint8_t { Graph, Plan, Tasks, Loops, Estimate, LlvmIr, Assembly };
inline constexpr Dump kDumps[] = {Dump::Graph,    Dump::Plan,   Dump::Tasks,   Dump::Loops,
                                  Dump::Estimate, Dump::LlvmIr, Dump::Assembly};
std::string_view name(Dump dump);
std::optional<Dump> parseDump(std::string_view name);

struct Progress {
  Phase phase = Phase::Import;
  int done = 0;   ///< steps of the phase
  int total = 0;  ///< 0 where the phase has no steps
};

struct CompileOptions {
  TargetDescription target;
  std::map<std::string, std::vector<int64_t>> inputShapes;  ///< bind symbolic dimensions
  std::map<std::string, frontend::BoundValue> boundInputs;  ///< inputs that become constants
  frontend::DataFiles dataFiles;                            ///< in which tensors of the model keep their data
  bool checkIndices = false;  ///< count indices outside of their axes, for whoever asks after a run
  std::string schedules;      ///< text of a schedules file (docs/schedules.md); empty: all default
  int optLevel = 3;           ///< 0 to 3
  std::vector<std::string> disabledPasses;
  std::vector<std::string> disabledAlgorithms;  ///< that no default schedule has: "winograd"
  std::vector<std::string> printAfter;          ///< passes; "all" for every one
  std::optional<Phase> stopAfter;  ///< then CompileResult::printed holds what is there, and there is no artifact
  std::vector<Dump> dumps;
  int threads = 0;  ///< of code generation; 0: one per CPU that this process may use
  std::string moduleName = "default";
  std::function<void(const Progress &)> progress;  ///< called from one thread at a time; may be empty
  /// Takes the tar, piece by piece, so that it never is in memory; empty: CompileResult::artifact does.
  artifact::ByteSink artifact;
};

struct Timing {
  std::string name;
  bool isPass = false;  ///< a graph pass, inside Phase::Graph
  double seconds = 0;
};

struct CompileResult {
  std::string artifact;  ///< the tar, unless the options say where it goes
  std::string printed;   ///< for printAfter and stopAfter
  std::map<Dump, std::string> dumps;
  std::vector<Timing> timings;
  std::vector<std::string> notes;  ///< worth knowing; one sentence each
};

/// INVALID_ARGUMENT or UNIMPLEMENTED: the model or the schedules are refused. FAILED_PRECONDITION: an option asks for
/// what there is not. INTERNAL: a defect of hone. RESOURCE_EXHAUSTED: too little memory. The artifact's bytes depend on
/// the model and the options alone, not on `threads`.
absl::StatusOr<CompileResult> compileModel(std::string_view model, const CompileOptions &options);

}  // namespace hone::driver
