#include "absl/strings/str_cat.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

Kernel canonical(const Kernel &kernel) {
  Kernel result = kernel;
  result.name = std::string("k");
  for (size_t b = 0; b < result.buffers.size(); ++b) result.buffers[b].name = absl::StrCat("b", b);
  for (size_t s = 0; s < result.stages.size(); ++s) {
    TensorOp &stage = result.stages[s];
    stage.name = absl::StrCat("s", s);
    for (size_t d = 0; d < stage.dims.size(); ++d) stage.dims[d].name = absl::StrCat("d", d);
  }
  return result;
}

}  // namespace hone::tensor
