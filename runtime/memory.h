// Memory of the runtime: aligned blocks that use huge pages where they are large, and files that are mapped. Both own
// what they hold and can be moved; reading them from several threads is fine.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/status.h"

namespace hone::runtime {

/// Bytes aligned to at least HONE_ALIGNMENT and readable to the end of the last such block. Zero when new.
class Block {
 public:
  Block() = default;
  Block(Block &&other) noexcept
      : data_(std::exchange(other.data_, nullptr)), mapped_(std::exchange(other.mapped_, 0)) {}
  Block &operator=(Block &&other) noexcept {
    std::swap(data_, other.data_);
    std::swap(mapped_, other.mapped_);
    return *this;
  }
  ~Block();

  static Result<Block> allocate(size_t bytes);

  char *data() const { return data_; }

 private:
  char *data_ = nullptr;
  size_t mapped_ = 0;
};

/// A file mapped for reading. Changing the file shows through; truncating it makes reads fail with SIGBUS.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(MappedFile &&other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile &operator=(MappedFile &&other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  static Result<MappedFile> open(const std::string &path);

  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace hone::runtime
