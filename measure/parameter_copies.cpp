#include "measure/parameter_copies.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hone::measure {

namespace {

constexpr int64_t kPage = 4096;

}  // namespace

int64_t copyBytes(int64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

int64_t copiesFor(int64_t bytes, int64_t cacheBytes) {
  if (bytes <= 0) return 1;
  return std::max<int64_t>(1, (cacheBytes + bytes - 1) / bytes);
}

absl::StatusOr<ParameterCopies> ParameterCopies::make(const std::vector<std::vector<char>> &parameters,
                                                      int64_t copies) {
  ParameterCopies made;
  made.copies_ = std::max<int64_t>(1, copies);
  for (const std::vector<char> &parameter : parameters) {
    made.offsets_.push_back(made.stride_);
    made.stride_ += copyBytes(static_cast<int64_t>(parameter.size()));
  }
  made.size_ = made.stride_ * made.copies_;
  if (made.size_ == 0) return made;
  void *memory =
      mmap(nullptr, static_cast<size_t>(made.size_), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot allocate ", made.size_, " bytes for copies of the parameters: ", std::strerror(errno)));
  made.memory_ = static_cast<char *>(memory);
  // The runtime maps parameters from a file, in small pages.
  madvise(made.memory_, static_cast<size_t>(made.size_), MADV_NOHUGEPAGE);
  for (int64_t copy = 0; copy < made.copies_; ++copy)
    for (size_t p = 0; p < parameters.size(); ++p)
      std::copy(parameters[p].begin(), parameters[p].end(), made.memory_ + copy * made.stride_ + made.offsets_[p]);
  return made;
}

ParameterCopies::ParameterCopies(ParameterCopies &&other) noexcept { *this = std::move(other); }

ParameterCopies &ParameterCopies::operator=(ParameterCopies &&other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  std::swap(stride_, other.stride_);
  std::swap(copies_, other.copies_);
  std::swap(current_, other.current_);
  std::swap(offsets_, other.offsets_);
  return *this;
}

ParameterCopies::~ParameterCopies() {
  if (memory_ != nullptr) munmap(memory_, static_cast<size_t>(size_));
}

}  // namespace hone::measure
