// The table of TVMC's flags that hone answers with a sentence.
#include "client/flags.h"

namespace hone::client {

namespace {

constexpr std::string_view kNoLinker = "hone links by itself, for every target, and needs no cross compiler";
constexpr std::string_view kLayout = "hone chooses the layouts of all buffers itself";
constexpr std::string_view kMixedPrecision = "a model is compiled in the types that it is written in";
constexpr std::string_view kNoBackends = "there are no external code generators whose share could be listed";
constexpr std::string_view kPassConfig =
    "TVM's passes do not exist here; --disabled-pass and --opt-level choose among hone's";
constexpr std::string_view kRecords = "tuning records arrive with hone tune; --schedules takes schedules by hand";
constexpr std::string_view kExecutor = "there is one executor, which calls the kernels of the graph in order";
constexpr std::string_view kRuntime = "there is one runtime, libhone_runtime, with a C and a C++ interface";
constexpr std::string_view kBefore = "use --print-ir-after with the name of the pass before it";
constexpr std::string_view kVm = "models have static shapes and need no virtual machine";
constexpr std::string_view kPools = "memory is planned by hone, in one arena";
constexpr std::string_view kTargetAttribute =
    "of a target's attributes, hone takes -mcpu, -mattr, -mtriple and -num-cores";
constexpr std::string_view kTargetKind = "llvm is the only kind of target; its flags begin with --target-llvm-";

constexpr UnsupportedFlag kCompile[] = {
    {"--cross-compiler", "", kNoLinker},
    {"--cross-compiler-options", "", kNoLinker},
    {"--desired-layout", "", kLayout},
    {"--desired-layout-ops", "", kLayout},
    {"--mixed-precision", "", kMixedPrecision},
    {"--mixed-precision-ops", "", kMixedPrecision},
    {"--mixed-precision-calculation-type", "", kMixedPrecision},
    {"--mixed-precision-acc-type", "", kMixedPrecision},
    {"--dump-offloads", "", kNoBackends},
    {"--pass-config", "", kPassConfig},
    {"--tuning-records", "", kRecords},
    {"--executor", "graph", kExecutor},
    {"--executor-graph-link-params", "", kExecutor},
    {"--executor-aot-*", "", kExecutor},
    {"--runtime", "cpp", kRuntime},
    {"--runtime-cpp-system-lib", "", kRuntime},
    {"--runtime-crt-system-lib", "", kRuntime},
    {"--print-ir-before", "", kBefore},
    {"--use-vm", "", kVm},
    {"--workspace-pools", "", kPools},
    {"--workspace-pools-*", "", kPools},
    {"--target-llvm-*", "", kTargetAttribute},
    {"--target-*", "", kTargetKind},
};

}  // namespace

std::span<const UnsupportedFlag> unsupportedCompileFlags() { return kCompile; }

}  // namespace hone::client
