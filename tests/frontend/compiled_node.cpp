#include "tests/frontend/compiled_node.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/estimate/least.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/pipeline.h"
#include "compiler/plan/plan.h"
#include "compiler/schedule/schedule.h"
#include "tests/plan/plan_runner.h"
#include "tests/support/execute.h"

namespace hone::test {

CompiledNode &CompiledNode::fixed(int position) {
  const auto name = std::find(names_.begin(), names_.end(), node().input(position));
  const auto input = inputs_.begin() + (name - names_.begin());
  model.floats(*name, input->shape, {input->values.begin(), input->values.end()});
  model.model.mutable_graph()->mutable_input()->DeleteSubrange(static_cast<int>(name - names_.begin()), 1);
  inputs_.erase(input);
  names_.erase(name);
  return *this;
}

absl::StatusOr<std::vector<Array>> runCompiled(const std::string &model, const frontend::ImportOptions &options,
                                               const std::vector<Array> &arguments) {
  std::vector<tensor::HostTensor> inputs;
  for (const Array &input : arguments) inputs.push_back({input.dtype, input.shape, input.constant()->bytes.copy()});
  HONE_ASSIGN_OR_RETURN(graph::Graph graph, frontend::importModel(model, options));
  HONE_RETURN_IF_ERROR(graph::runPasses(graph, {}).status());
  HONE_ASSIGN_OR_RETURN(const TargetDescription target, codegen::parseTarget("llvm"));
  HONE_ASSIGN_OR_RETURN(const plan::Plan plan, plan::makePlan(graph, target));
  HONE_ASSIGN_OR_RETURN(const std::vector<tensor::HostTensor> outputs,
                        plan::runPlan(plan, inputs, [&](const tensor::Kernel &kernel, const auto &arguments) {
                          return testing::execute(kernel, estimate::leastSchedule(kernel, target), target, arguments,
                                                  3);
                        }));
  std::vector<Array> arrays;
  for (size_t o = 0; o < outputs.size() && !graph.outputs[o].isExtent; ++o) {
    const tensor::HostTensor &output = outputs[o];
    std::vector<int64_t> shape = output.shape;
    for (size_t dim = 0; dim < graph.outputs[o].extents.size(); ++dim) {
      const int extent = graph.outputs[o].extents[dim];
      if (extent >= 0) shape[dim] = outputs[static_cast<size_t>(extent)].integer(0);
    }
    Array &array = arrays.emplace_back(shape, output.dtype);
    for (size_t i = 0; i < array.values.size(); ++i) array.values[i] = output.real(static_cast<int64_t>(i));
  }
  return arrays;
}

absl::StatusOr<std::vector<Array>> CompiledNode::run() const { return runCompiled(model.bytes(), options_, inputs_); }

void CompiledNode::gives(const std::vector<Array> &expected, double tolerance) const {
  const absl::StatusOr<std::vector<Array>> outputs = run();
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("output ", i));
    const DType dtype = expected[i].dtype;
    const double least = dtype == DType::F16 ? 2e-3 : dtype == DType::BF16 ? 2e-2 : 0;
    expectArray((*outputs)[i], expected[i], std::max(tolerance, least));
  }
}

}  // namespace hone::test
