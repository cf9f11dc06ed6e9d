// Code generation: loop nests -> LLVM IR -> object code -> one shared library. The only folder that includes LLVM and
// lld. Functions without state, and KernelCompiler, which one thread uses; compileKernel may run in several threads at
// once, linkModule in one at a time (lld).
//
// LLVM reports some of its own defects by aborting the process: callers run this in a child.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/target.h"
#include "compiler/loop/loop_nest.h"

namespace hone::codegen {

/// Vector-sized reads and writes of the stack in emitted code: what did not fit into registers.
struct StackReferences {
  int64_t all = 0;
  /// Values that are written and read again in each iteration of an innermost loop, in the loop that has most: sums
  /// that go through memory at each step.
  int64_t throughMemory = 0;
};

/// What compileKernel keeps besides the object, for --dump-code and for filters.
struct CompiledKernel {
  std::string object;    ///< a relocatable ELF object with one hidden symbol per phase: NAME_0, NAME_1, …
  std::string llvmIr;    ///< optimised IR as text; empty unless asked for
  std::string assembly;  ///< empty unless asked for
  StackReferences stackReferences;
};

struct Options {
  bool keepIr = false;
  bool keepAssembly = false;
  /// Leave fused multiply-add to the code where the source does not ask (constants that every builder must
  /// compute to the same bytes are built without).
  bool contract = true;
};

/// Compiles kernels one after the other for one target, which LLVM sets up once. What it makes of a kernel does not
/// depend on those before.
class KernelCompiler {
 public:
  static absl::StatusOr<KernelCompiler> make(const TargetDescription &target, const Options &options);
  KernelCompiler(KernelCompiler &&) noexcept;
  KernelCompiler &operator=(KernelCompiler &&) noexcept;
  ~KernelCompiler();

  /// All phases of \p kernel. \p symbol is the prefix of its symbols.
  absl::StatusOr<CompiledKernel> compile(const loop::Kernel &kernel, std::string_view symbol);

 private:
  struct State;
  explicit KernelCompiler(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

/// One kernel by a KernelCompiler of its own.
absl::StatusOr<CompiledKernel> compileKernel(const loop::Kernel &kernel, std::string_view symbol,
                                             const TargetDescription &target, const Options &options);

/// A kernel of the module's table, in the order of mod.json's calls.
struct ModuleKernel {
  std::string name;    ///< for profiles
  std::string symbol;  ///< as given to compileKernel
  int bufferCount = 0;
  int64_t sharedScratchBytes = 0;
  struct Phase {
    int64_t extent;
    int64_t scratchBytes;
  };
  std::vector<Phase> phases;
};

/// Links \p objects, the helpers (memcpy, half conversions, …) and the table into a shared library that exports
/// hone_module_query and imports nothing. Same input, same bytes.
absl::StatusOr<std::string> linkModule(const std::vector<std::string> &objects,
                                       const std::vector<ModuleKernel> &kernels, const TargetDescription &target);

/// The machine this process runs on (`--target llvm`).
TargetDescription hostTarget();

/// TVM's form: "llvm [-mcpu=NAME] [-mattr=+a,-b] [-mtriple=T] [-num-cores=N]". Without -mcpu and -mtriple, or with
/// -mcpu=native, it is the host. INVALID_ARGUMENT names the unknown flag, CPU or feature and what is accepted, or says
/// as checkTarget() why no code can be made for it.
absl::StatusOr<TargetDescription> parseTarget(std::string_view text);

/// Whether code can be made for \p target: its architecture and system are among those of a small table, and it has the
/// extensions that all machines of the architecture have. INVALID_ARGUMENT names what is missing and what there is.
absl::Status checkTarget(const TargetDescription &target);

}  // namespace hone::codegen
