#include "common/descriptor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "common/system_error.h"

namespace hone {

Descriptor &Descriptor::operator=(Descriptor &&other) noexcept {
  if (this == &other) return *this;
  reset();
  number_ = std::exchange(other.number_, -1);
  return *this;
}

absl::StatusOr<Descriptor> Descriptor::open(const std::filesystem::path &file, int flags, int mode) {
  Descriptor opened(::open(file.c_str(), flags | O_CLOEXEC, mode));
  if (!opened.isOpen()) return fileError("open", file, errno);
  return opened;
}

void Descriptor::reset() {
  if (number_ >= 0) close(number_);
  number_ = -1;
}

absl::StatusOr<Descriptor> Descriptor::copy(int least) const {
  Descriptor copied(fcntl(number_, F_DUPFD_CLOEXEC, least));
  if (!copied.isOpen()) return systemError("copy a descriptor");
  return copied;
}

absl::StatusOr<DescriptorPair> makeSocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return systemError("make a socket pair");
  return DescriptorPair{Descriptor(ends[0]), Descriptor(ends[1])};
}

absl::StatusOr<DescriptorPair> makePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return systemError("make a pipe");
  return DescriptorPair{Descriptor(ends[0]), Descriptor(ends[1])};
}

}  // namespace hone
