#include "worker/child/mapped_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace hone::worker {

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::take(int descriptor) {
  struct stat facts{};
  void *address = nullptr;
  int error = fstat(descriptor, &facts) == 0 ? 0 : errno;
  // There is no mapping without bytes.
  if (error == 0 && facts.st_size > 0) {
    address = mmap(nullptr, static_cast<size_t>(facts.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED) error = errno;
  }
  close(descriptor);
  if (error == ENOMEM) return absl::ResourceExhaustedError("out of memory");
  if (error != 0)
    return absl::UnavailableError(absl::StrCat("cannot read a data file of the model: ", strerror(error)));
  return std::shared_ptr<const MappedFile>(
      new MappedFile({static_cast<const char *>(address), static_cast<size_t>(facts.st_size)}));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<char *>(bytes_.data()), bytes_.size());
}

void MappedFile::letGo(std::string_view bytes) const {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  // Whole pages only: on the first and the last one there may be others' bytes.
  const uintptr_t begin = (address + page - 1) / page * page;
  const uintptr_t end = (address + bytes.size()) / page * page;
  if (begin < end) madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace hone::worker
