#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/tensor/rewrite.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {
namespace {

struct Terms {
  std::vector<Index> varying;
  int64_t constant = 0;
};

void addTerms(const Index &index, Terms &terms) {
  if (index->kind == IndexKind::Constant) {
    terms.constant += index->value;
  } else if (index->kind == IndexKind::Add) {
    for (const Index &arg : index->args) addTerms(arg, terms);
  } else {
    terms.varying.push_back(index);
  }
}

// a + (b + 3) and (a + 3) + b become (a + b) + 3.
Index inOneForm(const Index &index) {
  if (index->kind != IndexKind::Add) return index;
  Terms terms;
  addTerms(index, terms);
  Index sum = constant(0);
  for (const Index &term : terms.varying) sum = sum + term;
  return sum + terms.constant;
}

}  // namespace

Kernel canonical(const Kernel &kernel) {
  Kernel result = kernel;
  result.name = std::string("k");
  for (size_t b = 0; b < result.buffers.size(); ++b) result.buffers[b].name = absl::StrCat("b", b);
  // Schedules ask which dims two stages share: those of one name keep one.
  std::map<std::string, std::string> names;
  for (size_t s = 0; s < result.stages.size(); ++s) {
    TensorOp &stage = result.stages[s];
    stage.name = absl::StrCat("s", s);
    transform(stage, inOneForm);
    orderReads(stage);
    for (Dim &dim : stage.dims) dim.name = names.try_emplace(dim.name, absl::StrCat("d", names.size())).first->second;
  }
  return result;
}

}  // namespace hone::tensor
