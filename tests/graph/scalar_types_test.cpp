// Which dtypes the operations on elements take: graphs and kernels say the same, and order bools alike.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "compiler/graph/constants.h"
#include "compiler/graph/evaluate.h"
#include "compiler/graph/infer.h"
#include "compiler/tensor/host_tensor.h"
#include "compiler/tensor/interpreter.h"
#include "compiler/tensor/kernel_builder.h"

namespace hone::graph {
namespace {

constexpr DType kAll[] = {DType::Bool, DType::I8,  DType::I16, DType::I32,  DType::I64, DType::U8, DType::U16,
                          DType::U32,  DType::U64, DType::F16, DType::BF16, DType::F32, DType::F64};

std::vector<DType> operandsOf(ScalarOp op, DType dtype) {
  std::vector<DType> operands(static_cast<size_t>(arity(op)), dtype);
  if (op == ScalarOp::Select) operands[0] = DType::Bool;
  return operands;
}

absl::StatusOr<TensorType> inferred(ScalarOp op, const std::vector<DType> &operands) {
  std::vector<TensorType> inputs;
  for (const DType dtype : operands) inputs.push_back({dtype, {3}});
  return inferType(Op::Elementwise, ElementwiseAttributes{op}, inputs);
}

/// What verify() says of out[i] = op(in0[i], …).
std::string verified(ScalarOp op, const std::vector<DType> &operands, DType result) {
  tensor::Kernel kernel;
  const auto addBuffer = [&](std::string name, DType dtype, tensor::BufferRole role) {
    kernel.buffers.push_back({std::move(name), dtype, {3}, tensor::Layout::rowMajor({3}), role});
    return tensor::Access{static_cast<int>(kernel.buffers.size()) - 1, {tensor::dim(0)}, {}};
  };
  tensor::TensorOp stage{"s", {{"i", 3}}, {}, {}, {}, {}};
  std::vector<tensor::Scalar> reads;
  for (size_t i = 0; i < operands.size(); ++i) {
    stage.reads.push_back(addBuffer(absl::StrCat("in", i), operands[i], tensor::BufferRole::Input));
    reads.push_back(tensor::read(static_cast<int>(i), operands[i]));
  }
  stage.body = {tensor::apply(op, std::move(reads))};
  stage.writes = {addBuffer("out", result, tensor::BufferRole::Output)};
  EXPECT_EQ(stage.body[0]->dtype, result) << name(op);
  kernel.stages = {std::move(stage)};
  return tensor::verify(kernel);
}

TEST(ScalarTypes, AreTheSameInGraphsAndKernels) {
  for (size_t i = 0; i < kScalarOps; ++i) {
    const auto op = static_cast<ScalarOp>(i);
    for (const DType dtype : kAll) {
      const std::vector<DType> operands = operandsOf(op, dtype);
      const absl::StatusOr<TensorType> type = inferred(op, operands);
      const DType result = type.ok() ? type->dtype : isPredicate(op) ? DType::Bool : dtype;
      const std::string error = verified(op, operands, result);
      EXPECT_EQ(type.ok(), error.empty())
          << name(op) << " of " << name(dtype) << ": " << type.status() << "; " << error;
    }
  }
}

TEST(ScalarTypes, AreTheSameForEveryOperand) {
  for (size_t i = 0; i < kScalarOps; ++i) {
    const auto op = static_cast<ScalarOp>(i);
    if (arity(op) < 2) continue;
    std::vector<DType> operands = operandsOf(op, DType::F32);
    operands.back() = DType::F64;
    EXPECT_FALSE(inferred(op, operands).ok()) << name(op);
    EXPECT_NE(verified(op, operands, isPredicate(op) ? DType::Bool : DType::F32), "") << name(op);
  }
}

/// Written by hand: what operations on bools are there.
TEST(ScalarTypes, OfBools) {
  const std::set<std::string> expected = {"not", "and",  "or",        "xor",   "min",
                                          "max", "less", "lessequal", "equal", "select"};
  std::set<std::string> found;
  for (size_t i = 0; i < kScalarOps; ++i) {
    const auto op = static_cast<ScalarOp>(i);
    if (inferred(op, operandsOf(op, DType::Bool)).ok()) found.emplace(name(op));
  }
  EXPECT_EQ(found, expected);
}

TEST(ScalarTypes, OrderFalseBeforeTrue) {
  struct Table {
    ScalarOp op;
    std::vector<int64_t> expected;  // of (0, 0), (0, 1), (1, 0), (1, 1)
  };
  const Table tables[] = {{ScalarOp::Min, {0, 0, 0, 1}},
                          {ScalarOp::Max, {0, 1, 1, 1}},
                          {ScalarOp::Less, {0, 1, 0, 0}},
                          {ScalarOp::LessEqual, {1, 1, 0, 1}}};
  const std::vector<int64_t> left = {0, 0, 1, 1}, right = {0, 1, 0, 1};
  for (const Table &table : tables) {
    const TensorType type{DType::Bool, {4}};
    Node node;
    node.op = Op::Elementwise;
    node.attributes = ElementwiseAttributes{table.op};
    const auto evaluated = evaluate(node, {makeConstant(type, left), makeConstant(type, right)}, type);
    ASSERT_TRUE(evaluated.ok()) << evaluated.status();
    tensor::KernelBuilder build("k");
    const int a = build.input("a", {4}, DType::Bool), b = build.input("b", {4}, DType::Bool);
    const int out = build.output("out", {4}, DType::Bool);
    build.begin("s", {tensor::parallel("i", 4)});
    build.put(tensor::apply(table.op, {build.get(a, {tensor::dim(0)}), build.get(b, {tensor::dim(0)})}), out,
              {tensor::dim(0)});
    std::vector<tensor::HostTensor> arguments(2, tensor::HostTensor::zeros(DType::Bool, {4}));
    for (int64_t i = 0; i < 4; ++i) {
      arguments[0].setInteger(i, left[static_cast<size_t>(i)]);
      arguments[1].setInteger(i, right[static_cast<size_t>(i)]);
    }
    const auto interpreted = tensor::interpret(build.finish(), arguments);
    ASSERT_TRUE(interpreted.ok()) << interpreted.status();
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t expected = table.expected[static_cast<size_t>(i)];
      EXPECT_EQ(elementAsInteger(**evaluated, i), expected) << name(table.op) << " " << i;
      EXPECT_EQ((*interpreted)[0].integer(i), expected) << name(table.op) << " " << i;
    }
  }
}

}  // namespace
}  // namespace hone::graph
