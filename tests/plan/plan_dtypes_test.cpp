// Every core op that takes it, on every element type, planned and compiled by its default and by a random legal
// schedule, against the interpreter.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/estimate/least.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/infer.h"
#include "compiler/plan/plan.h"
#include "compiler/schedule/schedule.h"
#include "tests/support/effort.h"
#include "tests/support/execute.h"
#include "tests/support/random_schedule.h"

namespace hone::plan {
namespace {

using graph::Op;
using graph::Shape;
using graph::TensorType;
using graph::ValueId;

constexpr DType kAll[] = {DType::Bool, DType::I8,  DType::I16, DType::I32,  DType::I64, DType::U8, DType::U16,
                          DType::U32,  DType::U64, DType::F16, DType::BF16, DType::F32, DType::F64};

/// A graph that applies to operands of one dtype whatever takes them; each result is an output.
class Everything {
 public:
  explicit Everything(DType dtype) : dtype_(dtype) {
    graph_.name = "everything";
    image_ = input("image", {1, 6, 5, 9});
    other_ = input("other", {1, 6, 1, 9});
    matrix_ = input("matrix", {9, 7});
  }

  graph::Graph run() {
    for (int op = 0; op <= static_cast<int>(ScalarOp::LessEqual); ++op) addScalar(static_cast<ScalarOp>(op));
    for (DType to : kAll) {
      if (to != dtype_) add(Op::Cast, {image_}, {}, TensorType{to, shape(image_)});
    }
    addSelect();
    add(Op::Conv, {image_, weights({8, 3, 2, 3})}, graph::ConvAttributes{{1, 2}, {1, 1}, {1, 0, 1, 1}, 2});
    add(Op::MatMul, {image_, matrix_}, graph::MatMulAttributes{});
    for (auto kind : {graph::ReduceKind::Sum, graph::ReduceKind::Mean, graph::ReduceKind::Max, graph::ReduceKind::Min,
                      graph::ReduceKind::Product}) {
      add(Op::Reduce, {matrix_}, graph::ReduceAttributes{kind, {0}, false});
    }
    for (auto kind : {graph::PoolKind::Max, graph::PoolKind::Average}) {
      add(Op::Pool, {image_}, graph::PoolAttributes{kind, {2, 3}, {1, 2}, {1, 1}, {1, 0, 0, 1}, false});
    }
    add(Op::Softmax, {matrix_}, graph::AxisAttributes{1});
    add(Op::LogSoftmax, {matrix_}, graph::AxisAttributes{0});
    add(Op::LayerNorm, {matrix_, weights({7}), weights({7})}, graph::LayerNormAttributes{1, 1e-5});
    add(Op::Transpose, {image_}, graph::TransposeAttributes{{0, 3, 1, 2}});
    add(Op::Concat, {image_, image_}, graph::AxisAttributes{1});
    add(Op::Pad, {matrix_}, graph::PadAttributes{{1, 0, 0, 2}, graph::PadMode::Constant, 1});
    return std::move(graph_);
  }

 private:
  const Shape &shape(ValueId value) const { return graph_.values[static_cast<size_t>(value)].type.shape; }

  ValueId input(const std::string &name, Shape shape) {
    const ValueId value = graph_.addValue(name, {dtype_, std::move(shape)});
    graph_.inputs.push_back({name, value});
    return value;
  }

  ValueId weights(const Shape &shape) {
    const TensorType type{dtype_, shape};
    std::vector<int64_t> elements;
    for (int64_t i = 0; i < type.elements(); ++i) elements.push_back(1 + i % 3);
    return graph_.addConstant("", graph::makeConstant(type, elements));
  }

  /// Adds the node unless the op does not take these types; the value is an output.
  void add(Op op, const std::vector<ValueId> &inputs, const graph::Attributes &attributes,
           const std::optional<TensorType> &type = std::nullopt) {
    std::vector<TensorType> types;
    for (ValueId input : inputs) types.push_back(graph_.values[static_cast<size_t>(input)].type);
    if (!graph::inferType(op, attributes, types, type).ok()) return;
    const ValueId value = graph_.add(op, inputs, attributes, "", type);
    graph_.outputs.push_back({"y" + std::to_string(graph_.outputs.size()), value});
  }

  void addScalar(ScalarOp op) {
    std::vector<ValueId> operands = {image_};
    if (arity(op) == 2) operands.push_back(other_);
    add(Op::Elementwise, operands, graph::ElementwiseAttributes{op});
  }

  void addSelect() {
    const ValueId condition = graph_.addValue("condition", {DType::Bool, {6, 1, 9}});
    graph_.inputs.push_back({"condition", condition});
    add(Op::Elementwise, {condition, image_, other_}, graph::ElementwiseAttributes{ScalarOp::Select});
  }

  DType dtype_;
  graph::Graph graph_;
  ValueId image_, other_, matrix_;
};

class EveryDType : public ::testing::TestWithParam<DType> {};

TEST_P(EveryDType, AgreesWithInterpreter) {
  absl::StatusOr<TargetDescription> target = codegen::parseTarget("llvm");
  ASSERT_TRUE(target.ok()) << target.status();
  const uint64_t seed = testing::testSeed();
  const graph::Graph graph = Everything(GetParam()).run();
  ASSERT_TRUE(graph::verify(graph).ok()) << graph::verify(graph);
  absl::StatusOr<Plan> plan = makePlan(graph, *target);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_GE(graph.outputs.size(), 15U);
  for (const PlanKernel &planned : plan->kernels) {
    for (const schedule::Schedule &schedule :
         {estimate::leastSchedule(planned.kernel, *target), testing::randomSchedule(planned.kernel, *target, seed)}) {
      EXPECT_EQ(testing::checkAgainstInterpreter(planned.kernel, schedule, *target, seed), "") << planned.kernel.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryDType, ::testing::ValuesIn(kAll),
                         [](const auto &info) { return std::string(name(info.param)); });

}  // namespace
}  // namespace hone::plan
