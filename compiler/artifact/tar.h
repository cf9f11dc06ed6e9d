// The tar file around an artifact's members: POSIX ustar without any freedom. Functions without state.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::artifact {

struct TarMember {
  std::string name;
  std::string_view bytes;
};

/// Takes bytes, one piece after the other.
using ByteSink = std::function<absl::Status(std::string_view)>;

/// A member that need not be in memory: \p write gives exactly \p bytes of them.
struct TarContent {
  std::string name;
  int64_t bytes = 0;
  std::function<absl::Status(const ByteSink &)> write;
};

/// Regular files with mode 0644, owner 0, time 0; same members, same bytes. Names must be shorter than 100 bytes.
/// RESOURCE_EXHAUSTED: a member is larger than the format can say. What the members or \p sink complain of is returned.
absl::Status writeTar(const std::vector<TarContent> &members, const ByteSink &sink);

/// The members, as views into \p tar. Only regular files are accepted, no extension headers, and the two blocks of
/// zeros at the end must be there; otherwise INVALID_ARGUMENT.
absl::StatusOr<std::vector<TarMember>> readTar(std::string_view tar);

}  // namespace hone::artifact
