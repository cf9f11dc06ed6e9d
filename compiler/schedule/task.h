// A task: what there is to schedule, without the names that a model gave it. Two kernels of one task have the same
// schedules and the same code, in whichever model they stand; records are about tasks. A plain value.
//
//   kernel conv_12, its schedule  --Task::of-->  text, canonical schedule  --in another model-->  kernel conv_7
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/schedule/schedule.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::schedule {

class Task {
 public:
  /// Of a kernel that passes verify(): its dims in the order in which they are used, its names by position; layouts
  /// are part of it. INTERNAL: a defect, its text does not read back as the same kernel.
  static absl::StatusOr<Task> of(const tensor::Kernel &kernel);

  /// The canonical kernel, as parse() reads its text.
  const tensor::Kernel &kernel() const { return kernel_; }
  const std::string &text() const { return text_; }

  /// A schedule of the kernel in the names of the task, and back. Names that there are not stay as they are, for
  /// legal() to refuse.
  Schedule toTask(const Schedule &schedule) const;
  Schedule fromTask(const Schedule &schedule) const;

 private:
  /// From the names of one side to those of the other.
  struct Naming {
    tensor::Kernel from, to;
    std::map<std::string, std::string> stages, dims, buffers;
    std::map<std::string, std::vector<int>> bufferDims;  ///< by the buffer's name: the position of a dim there
  };
  static Schedule renamed(const Schedule &schedule, const Naming &naming);
  static std::string renamedAlgorithm(const std::string &algorithm, const Naming &naming);
  static std::string bufferOf(const std::string &buffer, const Naming &naming);
  static std::vector<int> dimsOf(const std::string &buffer, const std::string &algorithm, const Naming &naming);
  static std::vector<int> dimsOfTemporary(const std::string &buffer, const tensor::Kernel &kernel,
                                          const std::string &algorithm, const Naming &naming);

  tensor::Kernel kernel_;
  std::string text_;
  Naming toTask_, fromTask_;
};

}  // namespace hone::schedule
