// Compute nodes in the graph: what is refused, text, common subexpressions, folding.
#include <string>

#include "compiler/graph/infer.h"
#include "compiler/graph/passes.h"
#include "compiler/tensor/kernel_builder.h"
#include "tests/graph/builder.h"

namespace hone::graph {
namespace {

using tensor::dim;

/// y[i] = x[i] + z[n - 1 - i]
tensor::Kernel mirrored(int64_t n, const std::string &name = "mirrored") {
  tensor::KernelBuilder b(name);
  const int x = b.input("x", {n}), z = b.input("z", {n}), y = b.output("y", {n});
  b.begin(name, {tensor::parallel("i", n)});
  b.put(b.get(x, {dim(0)}) + b.get(z, {dim(0) * -1 + (n - 1)}), y, {dim(0)});
  return b.finish();
}

ComputeAttributes attributes(tensor::Kernel kernel) {
  return {std::make_shared<const tensor::Kernel>(std::move(kernel))};
}

std::string refusal(tensor::Kernel kernel, const std::vector<TensorType> &inputs) {
  absl::StatusOr<TensorType> type = inferType(Op::Compute, attributes(std::move(kernel)), inputs);
  return type.ok() ? "" : std::string(type.status().message());
}

const TensorType kRow{DType::F32, {4}};

TEST(Compute, RefusesWhatDoesNotFit) {
  EXPECT_EQ(refusal(mirrored(4), {kRow, kRow}), "");
  EXPECT_EQ(refusal(mirrored(4), {kRow}), "mirrored: operand 1 ('z') is missing");
  EXPECT_EQ(refusal(mirrored(4), {kRow, kRow, kRow}), "mirrored: takes 2 operands, has 3");
  EXPECT_EQ(refusal(mirrored(4), {kRow, {DType::F64, {4}}}), "mirrored: operand 1 ('z') is f64[4], not f32[4]");
  EXPECT_EQ(refusal(mirrored(4), {kRow, {DType::F32, {5}}}), "mirrored: operand 1 ('z') is f32[5], not f32[4]");
  EXPECT_EQ(inferType(Op::Compute, ComputeAttributes{}, {}).status().message(), "compute: its kernel is missing");
}

TEST(Compute, RefusesKernelsThatNodesCannotHave) {
  tensor::Kernel kernel = mirrored(4);
  kernel.buffers[1].role = tensor::BufferRole::Parameter;
  EXPECT_EQ(refusal(kernel, {kRow}),
            "mirrored: buffer 'z' is a parameter; make it an input, and the operand a constant");
  kernel = mirrored(4);
  kernel.buffers.push_back(kernel.buffers[2]);
  EXPECT_EQ(refusal(kernel, {kRow, kRow}), "mirrored: the kernel has more than one output");
  kernel = mirrored(4);
  kernel.buffers[2].role = tensor::BufferRole::Temporary;
  EXPECT_EQ(refusal(kernel, {kRow, kRow}), "mirrored: the kernel has no output");
  kernel = mirrored(4);
  kernel.stages[0].reads[1].indices[0] = dim(0) + 1;
  EXPECT_EQ(refusal(kernel, {kRow, kRow}),
            "mirrored: stage 'mirrored': read 1: index 0 of 'z' spans 1 to 4, but the extent is 4; give a value for "
            "outside, or clamp it");
}

TEST(Compute, PrintsInOneLine) {
  Builder b;
  ValueId x = b.input("x", {2}), z = b.input("z", {2});
  b.output(b.graph.add(Op::Compute, {x, z}, attributes(mirrored(2)), ""));
  EXPECT_EQ(print(b.graph),
            "graph test\n"
            "input %0 \"x\" : f32[2]\n"
            "input %1 \"z\" : f32[2]\n"
            "%2 = mirrored(%0, %1) {kernel mirrored; input x f32[2]; input z f32[2]; output y f32[2]; "
            "mirrored(i 2) : f32 = x[i] + z[-1 * i + 1] -> y[i]} : f32[2]\n"
            "output \"out\" = %2\n");
}

TEST(Compute, IsMergedWhateverItsPartsAreCalled) {
  Builder b;
  ValueId x = b.input("x", {4}), z = b.input("z", {4});
  ValueId first = b.graph.add(Op::Compute, {x, z}, attributes(mirrored(4)), "");
  ValueId same = b.graph.add(Op::Compute, {x, z}, attributes(mirrored(4, "other")), "");
  ValueId swapped = b.graph.add(Op::Compute, {z, x}, attributes(mirrored(4)), "");
  Graph &graph = b.output(b.add(b.add(first, same), swapped));
  ASSERT_TRUE(mergeCommonSubexpressions(graph).ok());
  ASSERT_EQ(graph.nodes.size(), 4U);
  EXPECT_EQ(graph.nodes[2].inputs, (std::vector<ValueId>{first, first}));
  EXPECT_EQ(graph.nodes[0].attributes, (Attributes{attributes(mirrored(4, "other"))}));
  EXPECT_NE(graph.nodes[0].attributes, (Attributes{attributes(mirrored(5))}));
}

TEST(Compute, FoldsOnConstants) {
  Builder b;
  ValueId x = b.constant("x", {3}, {1, 2, 3}), z = b.constant("z", {3}, {10, 20, 30});
  Graph &graph = b.output(b.graph.add(Op::Compute, {x, z}, attributes(mirrored(3)), ""));
  ASSERT_TRUE(foldConstants(graph).ok());
  ASSERT_TRUE(graph.nodes.empty());
  const Constant &folded = graph.values[static_cast<size_t>(graph.outputs[0].value)].constant;
  std::vector<double> elements(3);
  readElements(*folded, 0, 1, 3, elements.data());
  EXPECT_EQ(elements, (std::vector<double>{31, 22, 13}));
}

TEST(Compute, FoldsWhateverIndicesConstantsHold) {
  tensor::KernelBuilder kernel("pick");
  const int x = kernel.input("x", {3}), at = kernel.input("at", {2}, DType::I64), y = kernel.output("y", {2});
  kernel.begin("pick", {tensor::parallel("i", 2)});
  const tensor::Index far = tensor::load(at, {dim(0)}) * 3 + tensor::load(at, {dim(0)});
  kernel.put(kernel.get(x, {tensor::mod(tensor::load(at, {dim(0)}), 3)}) + kernel.get(x, {tensor::clamp(far, 0, 2)}), y,
             {dim(0)});
  Builder b;
  ValueId data = b.constant("x", {3}, {1, 2, 4});
  ValueId places =
      b.graph.addConstant("at", makeConstant({DType::I64, {2}}, std::vector<int64_t>{INT64_MIN, INT64_MAX}));
  Graph &graph = b.output(b.graph.add(Op::Compute, {data, places}, attributes(kernel.finish()), ""));
  ASSERT_TRUE(foldConstants(graph).ok());
  ASSERT_TRUE(graph.nodes.empty());
  std::vector<double> elements(2);
  readElements(*graph.values[static_cast<size_t>(graph.outputs[0].value)].constant, 0, 1, 2, elements.data());
  // -2^63 is 1 and 2^63 - 1 is 1 modulo 3; four times either wraps to 0 and to -4.
  EXPECT_EQ(elements, (std::vector<double>{2 + 1, 2 + 1}));
}

TEST(Compute, IsLeftToTheCompilerWhereInterpretingWouldTakeLong) {
  const int64_t n = 4 << 20;
  Builder b;
  ValueId x = b.graph.addConstant("x", makeFilled({DType::F32, {n}}, 1));
  Graph &graph = b.output(b.graph.add(Op::Compute, {x, x}, attributes(mirrored(n)), ""));
  ASSERT_TRUE(foldConstants(graph).ok());
  EXPECT_EQ(graph.nodes.size(), 1U);
}

}  // namespace
}  // namespace hone::graph
