// The number of the protocol that this build speaks. It grows when an old client or worker could misunderstand a new
// coordinator; what is only added keeps it.
#pragma once

namespace hone::proto {

inline constexpr int kApiVersion = 1;
/// The oldest that a coordinator of this build still understands.
inline constexpr int kOldestApiVersion = 1;

}  // namespace hone::proto
