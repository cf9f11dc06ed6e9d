// KernelAssembler: puts a tensor::Kernel together: buffers on first use, stages in order, names that are unique. One
// thread; owns what it builds until finish().
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "compiler/plan/plan.h"
#include "compiler/plan/views.h"

namespace hone::plan {

class KernelAssembler {
 public:
  /// The buffer that stands for plan buffer \p planBuffer read or written as \p buffer says; one per shape.
  int argument(int planBuffer, tensor::Buffer buffer);
  int temporary(std::string name, DType dtype, std::vector<int64_t> shape);
  DType dtypeOf(int buffer) const { return kernel_.buffers[static_cast<size_t>(buffer)].dtype; }

  /// \p name, or \p name with a number when a stage has it already.
  std::string stageName(const std::string &name);
  void add(tensor::TensorOp stage) { kernel_.stages.push_back(std::move(stage)); }
  bool empty() const { return kernel_.stages.empty(); }

  /// The kernel with its buffers in order: inputs by first use, parameters, outputs, temporaries.
  PlanKernel finish(std::string name);

 private:
  std::string bufferName(const std::string &name);

  tensor::Kernel kernel_;
  std::vector<int> planBuffers_;  // per buffer; -1 for temporaries
  std::map<std::pair<int, std::vector<int64_t>>, int> arguments_;
  std::set<std::string> bufferNames_, stageNames_;
};

/// One stage while its body is written.
class Stage {
 public:
  Stage(KernelAssembler &kernel, const std::string &name, std::vector<tensor::Dim> dims);

  /// Appends a reduction dim; its index.
  tensor::Index reduce(std::string name, int64_t extent);
  /// Turns all dims from \p first on into reduction dims.
  void reduceFrom(size_t first);
  tensor::Index dim(size_t position) const { return tensor::dim(static_cast<int>(position)); }
  tensor::Scalar read(int buffer, const Indices &indices, std::optional<double> outside = std::nullopt);

  /// Adds the stage to the kernel. Without reduction dims there is no combiner.
  void finish(tensor::Scalar body, tensor::CombinerKind combiner, int buffer, Indices indices);
  /// The same for any combiner and any number of results.
  void finish(std::vector<tensor::Scalar> body, tensor::Combiner combiner, std::vector<tensor::Access> writes);

  const std::vector<tensor::Dim> &dims() const { return op_.dims; }
  const std::string &name() const { return op_.name; }
  KernelAssembler &kernel() { return *kernel_; }

 private:
  KernelAssembler *kernel_;
  tensor::TensorOp op_;
  std::map<std::string, int> reads_;
};

}  // namespace hone::plan
