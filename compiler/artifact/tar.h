// The tar file around an artifact's members: POSIX ustar without any freedom. Functions without state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hone::artifact {

struct TarMember {
  std::string name;
  std::string_view bytes;
};

/// Regular files with mode 0644, owner 0, time 0; same members, same bytes. Names must be shorter than 100 bytes.
absl::StatusOr<std::string> writeTar(const std::vector<TarMember> &members);

/// The members, as views into \p tar. Only regular files are accepted, no extension headers, and the two blocks of
/// zeros at the end must be there; otherwise INVALID_ARGUMENT.
absl::StatusOr<std::vector<TarMember>> readTar(std::string_view tar);

}  // namespace hone::artifact
