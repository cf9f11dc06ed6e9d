// Builds loop nests by hand, compiles and links them, and runs the result in this process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "abi/hone_abi.h"
#include "compiler/codegen/codegen.h"
#include "compiler/loop/loop_nest.h"

namespace hone::test {

using loop::IntExpr;
using loop::StatementPtr;
using loop::ValuePtr;

IntExpr var(int id, const std::string &name, int64_t extent);
ValuePtr load(int buffer, const IntExpr &index, loop::Type type, int lane = -1);
ValuePtr constantValue(double number, loop::Type type);
ValuePtr apply(ScalarOp op, std::vector<ValuePtr> args);
ValuePtr castTo(DType dtype, const ValuePtr &arg);
ValuePtr broadcast(const ValuePtr &arg, int lanes);
ValuePtr reg(int id, const IntExpr &index, loop::Type type);
StatementPtr block(std::vector<StatementPtr> body);
StatementPtr forLoop(const IntExpr &variable, const IntExpr &begin, const IntExpr &end, std::vector<StatementPtr> body,
                     loop::LoopKind kind = loop::LoopKind::Serial, int64_t step = 1);
StatementPtr registers(int id, int count, loop::Type type);
StatementPtr set(int id, const IntExpr &index, const ValuePtr &value);
StatementPtr store(int buffer, const IntExpr &index, const ValuePtr &value, int lane = -1);

/// Argument buffers in order; the last is written.
loop::Kernel kernelOf(std::vector<std::pair<DType, int64_t>> buffers, const IntExpr &parallel, int64_t extent,
                      const StatementPtr &body);

/// The targets that this machine can run: the host, haswell, plain x86-64; prints which are left out.
std::vector<std::pair<std::string, TargetDescription>> runnableTargets();

/// A linked and loaded module of one kernel.
class Loaded {
 public:
  Loaded(const loop::Kernel &kernel, const TargetDescription &target, bool contract = true);
  ~Loaded();
  Loaded(const Loaded &) = delete;
  Loaded &operator=(const Loaded &) = delete;

  /// Runs all phases over their whole ranges.
  void run(std::vector<void *> buffers) const;
  const hone_module *table() const { return table_; }

  codegen::CompiledKernel compiled;
  std::string bytes;

 private:
  void *handle_ = nullptr;
  const hone_module *table_ = nullptr;
};

/// 64-byte aligned storage, padded to whole blocks of 64 bytes.
template <typename T>
class Aligned {
 public:
  explicit Aligned(size_t count, T value = T())
      : count_(count),
        bytes_((count * sizeof(T) + 127) / 64 * 64),
        data_(static_cast<T *>(::operator new(bytes_, std::align_val_t(64)))) {
    for (size_t i = 0; i < bytes_ / sizeof(T); ++i) data_[i] = value;
  }
  ~Aligned() { ::operator delete(data_, std::align_val_t(64)); }
  Aligned(const Aligned &) = delete;
  Aligned &operator=(const Aligned &) = delete;
  T *data() { return data_; }
  size_t size() const { return count_; }
  T &operator[](size_t i) { return data_[i]; }

 private:
  size_t count_;
  size_t bytes_;
  T *data_;
};

}  // namespace hone::test
