// An open file descriptor that is closed at the end of its scope. Can be moved.
#pragma once

#include <unistd.h>

#include <utility>

namespace hone::worker {

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor &&other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int get() const { return number_; }
  bool isOpen() const { return number_ >= 0; }
  void reset() { *this = Descriptor(); }

 private:
  int number_;
};

}  // namespace hone::worker
