// Session: the memory of one computation and the running of it. Used by one thread at a time; shares model and threads.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "runtime/model.h"
#include "runtime/thread_pool.h"

namespace hone::runtime {

class Session {
 public:
  static Result<std::unique_ptr<Session>> create(std::shared_ptr<ThreadPool> pool, std::shared_ptr<const Model> model);

  Status setInput(int32_t index, const void *data, size_t bytes);
  Status bindInput(int32_t index, const void *data, size_t bytes);
  Status bindOutput(int32_t index, void *data, size_t bytes);
  Status run();
  /// Null until there was a run.
  const void *output(int32_t index) const;
  /// Of the last run.
  const std::vector<int64_t> &outputShape(int32_t index) const { return shapes_[static_cast<size_t>(index)]; }
  size_t outputBytes(int32_t index) const;
  /// A number that the last run left in an output that the model does not have.
  int64_t hiddenNumber(size_t output) const;

  void setProfiling(bool enabled) { profiling_ = enabled; }
  const std::vector<int64_t> &profile() const { return profile_; }
  const Model &model() const { return *model_; }

 private:
  /// An input or output: memory of our own, made when it is needed, and the caller's if there is any.
  struct Port {
    Block own;
    char *used = nullptr;   ///< what kernels are given: the caller's, or our own
    char *bound = nullptr;  ///< the caller's memory that must be copied at each run, because it is not aligned
  };

  Session(std::shared_ptr<ThreadPool> pool, std::shared_ptr<const Model> model);
  Status allocate();
  Status useOwn(Port &port, size_t bytes);
  /// Gives kernels' argument lists the address of input or output \p index.
  void place(BufferKind kind, int32_t index, char *address);
  /// The buffers of which call \p call has addresses in arguments_, and where those begin.
  template <typename Visit>
  void forEachBuffer(size_t call, const Visit &visit);
  /// The conditions of all loops.
  template <typename Visit>
  void forEachLoopCondition(const Visit &visit);
  /// Sets \p address where \p buffer is the session's or the model's.
  void placeOwn(const Buffer &buffer, void *&address);
  static bool isNeeded(const Call &call, void *const *arguments);
  /// Runs calls [\p first, \p end); of the loops, those from \p loop on are not around them.
  void runCalls(size_t first, size_t end, size_t loop);
  /// Runs loop \p loop to its end.
  void repeat(size_t loop);
  /// Reads the true shapes of the outputs from those that hold extents.
  void readShapes();
  void runCall(const Call &call, void *const *arguments);

  std::shared_ptr<ThreadPool> pool_;
  std::shared_ptr<const Model> model_;
  Block arena_, scratch_, sharedScratch_;
  size_t scratchStride_ = 0;
  std::vector<Port> inputs_, outputs_;
  std::vector<std::vector<int64_t>> shapes_;  ///< of the outputs, in the last run
  /// Of all calls, one after the other, each followed by the shared scratch and the buffers of the call's conditions.
  std::vector<void *> arguments_;
  std::vector<size_t> firstArgument_;  ///< per call
  /// Per loop the byte that it goes by, and those of its conditions.
  struct LoopBytes {
    const char *condition = nullptr;
    std::vector<void *> conditions;
  };
  std::vector<LoopBytes> loops_;
  bool profiling_ = false, hasRun_ = false;
  std::vector<int64_t> profile_;
  std::chrono::steady_clock::time_point lastEnd_;  ///< of a call, while profiling
};

}  // namespace hone::runtime
