// The version of the API that this build speaks: in Hello.api_version and Capabilities. It grows when an older client,
// worker or coordinator would misunderstand a newer one; fields that they may ignore do not raise it.
#pragma once

namespace hone::proto {

inline constexpr int kApiVersion = 2;
/// The oldest that a coordinator of this build still understands.
inline constexpr int kOldestApiVersion = 1;

}  // namespace hone::proto
