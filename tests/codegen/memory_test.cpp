// Loads, stores, guards, masks, loops: small loop nests against the interpreter.
#include <gtest/gtest.h>

#include "tests/codegen/compare.h"
#include "tests/codegen/harness.h"
#include "tests/codegen/interpreter.h"

namespace hone::test {
namespace {

constexpr loop::Type kF32{DType::F32, 1};

class Memory : public ::testing::TestWithParam<int> {};

TEST_P(Memory, LoadsOfEveryStride) {
  int lanes = GetParam();
  IntExpr p = var(0, "p", 5), x = var(1, "x", 3), lane = var(9, "l", lanes);
  loop::Type vector{DType::F32, lanes};
  IntExpr out = (p * 3 + x) * lanes + lane;
  std::vector<std::pair<const char *, IntExpr>> offsets = {
      {"contiguous", p * 7 + x * 3 + lane},
      {"the same", p * 7 + x},
      {"stride 2", p + x + lane * 2},
      {"backwards", p + x + IntExpr(63) - lane},
      {"divided", loop::floorDiv(p + x * 3 + lane, 3)},
      {"divided with a negative dividend", loop::floorDiv(p + x - 4 + lane, 3) + 8},
      {"remainder", loop::mod(p * 5 + x + lane, 7)},
      {"remainder of a negative", loop::mod(p + x - 6 + lane * 3, 5)},
      {"least", loop::min(p + lane * 2, x + 5)},
      {"aligned division", loop::floorDiv(x * lanes + lane, lanes) + p},
      {"read from a buffer", loop::loadIndex(1, p * 3 + x, 0, 40) + lane},
      {"read from a buffer per lane", loop::loadIndex(1, p * 3 + x + lane, 2, 19)}};
  for (const auto &[what, offset] : offsets) {
    compare(kernelOf({{DType::F32, 128}, {DType::I32, 64}, {DType::F32, 15 * lanes}}, p, 5,
                     forLoop(x, 0, 3, {store(2, out, load(0, offset, vector, 9), 9)})),
            what);
  }
}

TEST_P(Memory, GuardsAndMasks) {
  int lanes = GetParam();
  IntExpr p = var(0, "p", 6), x = var(1, "x", 4), c = var(2, "c", 5), lane = var(9, "l", lanes);
  loop::Type vector{DType::F32, lanes};
  IntExpr out = ((p * 4 + x) * 5 + c) * lanes + lane;
  IntExpr in = (p * 4 + x - 3) * lanes + lane * 2 + c;
  ValuePtr plain = load(0, (p * 4 + x - 3) * lanes + c + lane, vector, 9);
  ValuePtr strided = load(0, in, vector, 9);
  ValuePtr same = load(0, p * 4 + x - 3, vector, 9);
  ValuePtr negative = constantValue(-5, vector);
  loop::Guard uniform{p * 4 + x, 3, 20};
  loop::Guard perLane{(p * 4 + x - 3) * lanes + lane * 2 + c, 5, 40};
  loop::Guard ofRange{x * lanes + lane, 2, 2 * lanes + 1};
  loop::Guard divided{loop::floorDiv(p + lane, 3), 1, 3};
  std::vector<std::pair<const char *, ValuePtr>> loads = {
      {"uniform", guarded(plain, {uniform})},
      {"uniform, filled", guarded(plain, {uniform}, 0, negative)},
      {"per lane", guarded(plain, {uniform, ofRange})},
      {"per lane, filled", guarded(plain, {uniform, ofRange}, 0, negative)},
      {"strided, per lane", guarded(strided, {perLane}, 0, negative)},
      {"strided, uniform", guarded(strided, {uniform}, 0, negative)},
      {"the same, per lane", guarded(same, {uniform, ofRange}, 0, negative)},
      {"divided", guarded(strided, {perLane, divided})},
      {"active lanes", guarded(plain, {uniform}, lanes > 1 ? lanes - 1 : 0, negative)}};
  for (const auto &[what, value] : loads) {
    compare(kernelOf({{DType::F32, int64_t{64} * lanes}, {DType::F32, int64_t{120} * lanes}}, p, 6,
                     forLoop(x, 0, 4, {forLoop(c, 0, 5, {store(1, out, value, 9)})})),
            std::string("load ") + what);
  }
  ValuePtr source = load(0, (p * 4 + x) * lanes + lane, vector, 9);
  IntExpr stridedOut = (p * 4 + x) * (int64_t{2} * lanes) + lane * 2;
  std::vector<std::pair<const char *, StatementPtr>> stores = {
      {"uniform", guarded(store(1, (p * 4 + x) * lanes + lane, source, 9), {uniform})},
      {"per lane", guarded(store(1, (p * 4 + x) * lanes + lane, source, 9), {uniform, ofRange})},
      {"strided", store(1, stridedOut, source, 9)},
      {"strided, per lane", guarded(store(1, stridedOut, source, 9), {ofRange, divided})},
      {"active lanes", guarded(store(1, (p * 4 + x) * lanes + lane, source, 9), {}, lanes > 1 ? lanes / 2 : 0)}};
  for (const auto &[what, statement] : stores) {
    compare(kernelOf({{DType::F32, 64 * lanes}, {DType::F32, 120 * lanes}}, p, 6, forLoop(x, 0, 4, {statement})),
            std::string("store ") + what);
  }
}

TEST_P(Memory, RegistersAndLoops) {
  int lanes = GetParam();
  loop::Type vector{DType::F32, lanes};
  IntExpr p = var(0, "p", 4), k = var(1, "k", 6), i = var(2, "i", 3), lane = var(9, "l", lanes);
  // Bounds that depend on outer loops, steps, an empty loop, taps of padding in expanded code.
  ValuePtr tap = guarded(load(0, (p + i + k - 2) * lanes + lane, vector, 9), {{p + i + k, 2, 9}, {i + k, 1, 8}});
  auto accumulate =
      set(0, i, apply(ScalarOp::Add, {reg(0, i, vector), apply(ScalarOp::Mul, {tap, constantValue(3, vector)})}));
  auto unrolled = [&](const StatementPtr &body) { return forLoop(i, 0, 3, {body}, loop::LoopKind::Unrolled); };
  loop::Value sum;
  sum.kind = loop::ValueKind::Horizontal;
  sum.type = kF32;
  sum.op = ScalarOp::Add;
  sum.args = {reg(0, i, vector)};
  for (loop::LoopKind kind : {loop::LoopKind::Serial, loop::LoopKind::Unrolled}) {
    IntExpr end = kind == loop::LoopKind::Serial ? loop::min(p * 2, IntExpr(6)) : IntExpr(6);
    for (int64_t step : {1, 2}) {
      compare(kernelOf({{DType::F32, 16 * lanes}, {DType::F32, 12}}, p, 4,
                       block({registers(0, 3, vector), unrolled(set(0, i, constantValue(0, vector))),
                              forLoop(k, 0, end, {unrolled(accumulate)}, kind, step),
                              unrolled(store(1, p * 3 + i, std::make_shared<loop::Value>(sum)))})),
              "registers");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lanes, Memory, ::testing::Values(1, 4, 8, 16));

TEST(Memory, BranchesAndScratch) {
  IntExpr p = var(0, "p", 9), x = var(1, "x", 8);
  loop::Statement branch;
  branch.kind = loop::StatementKind::If;
  branch.guards = {{loop::mod(p, 3), 1, 3}, {x, 2, 8}};
  branch.body = {store(2, p * 8 + x, apply(ScalarOp::Add, {load(1, x, kF32), load(0, p, kF32)}))};
  loop::Kernel kernel = kernelOf({{DType::F32, 9}, {DType::F32, 8}, {DType::F32, 72}}, p, 9,
                                 block({forLoop(x, 0, 8, {store(1, x, load(0, x, kF32))}),
                                        forLoop(x, 0, 8, {std::make_shared<loop::Statement>(branch)})}));
  kernel.buffers[1].space = loop::Space::ThreadScratch;
  kernel.buffers[1].offset = 64;
  kernel.buffers[1].written = true;
  kernel.buffers[2].offset = 1;
  kernel.phases[0].scratchBytes = 128;
  std::vector<std::vector<double>> expected = {
      {1, 2, 3, 4, 5, 6, 7, 8, 9}, std::vector<double>(8), std::vector<double>(72, -1)};
  interpret(kernel, expected);
  for (const auto &[name, target] : runnableTargets()) {
    Loaded module(kernel, target);
    Aligned<float> in(9), out(72, -1);
    for (size_t i = 0; i < 9; ++i) in[i] = static_cast<float>(i + 1);
    module.run({in.data(), out.data()});
    for (size_t i = 0; i < 72; ++i) ASSERT_EQ(out[i], static_cast<float>(expected[2][i])) << name << " " << i;
  }
}

TEST(Memory, PhasesShareScratch) {
  IntExpr p = var(0, "p", 8);
  loop::Kernel kernel = kernelOf({{DType::F32, 8}, {DType::F32, 8}, {DType::F32, 8}}, p, 8,
                                 store(1, p, apply(ScalarOp::Mul, {load(0, p, kF32), constantValue(2, kF32)})));
  kernel.buffers[1].space = loop::Space::SharedScratch;
  kernel.buffers[1].offset = 0;
  kernel.buffers[1].written = true;
  kernel.buffers[2].offset = 1;
  kernel.sharedScratchBytes = 64;
  kernel.phases.push_back({p, 8, 0, store(2, p, load(1, IntExpr(7) - p, kF32))});
  Loaded module(kernel, codegen::hostTarget());
  ASSERT_EQ(module.table()->kernels[0].phase_count, 2);
  ASSERT_EQ(module.table()->kernels[0].buffer_count, 2);
  Aligned<float> in(8), out(8);
  for (size_t i = 0; i < 8; ++i) in[i] = static_cast<float>(i);
  module.run({in.data(), out.data()});
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(out[i], static_cast<float>(2 * (7 - i)));
}

}  // namespace
}  // namespace hone::test
