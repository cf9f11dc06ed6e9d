// Module: mod.so loaded into this process. Owns the library; its table may be read by any thread.
#pragma once

#include <string_view>
#include <utility>

#include "abi/hone_abi.h"
#include "runtime/status.h"

namespace hone::runtime {

class Module {
 public:
  Module() = default;
  Module(Module &&other) noexcept
      : library_(std::exchange(other.library_, nullptr)),
        file_(std::exchange(other.file_, -1)),
        table_(std::exchange(other.table_, nullptr)) {}
  Module &operator=(Module &&other) noexcept {
    std::swap(library_, other.library_);
    std::swap(file_, other.file_);
    std::swap(table_, other.table_);
    return *this;
  }
  ~Module();

  /// Loads the library from memory (through a file in memory, or a temporary one where there are none) and checks its
  /// table.
  static Result<Module> load(std::string_view bytes);

  const hone_module &table() const { return *table_; }

 private:
  void *library_ = nullptr;
  int file_ = -1;  ///< kept open: its number is part of the name by which the loader recognises libraries
  const hone_module *table_ = nullptr;
};

}  // namespace hone::runtime
