#include "runtime/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace hone::runtime {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;

size_t roundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

Block::~Block() {
  if (data_) munmap(data_, mapped_);
}

Result<Block> Block::allocate(size_t bytes) {
  Block block;
  // Whole pages give the alignment, the readable tail, and zeros.
  const bool large = bytes >= kHugePage;
  const size_t size = roundUp(bytes == 0 ? 1 : bytes, large ? kHugePage : kPage);
  const size_t reserved = large ? size + kHugePage : size;
  void *memory = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return failure(HONE_UNAVAILABLE, "cannot allocate ", bytes, " bytes: ", std::strerror(errno));
  char *start = static_cast<char *>(memory);
  if (large) {
    // Huge pages need their own alignment: give back what lies before and after.
    char *aligned = reinterpret_cast<char *>(roundUp(reinterpret_cast<uintptr_t>(start), kHugePage));
    if (aligned > start) munmap(start, static_cast<size_t>(aligned - start));
    const size_t after = static_cast<size_t>(start + reserved - (aligned + size));
    if (after > 0) munmap(aligned + size, after);
    madvise(aligned, size, MADV_HUGEPAGE);
    start = aligned;
  }
  block.data_ = start;
  block.mapped_ = size;
  return block;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<char *>(bytes_.data()), bytes_.size());
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  const auto unavailable = [&](const char *what) {
    return failure(HONE_UNAVAILABLE, "cannot ", what, " '", path, "': ", std::strerror(errno));
  };
  // Without O_NONBLOCK, opening a pipe by mistake would wait for ever.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return unavailable("open");
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(file);
    return failure(HONE_UNAVAILABLE, "cannot read '", path, "': it is not a regular file");
  }
  MappedFile mapped;
  if (info.st_size > 0) {
    const size_t size = static_cast<size_t>(info.st_size);
    // Everything is read soon, to check it: one call brings all pages in instead of a fault for each.
    void *memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (memory == MAP_FAILED) {
      const Status status = unavailable("map");
      ::close(file);
      return status;
    }
    mapped.bytes_ = std::string_view(static_cast<char *>(memory), size);
  }
  ::close(file);
  return mapped;
}

}  // namespace hone::runtime
