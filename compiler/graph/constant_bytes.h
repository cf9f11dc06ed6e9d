// The bytes of a constant: its own, or a view of memory that somebody else keeps, as a mapped file, which costs nothing
// until it is read and is copied only when it is written to. A value; const methods may be called by several threads.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::graph {

/// Memory that constants view; it lives as long as one of them does.
class SharedMemory {
 public:
  virtual ~SharedMemory() = default;
  /// \p bytes of it are not needed soon: they may give up their place in memory, and come back when they are read.
  virtual void letGo(std::string_view bytes) const = 0;
};

class ConstantBytes {
 public:
  ConstantBytes() = default;
  // What was computed becomes a constant without ceremony.
  // NOLINTNEXTLINE(google-explicit-constructor)
  ConstantBytes(std::vector<char> own) : own_(std::move(own)) {}
  /// \p bytes lie in \p memory.
  static ConstantBytes view(std::string_view bytes, std::shared_ptr<const SharedMemory> memory) {
    ConstantBytes result;
    result.view_ = bytes;
    result.memory_ = std::move(memory);
    return result;
  }

  const char *data() const { return memory_ ? view_.data() : own_.data(); }
  size_t size() const { return memory_ ? view_.size() : own_.size(); }
  bool empty() const { return size() == 0; }
  const char *begin() const { return data(); }
  const char *end() const { return data() + size(); }
  bool operator==(const ConstantBytes &other) const { return text() == other.text(); }
  std::string_view text() const { return {data(), size()}; }
  std::vector<char> copy() const { return {begin(), end()}; }

  /// From here on the bytes are its own.
  char *data() { return owned().data(); }
  char *begin() { return data(); }
  char *end() { return data() + size(); }
  void resize(size_t size) { owned().resize(size); }
  void pop_back() { owned().pop_back(); }
  template <typename Iterator>
  void assign(Iterator first, Iterator last) {
    memory_.reset();
    own_.assign(first, last);
  }

  /// A hint, for views: nobody reads the bytes soon.
  void letGo() const {
    if (memory_) memory_->letGo(view_);
  }

 private:
  std::vector<char> &owned() {
    if (memory_) own_.assign(view_.begin(), view_.end());
    memory_.reset();
    return own_;
  }

  std::vector<char> own_;
  std::string_view view_;                       // valid while there is a memory_
  std::shared_ptr<const SharedMemory> memory_;  // null: own_ are the bytes
};

}  // namespace hone::graph
