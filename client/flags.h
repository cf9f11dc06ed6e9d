// Long flags as TVMC's users write them: unambiguous prefixes are completed, and flags of TVMC that hone has no use for
// are answered, never ignored. What comes out is for CLI11. Functions without state.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hone::client {

/// A flag of TVMC that hone does not have.
struct UnsupportedFlag {
  std::string_view name;      ///< with the dashes; ending in '*', it stands for all flags with that beginning
  std::string_view harmless;  ///< a value that asks for what hone does anyway; empty: there is none
  std::string_view reason;    ///< completes "not supported by hone: "
};

/// TVMC's flags of `compile` that hone does not have.
std::span<const UnsupportedFlag> unsupportedCompileFlags();

/// \p arguments with every long flag spelled out. \p known: the long flags of the command, with dashes. An exact match
/// wins over a prefix, and a flag over those that go on where it ends; arguments after "--" stay as they are.
/// INVALID_ARGUMENT for flags that are unknown, ambiguous or not supported.
absl::StatusOr<std::vector<std::string>> resolveFlags(const std::vector<std::string> &arguments,
                                                      const std::vector<std::string> &known,
                                                      std::span<const UnsupportedFlag> unsupported);

}  // namespace hone::client
