#include "tests/frontend/compiled_node.h"

#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "compiler/base/status.h"
#include "compiler/codegen/codegen.h"
#include "compiler/frontend/onnx/import.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/pipeline.h"
#include "compiler/plan/plan.h"
#include "compiler/schedule/schedule.h"
#include "tests/plan/plan_runner.h"
#include "tests/support/execute.h"

namespace hone::test {

Array Array::random(std::vector<int64_t> extents, testing::Random &random, DType type) {
  Array result(std::move(extents), type);
  for (double &value : result.values) value = static_cast<double>(random.between(-64, 64)) / 64;
  return result;
}

double &Array::at(const std::vector<int64_t> &index) {
  int64_t position = 0;
  for (size_t d = 0; d < shape.size(); ++d) position = position * shape[d] + index[d];
  return values.at(static_cast<size_t>(position));
}

void forEachIndex(const std::vector<int64_t> &shape, const std::function<void(const std::vector<int64_t> &)> &visit) {
  std::vector<int64_t> index(shape.size(), 0);
  for (;;) {
    visit(index);
    size_t d = shape.size();
    while (d-- > 0 && ++index[d] == shape[d]) index[d] = 0;
    if (d == static_cast<size_t>(-1)) return;
  }
}

CompiledNode::CompiledNode(int64_t opset, const std::string &op, const std::vector<Array> &inputs, int outputs)
    : model_(opset) {
  std::vector<std::string> operands, results;
  for (const Array &input : inputs) {
    if (input.values.empty()) {
      operands.emplace_back();
      continue;
    }
    operands.emplace_back(1, static_cast<char>('a' + operands.size()));
    model_.input(operands.back(), input.dtype, input.shape);
    inputs_.push_back(input);
    names_.push_back(operands.back());
  }
  for (int i = 0; i < outputs; ++i) {
    results.push_back(absl::StrCat("y", i));
    model_.output(results.back());
  }
  node_ = &model_.node(op, operands, results);
}

CompiledNode &CompiledNode::constant(const std::string &name, const std::vector<int64_t> &values) {
  model_.integers(name, values);
  node_->add_input(name);
  return *this;
}

CompiledNode &CompiledNode::constant(const std::string &name, const std::vector<float> &values) {
  model_.floats(name, {static_cast<int64_t>(values.size())}, values);
  node_->add_input(name);
  return *this;
}

CompiledNode &CompiledNode::fixed(int position) {
  const std::string name = node_->input(position);
  for (size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] != name) continue;
    std::vector<float> values(inputs_[i].values.begin(), inputs_[i].values.end());
    model_.floats(name, inputs_[i].shape, values);
    model_.model.mutable_graph()->mutable_input()->DeleteSubrange(static_cast<int>(i), 1);
    inputs_.erase(inputs_.begin() + static_cast<std::ptrdiff_t>(i));
    names_.erase(names_.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  return *this;
}

CompiledNode &CompiledNode::with(const std::string &attribute, const std::vector<std::string> &texts) {
  onnx::AttributeProto *proto = node_->add_attribute();
  proto->set_name(attribute);
  proto->set_type(onnx::AttributeProto::STRINGS);
  for (const std::string &text : texts) proto->add_strings(text);
  return *this;
}

absl::StatusOr<std::vector<tensor::HostTensor>> CompiledNode::run() const {
  std::vector<tensor::HostTensor> inputs;
  for (const Array &input : inputs_) {
    const graph::Constant constant = graph::makeConstant({input.dtype, input.shape}, input.values);
    inputs.push_back({input.dtype, input.shape, constant->bytes});
  }
  HONE_ASSIGN_OR_RETURN(graph::Graph graph, frontend::importModel(model_.bytes(), {}));
  HONE_RETURN_IF_ERROR(graph::runPasses(graph, {}).status());
  HONE_ASSIGN_OR_RETURN(const TargetDescription target, codegen::parseTarget("llvm"));
  HONE_ASSIGN_OR_RETURN(const plan::Plan plan, plan::makePlan(graph, target));
  return plan::runPlan(plan, inputs, [&](const tensor::Kernel &kernel, const auto &arguments) {
    return testing::execute(kernel, schedule::defaultSchedule(kernel, target), target, arguments, 3);
  });
}

void CompiledNode::gives(const std::vector<Array> &expected, double tolerance) const {
  const absl::StatusOr<std::vector<tensor::HostTensor>> outputs = run();
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const tensor::HostTensor &got = (*outputs)[i];
    EXPECT_EQ(got.dtype, expected[i].dtype);
    ASSERT_EQ(got.shape, expected[i].shape);
    for (int64_t k = 0; k < got.elements(); ++k) {
      const double e = expected[i].values[static_cast<size_t>(k)], g = got.real(k);
      if (std::isnan(e) && std::isnan(g)) continue;
      ASSERT_NEAR(g, e, isFloat(got.dtype) ? tolerance * (1 + std::fabs(e)) : 0) << "output " << i << ", element " << k;
    }
  }
}

}  // namespace hone::test
