#include "tests/plan/plan_runner.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/graph/evaluate_graph.h"
#include "compiler/tensor/interpreter.h"
#include "compiler/tensor/rewrite.h"

namespace hone::plan {
namespace {

using tensor::HostTensor;

constexpr char kGarbage = static_cast<char>(0xff);  // NaN as a float, -1 as an integer

class Runner {
 public:
  Runner(const Plan &plan, const KernelRunner &run)
      : plan_(plan), run_(run), arena_(static_cast<size_t>(plan.arenaBytes), kGarbage) {
    memory_.resize(plan.buffers.size());
    for (size_t i = 0; i < plan.buffers.size(); ++i) {
      const PlanBuffer &buffer = plan.buffers[i];
      if (buffer.place != Place::Arena) memory_[i].assign(static_cast<size_t>(buffer.bytes), kGarbage);
      if (buffer.place != Place::Parameter) continue;
      memory_[i].assign(static_cast<size_t>(buffer.bytes), 0);
      scatter({buffer.dtype, buffer.shape, buffer.constant->bytes.copy()}, buffer.layout, memory_[i].data());
    }
  }

  absl::StatusOr<std::vector<HostTensor>> run(const std::vector<HostTensor> &inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) memory_[static_cast<size_t>(plan_.inputs[i])] = inputs[i].bytes;
    HONE_RETURN_IF_ERROR(runKernels(0, plan_.kernels.size(), 0));
    std::vector<HostTensor> outputs;
    for (int output : plan_.outputs) {
      const PlanBuffer &buffer = plan_.buffers[static_cast<size_t>(output)];
      outputs.push_back({buffer.dtype, buffer.shape, memory_[static_cast<size_t>(output)]});
    }
    return outputs;
  }

 private:
  bool hold(const std::vector<PlanCondition> &conditions) {
    return std::all_of(conditions.begin(), conditions.end(), [&](const PlanCondition &condition) {
      return (*bytesOf(condition.buffer) != 0) == condition.isTrue;
    });
  }

  /// The loops from \p loop on are those that begin at \p first or behind it, and are not the one around.
  absl::Status runKernels(size_t first, size_t end, size_t loop) {
    for (size_t k = first; k < end;) {
      while (loop < plan_.loops.size() && plan_.loops[loop].first < k) ++loop;
      if (loop == plan_.loops.size() || plan_.loops[loop].first != k) {
        if (hold(plan_.kernels[k].conditions)) HONE_RETURN_IF_ERROR(runKernel(plan_.kernels[k]));
        ++k;
        continue;
      }
      const PlanLoop &repeated = plan_.loops[loop];
      for (bool runs = hold(repeated.conditions); runs && *bytesOf(repeated.condition) != 0;) {
        HONE_RETURN_IF_ERROR(runKernels(k, k + repeated.count, loop + 1));
      }
      k += repeated.count;
    }
    return absl::OkStatus();
  }

  static bool next(std::vector<int64_t> &index, const std::vector<int64_t> &shape) {
    for (size_t d = shape.size(); d-- > 0;) {
      if (++index[d] < shape[d]) return true;
      index[d] = 0;
    }
    return false;
  }

  static void scatter(const HostTensor &from, const tensor::Layout &layout, char *to) {
    const auto size = static_cast<size_t>(sizeOf(from.dtype));
    std::vector<int64_t> index(from.shape.size(), 0);
    const char *element = from.bytes.data();
    do {
      std::memcpy(to + static_cast<size_t>(layout.offset(index)) * size, element, size);
      element += size;
    } while (next(index, from.shape));
  }

  static HostTensor gather(const tensor::Buffer &buffer, const char *from) {
    const auto size = static_cast<size_t>(sizeOf(buffer.dtype));
    HostTensor result = HostTensor::zeros(buffer.dtype, buffer.shape);
    std::vector<int64_t> index(buffer.shape.size(), 0);
    char *element = result.bytes.data();
    do {
      std::memcpy(element, from + static_cast<size_t>(buffer.layout.offset(index)) * size, size);
      element += size;
    } while (next(index, buffer.shape));
    return result;
  }

  char *bytesOf(int buffer) {
    const PlanBuffer &b = plan_.buffers[static_cast<size_t>(buffer)];
    return b.place == Place::Arena ? arena_.data() + b.offset : memory_[static_cast<size_t>(buffer)].data();
  }

  /// Whether the kernel computes places that the stage writes to.
  static bool computesPlaces(const tensor::Kernel &kernel, const tensor::TensorOp &stage) {
    bool result = false;
    for (const tensor::Access &write : stage.writes) {
      for (const tensor::Index &index : write.indices) {
        tensor::visit(index, [&](const tensor::IndexNode &n) {
          result |= n.kind == tensor::IndexKind::Load &&
                    kernel.buffers[static_cast<size_t>(n.buffer)].role == tensor::BufferRole::Temporary;
        });
      }
    }
    return result;
  }

  /// Per output buffer: NaN for the elements that no stage writes. Where places are computed, all count as written.
  static absl::StatusOr<std::vector<HostTensor>> writtenElements(const tensor::Kernel &kernel,
                                                                 const std::vector<HostTensor> &arguments) {
    tensor::Kernel marks = kernel;
    for (tensor::Buffer &buffer : marks.buffers) {
      if (buffer.role == tensor::BufferRole::Output) buffer.dtype = DType::F32;
    }
    for (tensor::TensorOp &stage : marks.stages) {
      std::erase_if(stage.dims, [](const tensor::Dim &dim) { return dim.kind == tensor::DimKind::Reduction; });
      stage.reads.clear();
      stage.combiner = {};
      for (size_t i = 0; i < stage.body.size(); ++i) stage.body[i] = tensor::number(1, stage.body[i]->dtype);
      if (!computesPlaces(marks, stage)) continue;
      std::vector<HostTensor> all;
      for (const tensor::Buffer &buffer : marks.buffers) {
        if (buffer.role == tensor::BufferRole::Output) all.push_back(HostTensor::zeros(DType::F32, buffer.shape));
      }
      return all;
    }
    return tensor::interpret(marks, arguments);
  }

  absl::Status runKernel(const PlanKernel &planned) {
    std::vector<HostTensor> arguments;
    std::vector<std::pair<const tensor::Buffer *, int>> outputs;
    size_t position = 0;
    for (const tensor::Buffer &buffer : planned.kernel.buffers) {
      if (buffer.role == tensor::BufferRole::Temporary) continue;
      const int argument = planned.arguments.at(position++);
      const PlanBuffer &b = plan_.buffers[static_cast<size_t>(argument)];
      const bool isParameter = buffer.role == tensor::BufferRole::Parameter;
      if (isParameter != (b.place == Place::Parameter) || buffer.dtype != b.dtype ||
          buffer.layout.elements() * sizeOf(b.dtype) != b.bytes) {
        return absl::InternalError(absl::StrCat("buffer '", buffer.name, "' does not fit its plan buffer"));
      }
      if (buffer.role == tensor::BufferRole::Output) {
        if (b.place == Place::Input) return absl::InternalError("an input is written");
        outputs.emplace_back(&buffer, argument);
      } else {
        arguments.push_back(gather(buffer, bytesOf(argument)));
      }
    }
    HONE_ASSIGN_OR_RETURN(std::vector<HostTensor> results, run_(planned.kernel, arguments));
    HONE_ASSIGN_OR_RETURN(std::vector<HostTensor> written, writtenElements(planned.kernel, arguments));
    for (size_t i = 0; i < results.size(); ++i) {
      char *to = bytesOf(outputs[i].second);
      // What this kernel leaves alone may be another one's part of the buffer.
      const HostTensor before = gather(*outputs[i].first, to);
      const auto size = static_cast<size_t>(sizeOf(before.dtype));
      for (int64_t k = 0; k < before.elements(); ++k) {
        if (!std::isnan(written[i].real(k))) continue;
        std::memcpy(results[i].bytes.data() + static_cast<size_t>(k) * size,
                    before.bytes.data() + static_cast<size_t>(k) * size, size);
      }
      // Padding holds nothing that may be relied on.
      std::memset(to, kGarbage, static_cast<size_t>(plan_.buffers[static_cast<size_t>(outputs[i].second)].bytes));
      scatter(results[i], outputs[i].first->layout, to);
    }
    return absl::OkStatus();
  }

  const Plan &plan_;
  const KernelRunner &run_;
  std::vector<char> arena_;
  std::vector<std::vector<char>> memory_;
};

}  // namespace

absl::StatusOr<std::vector<HostTensor>> runPlan(const Plan &plan, const std::vector<HostTensor> &inputs,
                                                const KernelRunner &run) {
  const KernelRunner interpreter = tensor::interpret;
  return Runner(plan, run == nullptr ? interpreter : run).run(inputs);
}

absl::StatusOr<std::vector<HostTensor>> runGraph(const graph::Graph &graph, const std::vector<HostTensor> &inputs) {
  std::vector<graph::Constant> operands;
  for (const HostTensor &input : inputs) {
    operands.push_back(
        std::make_shared<const graph::ConstantData>(graph::ConstantData{{input.dtype, input.shape}, input.bytes}));
  }
  HONE_ASSIGN_OR_RETURN(const std::vector<graph::Constant> results, graph::evaluateOutputs(graph, operands));
  std::vector<HostTensor> outputs;
  for (const graph::Constant &value : results) {
    outputs.push_back({value->type.dtype, value->type.shape, value->bytes.copy()});
  }
  return outputs;
}

}  // namespace hone::plan
