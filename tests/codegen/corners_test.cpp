// Corners of address and guard arithmetic: numbers beyond 32 bits, memory that changes between two loads of it, offsets
// that inner loops make smaller.
#include <gtest/gtest.h>

#include <functional>

#include "tests/codegen/compare.h"
#include "tests/codegen/harness.h"
#include "tests/codegen/interpreter.h"

namespace hone::test {
namespace {

constexpr loop::Type kF32{DType::F32, 1};
constexpr int64_t kTwo29 = int64_t{1} << 29, kTwo30 = int64_t{1} << 30, kTwo31 = int64_t{1} << 31,
                  kTwo32 = int64_t{1} << 32;

class Corners : public ::testing::TestWithParam<int> {};

// Lanes are compared as numbers of 32 bits where that is enough. Here it is not: there each of these guards would hold
// for other elements.
TEST_P(Corners, GuardsBeyond32Bits) {
  const int lanes = GetParam();
  const IntExpr p = var(0, "p", 6), lane = var(9, "l", lanes);
  const loop::Type vector{DType::F32, lanes};
  const IntExpr wide = p * kTwo32 + lane;
  const std::vector<loop::Guard> guards = {
      {wide, 0, 3},                                                       // the first of equal ones modulo 2^32
      {wide, kTwo32 + 1, kTwo32 + 3},                                     // the second of them
      {wide, 2, 2 * kTwo32 + 1},                                          // from one to another
      {wide - 3 * kTwo32, -kTwo32 + 1, -kTwo32 + 3},                      // a negative one
      {wide - 5 * kTwo32, 1, 3},                                          // a small one, of numbers far below
      {wide - 3 * kTwo32, -kTwo32 + 1, 2},                                // over zero
      {p * kTwo30 + lane * kTwo29, kTwo30, kTwo31},                       // large steps of lanes
      {p + lane + (kTwo30 - 3), kTwo30 - 1, kTwo30 + 2},                  // around 2^30
      {p + lane - (kTwo30 + 3), -kTwo30 - 1, -kTwo30 + 2},                // around -2^30
      {p + lane + (kTwo31 - 3), kTwo31 - 1, kTwo31 + 2},                  // around 2^31
      {p + lane - (kTwo31 + 3), -kTwo31 - 1, -kTwo31 + 2},                // around -2^31
      {p + lane, 2, kTwo32 + 2},                                          // a small number with a high end far away
      {p + lane, -kTwo32 + 1, 3},                                         // a small number with a low end far away
      {p + lane - 2, -kTwo32, kTwo32},                                    // all numbers
      {IntExpr(kTwo32 + 2) - lane - p * kTwo31, kTwo31 - 2, kTwo32 + 1},  // backwards
      {loop::floorDiv(p * kTwo32 + lane * kTwo29, kTwo30), 4, 7},         // divided
      {loop::mod(p * (kTwo32 + 1) + lane, kTwo32), 1, 4},                 // remainder
      {p * kTwo32, kTwo32, 3 * kTwo32},                                   // the same in all lanes
      {p * kTwo32, 0, 1}};                                                // the same in all lanes, modulo 2^32
  // Each guard has rows of its own in the output.
  std::vector<StatementPtr> loads, filled, stores;
  const ValuePtr source = load(0, p * lanes + lane, vector, 9);
  for (size_t g = 0; g < guards.size(); ++g) {
    const IntExpr at = (p + static_cast<int64_t>(g) * 6) * lanes + lane;
    loads.push_back(store(1, at, guarded(source, {guards[g]}), 9));
    filled.push_back(store(1, at, guarded(source, {guards[g]}, 0, constantValue(-5, vector)), 9));
    stores.push_back(guarded(store(1, at, source, 9), {guards[g]}));
  }
  const auto elements = static_cast<int64_t>(guards.size()) * 6 * lanes;
  const std::vector<std::pair<DType, int64_t>> buffers = {{DType::F32, 6 * lanes}, {DType::F32, elements}};
  compare(kernelOf(buffers, p, 6, block(loads)), "load");
  compare(kernelOf(buffers, p, 6, block(filled)), "filled");
  compare(kernelOf(buffers, p, 6, block(stores)), "store");
}

// What is padding is read from zeros instead, which inner loops must not leave at their low end.
TEST_P(Corners, InnerLoopsThatGoBack) {
  const int lanes = GetParam();
  const IntExpr p = var(0, "p", 5), x = var(1, "x", 4), y = var(2, "y", 3), lane = var(9, "l", lanes);
  const loop::Type vector{DType::F32, lanes};
  constexpr int64_t kRow = 4096, kElements = 5 * 5 * kRow;
  const std::vector<IntExpr> offsets = {p * 64 + 40 - x + lane,
                                        (p * 4 + 3 - x) * lanes + lane,
                                        (p * 4 + 3 - x) * kRow + lane,
                                        (p * 4 + 3 - x) * kRow + y * lanes + lane,
                                        (p + 2 + y) * kRow - x * lanes + lane,
                                        (p * 4 + 5 - x - y) * kRow + lane,
                                        (p * 4 + 3 - x) * kRow + y};
  for (const std::vector<loop::Guard> &guards :
       {std::vector<loop::Guard>{}, {{p, 1, 3}}, {{p + x, 2, 6}}, {{p, 1, 4}, {p - y, 0, 3}}}) {
    std::vector<StatementPtr> stores;
    for (size_t o = 0; o < offsets.size(); ++o) {
      const IntExpr out = (((p + static_cast<int64_t>(o) * 5) * 4 + x) * 3 + y) * lanes + lane;
      stores.push_back(store(1, out, guarded(load(0, offsets[o], vector, 9), guards), 9));
    }
    const auto elements = static_cast<int64_t>(offsets.size()) * 60 * lanes;
    compare(
        kernelOf({{DType::F32, kElements}, {DType::F32, elements}}, p, 5, forLoop(x, 0, 4, {forLoop(y, 0, 3, stores)})),
        "offsets");
  }
}

// Both loads are the same expression, also where the loop around them makes neither differ.
TEST_P(Corners, LoadsBeforeAndAfterAStore) {
  const int lanes = GetParam();
  const IntExpr p = var(0, "p", 4), x = var(1, "x", 3), lane = var(9, "l", lanes);
  const loop::Type vector{DType::F32, lanes};
  const IntExpr place = p * lanes + lane, in = (p * 3 + x) * lanes + lane;
  const auto out = [&](int64_t which) { return ((p * 3 + x) * 2 + which) * lanes + lane; };
  const ValuePtr kept = load(1, place, vector, 9);
  const StatementPtr write = store(1, place, load(0, in, vector, 9), 9);
  const std::vector<std::pair<const char *, std::vector<StatementPtr>>> bodies = {
      {"stored at once", {store(2, out(0), kept, 9), write, store(2, out(1), kept, 9)}},
      {"kept in registers",
       {registers(0, 2, vector), set(0, 0, kept), write, set(0, 1, kept), store(2, out(0), reg(0, 1, vector), 9),
        store(2, out(1), reg(0, 0, vector), 9)}},
      {"half of it written",
       {store(2, out(0), kept, 9), guarded(write, {{x + p, 1, 4}}, lanes > 1 ? lanes / 2 : 0),
        store(2, out(1), kept, 9)}}};
  for (const auto &[what, body] : bodies) {
    for (const loop::LoopKind kind : {loop::LoopKind::Serial, loop::LoopKind::Unrolled}) {
      loop::Kernel kernel = kernelOf({{DType::F32, 12 * lanes}, {DType::F32, 4 * lanes}, {DType::F32, 24 * lanes}}, p,
                                     4, forLoop(x, 0, 3, body, kind));
      kernel.buffers[1].written = true;
      compare(kernel, what);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lanes, Corners, ::testing::Values(1, 4, 8, 16));

// The same for numbers that say where to load, how far to go and whether to store.
TEST(Corners, IndicesBeforeAndAfterAStore) {
  const IntExpr p = var(0, "p", 4), x = var(1, "x", 3), y = var(2, "y", 8);
  const IntExpr index = loop::loadIndex(1, p, 0, 7);
  loop::Value number;
  number.kind = loop::ValueKind::IndexValue;
  number.type = {DType::I32, 1};
  number.index = x * 2 + p + 1;
  const StatementPtr write = store(1, p, std::make_shared<loop::Value>(number));
  const auto out = [&](int64_t which) { return ((p * 3 + x) * 2 + which) * 8; };
  const auto check = [&](const char *what, const std::function<StatementPtr(const IntExpr &)> &use) {
    loop::Kernel kernel = kernelOf({{DType::F32, 8}, {DType::I32, 4}, {DType::F32, 200}}, p, 4,
                                   forLoop(x, 0, 3, {use(out(0)), write, use(out(1))}));
    kernel.buffers[1].written = true;
    compare(kernel, what);
  };
  check("where", [&](const IntExpr &to) { return store(2, to, load(0, index, kF32)); });
  check("where to", [&](const IntExpr &to) { return store(2, to + index, load(0, x, kF32)); });
  check("divided", [&](const IntExpr &to) { return store(2, to, load(0, loop::floorDiv(index * 3, 4), kF32)); });
  check("how far", [&](const IntExpr &to) { return forLoop(y, 0, index, {store(2, to + y, load(0, y, kF32))}); });
  check("whether", [&](const IntExpr &to) { return guarded(store(2, to, load(0, p, kF32)), {{index, 2, 5}}); });
}

// Slots of scratch that share their place, in whole or in part. Where one of them is written is known at run time only:
// the other one must be loaded again.
TEST(Corners, SlotsOfOnePlace) {
  const IntExpr p = var(0, "p", 4), x = var(1, "x", 16);
  for (const int64_t offset : {0, 64}) {
    const ValuePtr in = load(0, p * 16 + x, kF32), kept = load(1, x + offset / 4, kF32);
    const ValuePtr changed = apply(ScalarOp::Add, {in, constantValue(3, kF32)});
    loop::Kernel kernel =
        kernelOf({{DType::F32, 64}, {DType::F32, 32}, {DType::F32, 16}, {DType::I32, 16}, {DType::F32, 128}}, p, 4,
                 forLoop(x, 0, 16,
                         {store(1, x + offset / 4, in), store(4, p * 32 + x, kept),
                          store(2, loop::loadIndex(3, x, 0, 15), changed), store(4, p * 32 + 16 + x, kept)}));
    for (const size_t slot : {1, 2}) {
      kernel.buffers[slot].space = loop::Space::ThreadScratch;
      kernel.buffers[slot].written = true;
    }
    kernel.buffers[1].offset = 0;
    kernel.buffers[2].offset = offset;
    kernel.buffers[3].offset = 1;
    kernel.buffers[4].offset = 2;
    kernel.phases[0].scratchBytes = 128;
    for (const auto &[name, target] : runnableTargets()) {
      const Loaded module(kernel, target);
      Aligned<float> data(64), out(128, -1);
      Aligned<int32_t> places(16);
      for (size_t i = 0; i < 64; ++i) data[i] = static_cast<float>(i);
      for (size_t i = 0; i < 16; ++i) places[i] = static_cast<int32_t>(i);
      module.run({data.data(), places.data(), out.data()});
      for (size_t i = 0; i < 64; ++i) {
        const size_t row = i / 16 * 32 + i % 16;
        EXPECT_EQ(out[row], static_cast<float>(i)) << name << ", before";
        EXPECT_EQ(out[row + 16], static_cast<float>(i + 3)) << name << ", after";
      }
    }
  }
}

}  // namespace
}  // namespace hone::test
