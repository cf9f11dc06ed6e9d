// The text of a plan, for people and golden tests.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "compiler/plan/plan.h"

namespace hone::plan {
namespace {

std::string place(const PlanBuffer &buffer) {
  switch (buffer.place) {
    case Place::Input:
      return "input";
    case Place::Output:
      return "output";
    case Place::Arena:
      return absl::StrCat("arena at ", buffer.offset);
    case Place::Parameter:
      return "parameter";
  }
  return "";
}

std::string bufferText(const PlanBuffer &buffer) {
  std::string text = absl::StrCat(buffer.name, " : ", std::string(shortName(buffer.dtype)), "[",
                                  absl::StrJoin(buffer.shape, ","), "]");
  if (!buffer.layout.isRowMajor(buffer.shape)) absl::StrAppend(&text, " as ", buffer.layout.text());
  return absl::StrCat(text, "  ", place(buffer), ", ", buffer.bytes, " bytes");
}

std::string indented(const std::string &text) {
  std::string result;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    if (end > begin) absl::StrAppend(&result, "  ", text.substr(begin, end - begin), "\n");
    begin = end + 1;
  }
  return result;
}

}  // namespace

std::string print(const Plan &plan) {
  std::string text = absl::StrCat("arena ", plan.arenaBytes, " bytes\n");
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    absl::StrAppend(&text, "b", i, " ", bufferText(plan.buffers[i]), "\n");
  }
  const auto appendConditions = [&](const std::vector<PlanCondition> &conditions) {
    for (const PlanCondition &condition : conditions) {
      absl::StrAppend(&text, condition.isTrue ? " if b" : " unless b", condition.buffer);
    }
  };
  for (size_t k = 0; k < plan.kernels.size(); ++k) {
    const PlanKernel &kernel = plan.kernels[k];
    for (const PlanLoop &loop : plan.loops) {
      if (loop.first != k) continue;
      absl::StrAppend(&text, "\nloop over ", loop.count, loop.count == 1 ? " kernel" : " kernels", " while b",
                      loop.condition);
      appendConditions(loop.conditions);
      text += "\n";
    }
    absl::StrAppend(
        &text, "\n", kernel.kernel.name, "(",
        absl::StrJoin(kernel.arguments, ", ", [](std::string *out, int buffer) { absl::StrAppend(out, "b", buffer); }),
        ")");
    appendConditions(kernel.conditions);
    if (!kernel.nodes.empty()) absl::StrAppend(&text, " computes ", absl::StrJoin(kernel.nodes, ", "));
    absl::StrAppend(&text, "\n", indented(tensor::print(kernel.kernel)));
  }
  return text;
}

}  // namespace hone::plan
