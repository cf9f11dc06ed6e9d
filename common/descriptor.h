// The owner of an open file, socket or pipe: closes it at the end of its scope. Can be moved; one thread at a time.
// What the functions open is not inherited by children (O_CLOEXEC).
#pragma once

#include <filesystem>
#include <utility>

#include "absl/status/statusor.h"

namespace hone {

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept;
  ~Descriptor() { reset(); }

  /// open(2).
  static absl::StatusOr<Descriptor> open(const std::filesystem::path &file, int flags, int mode = 0600);

  int get() const { return number_; }
  bool isOpen() const { return number_ >= 0; }
  void reset();
  /// The caller closes it.
  int release() { return std::exchange(number_, -1); }
  /// Another one of the same, whose number is \p least or more.
  absl::StatusOr<Descriptor> copy(int least = 0) const;

 private:
  int number_;
};

/// Two descriptors that are connected.
struct DescriptorPair {
  Descriptor first, second;
};
absl::StatusOr<DescriptorPair> makeSocketPair();
/// What is written to the second is read from the first.
absl::StatusOr<DescriptorPair> makePipe();

}  // namespace hone
