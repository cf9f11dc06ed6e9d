#include <algorithm>
#include <string>

#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate.h"
#include "compiler/graph/passes.h"
#include "compiler/graph/rewriter.h"

namespace hone::graph {
namespace {

// A constant may be this big although its operands are smaller: nobody wants a broadcast of a gigabyte.
constexpr int64_t kMaximumBytes = 16 << 20;
// Folding is not made for speed: beyond this it would keep people waiting, and the node is compiled as any other.
constexpr double kMaximumSteps = 3e8;

int64_t bytesOf(const TensorType &type) { return type.elements() * sizeOf(type.dtype); }

bool worthFolding(const Rewriter &rewriter, const Node &node) {
  int64_t bytes = 0;
  std::vector<TensorType> types;
  for (ValueId input : node.inputs) {
    if (!rewriter.isConstant(input)) return false;
    types.push_back(rewriter.type(input));
    bytes += bytesOf(types.back());
  }
  const TensorType &type = rewriter.type(node.output);
  return bytesOf(type) <= std::max(kMaximumBytes, bytes) && evaluationSteps(node, types, type) <= kMaximumSteps;
}

}  // namespace

absl::Status foldConstants(Graph &graph) {
  absl::Status status;
  auto fold = [&](Rewriter &rewriter, const Node &node) -> std::optional<ValueId> {
    if (!worthFolding(rewriter, node)) return std::nullopt;
    std::vector<Constant> operands;
    for (ValueId input : node.inputs) operands.push_back(rewriter.constant(input));
    absl::StatusOr<Constant> result = evaluate(node, operands, rewriter.type(node.output));
    for (const Constant &operand : operands) operand->bytes.letGo();
    if (result.ok()) return rewriter.addConstant(*std::move(result));
    status.Update(result.status());
    return std::nullopt;
  };
  Rewriter(graph).run({fold});
  return status;
}

}  // namespace hone::graph
