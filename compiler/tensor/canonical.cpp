#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/tensor/rewrite.h"
#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {
namespace {

void addTerms(const Index &index, std::vector<Index> &terms) {
  if (index->kind != IndexKind::Add) return terms.push_back(index);
  for (const Index &arg : index->args) addTerms(arg, terms);
}

// a + (b + 3) and (a + 3) + b become (a + b) + 3.
Index inOneForm(const Index &index) {
  if (index->kind != IndexKind::Add) return index;
  std::vector<Index> terms;
  addTerms(index, terms);
  std::stable_partition(terms.begin(), terms.end(),
                        [](const Index &term) { return term->kind != IndexKind::Constant; });
  Index sum = terms.front();
  for (size_t i = 1; i < terms.size(); ++i) sum = sum + terms[i];
  return sum;
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
