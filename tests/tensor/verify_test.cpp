// verify() accepts the examples (support_test) and rejects every kind of malformed kernel: one case per rule, each
// made from a good kernel by one change.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "tests/support/example_kernels.h"
#include "tests/support/kernel_builder.h"

namespace hone::tensor {
namespace {

using namespace testing;

struct Case {
  const char *name;
  Kernel kernel;  // before the change
  std::function<void(Kernel &)> change;
  const char *error;  // a part of the message
};

Index rawIndex(IndexNode node) { return std::make_shared<const IndexNode>(std::move(node)); }
Scalar rawScalar(ScalarNode node) { return std::make_shared<const ScalarNode>(std::move(node)); }

Scalar rawApply(ScalarOp op, DType dtype, std::vector<Scalar> args) {
  ScalarNode node{};
  node.kind = ScalarKind::Apply;
  node.dtype = dtype;
  node.op = op;
  node.args = std::move(args);
  return rawScalar(std::move(node));
}

void setBody(Kernel &kernel, const Scalar &body) { kernel.stages[0].body[0] = body; }
void setIndex(Kernel &kernel, const Index &index) { kernel.stages[0].reads[0].indices[0] = index; }

// Buffers of the elementwise kernel: 0 x f32[4,6], 1 k i32[4], 2 out f32[4,6]; read 0 is x, read 1 is k.
Kernel elementwise() {
  KernelBuilder b("elementwise");
  const int x = b.input("x", {4, 6}), k = b.input("k", {4}, DType::I32), out = b.output("out", {4, 6});
  b.begin("s", {parallel("p", 4), parallel("q", 6)});
  const Scalar first = b.get(x, {dim(0), dim(1)}), second = b.get(k, {dim(0)});
  b.put(first * cast(DType::F32, second), out, {dim(0), dim(1)});
  return b.finish();
}

std::vector<Case> bufferCases() {
  return {
      {"buffer name", elementwise(), [](Kernel &k) { k.buffers[0].name = "a b"; }, "buffer name 'a b'"},
      {"buffer names", elementwise(), [](Kernel &k) { k.buffers[0].name = "out"; }, "two buffers are named 'out'"},
      {"buffer extent", elementwise(), [](Kernel &k) { k.buffers[1].shape[0] = 0; }, "buffer 'k' has extent 0"},
      {"layout dim", elementwise(), [](Kernel &k) { k.buffers[1].layout.axes[0].dim = 1; }, "names dim 1"},
      {"layout axis", elementwise(), [](Kernel &k) { k.buffers[1].layout.axes[0].extent = 0; }, "axis of extent 0"},
      {"layout missing dim", elementwise(), [](Kernel &k) { k.buffers[0].layout.axes.pop_back(); },
       "no axis for dim 1"},
      {"layout nesting", elementwise(), [](Kernel &k) { k.buffers[0].layout.axes[0].divisor = 2; }, "has divisor 2"},
      {"layout inner axis", elementwise(), [](Kernel &k) { k.buffers[1].layout.axes = {{0, 1, 4}, {0, 1, 1}}; },
       "inner axis of extent 1"},
      {"layout extent", elementwise(), [](Kernel &k) { k.buffers[1].layout.axes[0].extent = 5; },
       "has extent 5, but 4"},
      {"stage name", elementwise(), [](Kernel &k) { k.stages[0].name = ""; }, "stage name ''"},
      {"stage names", softmax(2, 3), [](Kernel &k) { k.stages[1].name = "mx"; }, "two stages are named 'mx'"},
      {"dim name", elementwise(), [](Kernel &k) { k.stages[0].dims[0].name = "p-"; }, "dim name 'p-'"},
      {"dim names", elementwise(), [](Kernel &k) { k.stages[0].dims[0].name = "q"; }, "two dims are named 'q'"},
      {"dim extent", elementwise(), [](Kernel &k) { k.stages[0].dims[0].extent = -1; }, "dim 'p' has extent -1"},
      {"dim order", softmax(2, 3), [](Kernel &k) { std::swap(k.stages[0].dims[0], k.stages[0].dims[1]); },
       "dim 'r' is out of order"},
  };
}

std::vector<Case> indexCases() {
  IndexNode product;
  product.kind = IndexKind::Mul;
  product.args = {dim(0), dim(1)};
  IndexNode lonely;
  lonely.kind = IndexKind::Add;
  lonely.args = {dim(0)};
  IndexNode divided;
  divided.kind = IndexKind::FloorDiv;
  divided.args = {dim(0)};
  IndexNode clamped;
  clamped.kind = IndexKind::Clamp;
  clamped.args = {dim(0)};
  clamped.low = 2, clamped.high = 1;
  const auto with = [](const Index &index) { return [=](Kernel &k) { setIndex(k, index); }; };
  return {
      {"buffer of a read", elementwise(), [](Kernel &k) { k.stages[0].reads[0].buffer = 9; },
       "buffer 9 does not exist"},
      {"count of indices", elementwise(), [](Kernel &k) { k.stages[0].reads[0].indices.pop_back(); },
       "indexed by 1 expressions, but has 2 dims"},
      {"null index", elementwise(), with(nullptr), "an index is null"},
      {"unknown dim", elementwise(), with(dim(2)), "names dim 2, but the stage has 2"},
      {"operands", elementwise(), with(rawIndex(lonely)), "has 1 operands, not 2"},
      {"product of dims", elementwise(), with(rawIndex(product)), "multiplies two expressions"},
      {"divisor", elementwise(), with(rawIndex(divided)), "divides by 0"},
      {"empty clamp", elementwise(), with(rawIndex(clamped)), "between 2 and 1, an empty range"},
      {"load from nowhere", elementwise(), with(load(7, {dim(0)})), "loaded from buffer 7"},
      {"load of floats", elementwise(), with(load(0, {dim(0), dim(1)})), "loaded from 'x' of type f32"},
      {"indices of a load", elementwise(), with(load(1, {dim(0), dim(1)})), "'k' is indexed by 2 expressions"},
      {"outside", elementwise(), with(dim(0) + 1), "spans 1 to 4, but the extent is 4"},
      {"outside below", elementwise(), with(dim(0) - 1), "spans -1 to 2, but the extent is 4"},
      {"unclamped load", elementwise(), with(load(1, {dim(0)})), "give a value for outside, or clamp it"},
      {"outside by trying", elementwise(), with(mod(dim(0) * 3, 7)), "but the extent is 4"},
  };
}

std::vector<Case> outsideCases() {
  const auto with = [](DType dtype, double value) {
    return [=](Kernel &k) {
      k.buffers[1].dtype = dtype;
      k.stages[0].reads[1].outside = value;
    };
  };
  return {
      {"fraction", elementwise(), with(DType::I32, 0.5),
       "read 1: the value outside of 'k' is 0.5, which i32 cannot hold; use a whole number in its range"},
      {"beyond i32", elementwise(), with(DType::I32, 0x1p31), "'k' is 2.14748e+09, which i32 cannot hold"},
      {"below i8", elementwise(), with(DType::I8, -129), "'k' is -129, which i8 cannot hold"},
      {"beyond i64", elementwise(), with(DType::I64, 0x1p63), "which i64 cannot hold"},
      {"beyond u64", elementwise(), with(DType::U64, 0x1p64), "which u64 cannot hold"},
      {"below u16", elementwise(), with(DType::U16, -1), "'k' is -1, which u16 cannot hold"},
      {"infinity", elementwise(), with(DType::I32, -std::numeric_limits<double>::infinity()),
       "'k' is -inf, which i32 cannot hold"},
      {"no number", elementwise(), with(DType::I32, std::numeric_limits<double>::quiet_NaN()),
       "'k' is nan, which i32 cannot hold"},
      {"no bool", elementwise(), with(DType::Bool, 2), "'k' is 2, which bool cannot hold"},
  };
}

std::vector<Case> bodyCases() {
  const Scalar x = read(0, DType::F32), k = read(1, DType::I32);
  const auto with = [](const Scalar &body) { return [=](Kernel &kernel) { setBody(kernel, body); }; };
  ScalarNode badIndex = *indexValue(dim(0));
  badIndex.dtype = DType::F32;
  ScalarNode badCast = *cast(DType::F64, x);
  badCast.args.push_back(x);
  return {
      {"empty body", elementwise(), [](Kernel &kernel) { kernel.stages[0].body.clear(); }, "the body is empty"},
      {"writes", elementwise(), [](Kernel &kernel) { kernel.stages[0].writes.clear(); }, "1 elements, but 0 writes"},
      {"null", elementwise(), with(nullptr), "an expression is null"},
      {"unknown read", elementwise(), with(read(2, DType::F32)), "uses read 2 of 2"},
      {"dtype of a read", elementwise(), with(read(0, DType::F64)), "used as f64, but 'x' holds f32"},
      {"index value", elementwise(), with(rawScalar(badIndex)), "must be i64"},
      {"dim of an index value", elementwise(), with(indexValue(dim(5))), "names dim 5"},
      {"accumulator", elementwise(), with(accumulator(0, DType::F32)), "uses accumulator 0, which only a combiner may"},
      {"element", elementwise(), with(element(0, DType::F32)), "uses element 0, which only a combiner may"},
      {"cast", elementwise(), with(rawScalar(badCast)), "a cast has 2 operands"},
      {"bits of another width", elementwise(), with(cast(DType::F32, bits(DType::I64, x))),
       "the bits of f32 are read as i64; both must be equally wide"},
      {"bits of a bool", elementwise(), with(cast(DType::F32, bits(DType::U8, equal(x, x)))), "are read as u8"},
      {"arity", elementwise(), with(rawApply(ScalarOp::Add, DType::F32, {x})), "'add' has 1 operands, not 2"},
      {"mixed operands", elementwise(), with(rawApply(ScalarOp::Add, DType::F32, {x, k})),
       "operands of 'add' are f32 and i32"},
      {"result", elementwise(), with(rawApply(ScalarOp::Less, DType::F32, {x, x})), "'less' gives bool, not f32"},
      {"condition", elementwise(), with(rawApply(ScalarOp::Select, DType::F32, {x, x, x})),
       "condition of 'select' must be bool"},
      {"integer root", elementwise(), with(apply(ScalarOp::Sqrt, {k})), "'sqrt' does not take i32"},
      {"float bits", elementwise(), with(apply(ScalarOp::BitAnd, {x, x})), "'bitand' does not take f32"},
      {"float logic", elementwise(), with(apply(ScalarOp::Not, {x})), "'not' does not take f32"},
      {"bool sum", elementwise(), with(apply(ScalarOp::Add, {less(x, x), less(x, x)})), "'add' does not take bool"},
  };
}

std::vector<Case> combinerCases() {
  const auto combiner = [](Kernel &k) -> Combiner & { return k.stages[0].combiner; };
  return {
      {"missing combiner", softmax(2, 3), [=](Kernel &k) { combiner(k).kind = CombinerKind::None; }, "no combiner"},
      {"needless combiner", elementwise(), [=](Kernel &k) { combiner(k).kind = CombinerKind::Sum; },
       "no reduction dim"},
      {"expressions", softmax(2, 3), [=](Kernel &k) { combiner(k).identity = {f32(0)}; }, "only custom combiners"},
      {"bool sums", integerReductions(2, 3), [](Kernel &k) { k.stages[2].combiner.kind = CombinerKind::Sum; },
       "bool has no sums"},
      {"count", argmax(2, 3), [=](Kernel &k) { combiner(k).combine.pop_back(); }, "1 expressions and 2 identities"},
      {"identity", argmax(2, 3), [=](Kernel &k) { combiner(k).identity[0] = accumulator(0, DType::F32); },
       "identity 0 must be a constant"},
      {"type", argmax(2, 3), [=](Kernel &k) { combiner(k).identity[1] = number(0, DType::I32); },
       "element 1 must be i64"},
      {"read", argmax(2, 3), [=](Kernel &k) { combiner(k).combine[0] = read(0, DType::F32); },
       "a combiner reads a buffer"},
      {"index", argmax(2, 3), [=](Kernel &k) { combiner(k).combine[1] = indexValue(dim(0)); },
       "a combiner uses an index"},
      {"position", argmax(2, 3), [=](Kernel &k) { combiner(k).combine[1] = element(2, DType::I64); },
       "uses element 2 of 2"},
      {"element type", argmax(2, 3), [=](Kernel &k) { combiner(k).combine[0] = element(1, DType::F32); },
       "element 1 is used as f32"},
  };
}

std::vector<Case> kernelCases() {
  return {
      {"buffer of a write", elementwise(), [](Kernel &k) { k.stages[0].writes[0].buffer = -1; },
       "buffer -1 does not exist"},
      {"written input", elementwise(), [](Kernel &k) { k.stages[0].writes[0].buffer = 0; }, "only read"},
      {"write outside", elementwise(), [](Kernel &k) { k.stages[0].writes[0].outside = 0; }, "only reads have a value"},
      {"reduction in a write", matmul(1, 2, 2, 2),
       [](Kernel &k) { k.stages[0].writes[0].indices[1] = dim(1) + dim(3); }, "reduction dim 'k' is in an index"},
      {"same element", elementwise(), [](Kernel &k) { k.stages[0].writes[0].indices[1] = constant(0); },
       "parallel dim 'q' is in no index"},
      {"order", softmax(2, 3), [](Kernel &k) { std::swap(k.stages[1], k.stages[2]); },
       "'s' reads 'e', which no earlier"},
      {"loaded before written", argmax(2, 3),
       [](Kernel &k) { k.stages[0].reads[0].indices[1] = clamp(load(1, {dim(0)}), 0, 2); },
       "reads 'index', which no earlier"},
      {"own result", softmax(2, 3), [](Kernel &k) { k.stages[1].reads.push_back({2, {dim(0), dim(1)}, std::nullopt}); },
       "'e' reads 'e'"},
      {"written after read", softmax(2, 3),
       [](Kernel &k) { k.stages[3].writes.push_back({2, {dim(0), dim(1)}, {}}), k.stages[3].body.push_back(f32(0)); },
       "writes 'e' after it was read"},
      {"unwritten output", softmax(2, 3), [](Kernel &k) { k.stages.pop_back(); }, "no stage writes output 'out'"},
      {"scan extents", lstm(3, 1, 2, 2), [](Kernel &k) { k.stages[2].dims[0].extent = 2; },
       "scan dims must be the same"},
      {"scan in pieces", lstm(3, 1, 2, 2), [](Kernel &k) { k.stages[2].dims[0].kind = DimKind::Parallel; },
       "must follow one another"},
  };
}

TEST(Verify, RejectsWhatIsMalformed) {
  size_t count = 0;
  for (const auto &cases : {bufferCases(), indexCases(), outsideCases(), bodyCases(), combinerCases(), kernelCases()}) {
    for (const Case &test : cases) {
      SCOPED_TRACE(test.name);
      ASSERT_EQ(verify(test.kernel), "");
      Kernel changed = test.kernel;
      test.change(changed);
      const std::string error = verify(changed);
      EXPECT_NE(error.find(test.error), std::string::npos) << "the error is: '" << error << "'";
      ++count;
    }
  }
  EXPECT_GT(count, 60u);
}

TEST(Verify, AcceptsIndicesThatOnlyTryingProves) {
  // Interval arithmetic sees up to 6 * 9 + 6 = 60 of 55.
  KernelBuilder b("k");
  const int x = b.input("x", {55}), out = b.output("out", {55});
  b.begin("s", {parallel("p", 55)});
  b.put(b.get(x, {floorDiv(dim(0), 9) * 9 + mod(dim(0), 9)}), out, {dim(0)});
  EXPECT_EQ(verify(b.finish()), "");
}

}  // namespace
}  // namespace hone::tensor
