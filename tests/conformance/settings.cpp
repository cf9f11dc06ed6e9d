#include "tests/conformance/settings.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/graph/pipeline.h"

namespace hone::conformance {
namespace {

using Settings = absl::StatusOr<std::vector<NamedSetting>>;

Setting onHost() {
  Setting setting;
  setting.target = codegen::hostTarget();
  return setting;
}

Settings host(uint64_t) { return std::vector<NamedSetting>{{"host", onHost()}}; }

Settings randomSchedules(uint64_t seed) {
  Setting setting = onHost();
  setting.scheduleSeed = seed;
  return std::vector<NamedSetting>{{absl::StrCat("random-schedules:", seed), setting}};
}

Settings threads(uint64_t) {
  std::vector<NamedSetting> result;
  for (const int count : {2, 3}) {  // host has one
    Setting setting = onHost();
    setting.threads = count;
    result.push_back({absl::StrCat("threads:", count), setting});
  }
  return result;
}

Settings forCpu(const std::string &cpu, bool isRunnable) {
  if (!isRunnable) return std::vector<NamedSetting>();
  Setting setting;
  HONE_ASSIGN_OR_RETURN(setting.target, codegen::parseTarget(absl::StrCat("llvm -mcpu=", cpu)));
  return std::vector<NamedSetting>{{cpu, setting}};
}

#if defined(__x86_64__)
Settings haswell(uint64_t) {
  return forCpu("haswell", __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0);
}
Settings sse(uint64_t) { return forCpu("x86-64", true); }
#else
Settings haswell(uint64_t) { return forCpu("haswell", false); }
Settings sse(uint64_t) { return forCpu("x86-64", false); }
#endif

/// Each pass disabled for itself, and all that an optimisation level can disable.
Settings passes(uint64_t) {
  std::vector<NamedSetting> result;
  for (const std::string &pass : graph::passNames()) {
    Setting setting = onHost();
    setting.disabledPasses = {pass};
    result.push_back({absl::StrCat("without:", pass), setting});
  }
  Setting setting = onHost();
  setting.optLevel = 0;
  result.push_back({"opt-level:0", setting});
  return result;
}

struct Row {
  SettingFamily family;
  Settings (*make)(uint64_t seed);
};
constexpr Row kRows[] = {
    {{"host", "this machine's instructions, default schedules, one thread"}, host},
    {{"random-schedules", "random legal schedules for every kernel"}, randomSchedules},
    {{"threads", "two and three threads"}, threads},
    {{"haswell", "AVX2 and no AVX-512"}, haswell},
    {{"sse", "the least that x86-64 promises"}, sse},
    {{"passes", "each pass over the graph disabled, and --opt-level 0"}, passes},
};

}  // namespace

std::vector<SettingFamily> settingFamilies() {
  std::vector<SettingFamily> result;
  for (const Row &row : kRows) result.push_back(row.family);
  return result;
}

absl::StatusOr<std::vector<NamedSetting>> settingsOf(std::string_view family, uint64_t seed) {
  for (const Row &row : kRows) {
    if (row.family.name == family) return row.make(seed);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no setting '", absl::string_view(family.data(), family.size()), "'"));
}

}  // namespace hone::conformance
