// The conditions under which the suite is run, by name. Functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/conformance/run_case.h"

namespace hone::conformance {

struct NamedSetting {
  std::string name;
  Setting setting;
};

/// What people can name, with a sentence each: "host", "random-schedules", "threads", "haswell", "sse", "passes".
struct SettingFamily {
  std::string_view name, means;
};
std::vector<SettingFamily> settingFamilies();

/// The settings of a family; none where this machine cannot run them. INVALID_ARGUMENT for an unknown name. \p seed
/// begins the random schedules.
absl::StatusOr<std::vector<NamedSetting>> settingsOf(std::string_view family, uint64_t seed);

}  // namespace hone::conformance
