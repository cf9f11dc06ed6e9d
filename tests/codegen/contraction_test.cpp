// The loop nest of a blocked convolution: accumulators in registers, a rolled reduction, one broadcast per row.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "tests/codegen/harness.h"

namespace hone::test {
namespace {

constexpr int64_t kChannels = 64, kHeight = 14, kWidth = 42, kVectors = 2;

// out[oc/L][y][x][oc%L] = sum data[ic/16][y + ky - 1][x + kx - 1][ic%16] * weight[oc/2L][ic/16][ky][kx][ic%16][2][L],
// 0 outside. The first and last columns are guarded.
loop::Kernel convolution(int lanes, int64_t rows) {
  const int64_t blocks = kChannels / (kVectors * lanes);
  IntExpr p = var(0, "p", blocks * kHeight), xo = var(1, "xo", kWidth / rows), ico = var(2, "ico", kChannels / 16);
  IntExpr ky = loop::variable(3, "ky", 0, 2), kx = var(4, "kx", 3), ici = var(5, "ici", 16);
  IntExpr i = var(6, "i", rows), j = var(7, "j", kVectors), lane = var(8, "lane", lanes);
  IntExpr oco = loop::floorDiv(p, kHeight), y = loop::mod(p, kHeight);
  loop::Type vector{DType::F32, lanes};
  IntExpr row = y + ky - 1;
  IntExpr column = xo * rows + i + kx - 1;
  IntExpr dataAt = ((ico * kHeight + row) * kWidth + column) * 16 + ici;
  IntExpr weightAt = (((((oco * (kChannels / 16) + ico) * 3 + ky) * 3 + kx) * 16 + ici) * kVectors + j) * lanes + lane;
  loop::Value data = *load(0, dataAt, {DType::F32, 1});
  data.guards = {{column, 0, kWidth}};
  ValuePtr product =
      apply(ScalarOp::Mul, {broadcast(std::make_shared<loop::Value>(data), lanes), load(1, weightAt, vector, 8)});
  IntExpr slot = i * kVectors + j;
  auto unrolled = [&](const StatementPtr &body) {
    return forLoop(i, 0, rows, {forLoop(j, 0, kVectors, {body}, loop::LoopKind::Unrolled)}, loop::LoopKind::Unrolled);
  };
  IntExpr outAt = (((oco * kVectors + j) * kHeight + y) * kWidth + xo * rows + i) * lanes + lane;
  StatementPtr body = forLoop(
      xo, 0, kWidth / rows,
      {registers(0, rows * kVectors, vector), unrolled(set(0, slot, constantValue(0, vector))),
       forLoop(
           ico, 0, kChannels / 16,
           {forLoop(
               ky, loop::max(0, IntExpr(1) - y), loop::min(3, IntExpr(kHeight + 1) - y),
               {forLoop(kx, 0, 3,
                        {forLoop(ici, 0, 16,
                                 {unrolled(set(0, slot, apply(ScalarOp::Add, {reg(0, slot, vector), product})))})})})}),
       unrolled(store(2, outAt, apply(ScalarOp::Max, {reg(0, slot, vector), constantValue(0, vector)}), 8))},
      loop::LoopKind::Serial);
  return kernelOf({{DType::F32, kChannels * kHeight * kWidth},
                   {DType::F32, kChannels * kChannels * 9},
                   {DType::F32, kChannels * kHeight * kWidth}},
                  p, blocks * kHeight, block({body}));
}

float number(size_t i) { return static_cast<float>(static_cast<int>(i * 7919 % 201) - 100) / 64.0f; }

TEST(Contraction, ConvolutionWithPadding) {
  for (const auto &[name, target] : runnableTargets()) {
    int lanes = static_cast<int>(target.lanes());
    // As many accumulators as the registers hold beside two weights and a broadcast.
    int64_t rows = target.vectorRegisters == 32 ? 7 : 6;
    Loaded module(convolution(lanes, rows), target);
    Aligned<float> data(kChannels * kHeight * kWidth), weight(kChannels * kChannels * 9), out(data.size(), -1);
    for (size_t k = 0; k < data.size(); ++k) data[k] = number(k);
    for (size_t k = 0; k < weight.size(); ++k) weight[k] = number(k + 77);
    module.run({data.data(), weight.data(), out.data()});
    for (int64_t oc = 0; oc < kChannels; ++oc) {
      for (int64_t y = 0; y < kHeight; ++y) {
        for (int64_t x = 0; x < kWidth; ++x) {
          double sum = 0;
          for (int64_t ic = 0; ic < kChannels; ++ic) {
            for (int64_t k = 0; k < 9; ++k) {
              int64_t yy = y + k / 3 - 1, xx = x + k % 3 - 1;
              if (yy < 0 || yy >= kHeight || xx < 0 || xx >= kWidth) continue;
              int64_t group = oc / (lanes * kVectors), within = oc % (lanes * kVectors);
              double w = weight[static_cast<size_t>(
                  (((group * (kChannels / 16) + ic / 16) * 9 + k) * 16 + ic % 16) * kVectors * lanes + within)];
              sum += w * data[static_cast<size_t>(((ic / 16 * kHeight + yy) * kWidth + xx) * 16 + ic % 16)];
            }
          }
          float got = out[static_cast<size_t>(((oc / lanes * kHeight + y) * kWidth + x) * lanes + oc % lanes)];
          ASSERT_NEAR(got, std::max(sum, 0.0), 1e-2) << name << " oc " << oc << " y " << y << " x " << x;
        }
      }
    }
    EXPECT_TRUE(lanes < 8 || module.compiled.stackReferences.all == 0) << name;
    std::printf("%s: %ld vector stack references\n", name.c_str(),
                static_cast<long>(module.compiled.stackReferences.all));
    if (std::getenv("HONE_PRINT_ASSEMBLY") != nullptr) {
      std::printf("%s\n%s\n", module.compiled.llvmIr.c_str(), module.compiled.assembly.c_str());
    }
  }
}

TEST(Contraction, TilesStayInRegisters) {
  // Whatever this machine can run: the code is only counted.
  struct Case {
    const char *target;
    int64_t rows;
  };
  for (const Case &test :
       {Case{"llvm -mcpu=skylake-avx512 -mtriple=x86_64-linux-gnu", 7},
        Case{"llvm -mcpu=skylake-avx512 -mtriple=x86_64-linux-gnu", 14},
        Case{"llvm -mcpu=sapphirerapids -mtriple=x86_64-linux-gnu", 14},
        Case{"llvm -mcpu=haswell -mtriple=x86_64-linux-gnu", 6}, Case{"llvm -mtriple=aarch64-linux-gnu", 7}}) {
    auto target = codegen::parseTarget(test.target);
    ASSERT_TRUE(target.ok()) << target.status();
    auto compiled = codegen::compileKernel(convolution(static_cast<int>(target->lanes()), test.rows), "k", *target, {});
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    EXPECT_EQ(compiled->stackReferences.all, 0) << test.target << ", " << test.rows << " rows";
  }
  // And the counter counts: 28 accumulators do not fit 16 registers.
  auto target = codegen::parseTarget("llvm -mcpu=haswell -mtriple=x86_64-linux-gnu");
  auto compiled = codegen::compileKernel(convolution(8, 14), "k", *target, {});
  ASSERT_TRUE(compiled.ok());
  EXPECT_GT(compiled->stackReferences.all, 0);
  EXPECT_GE(compiled->stackReferences.throughMemory, 12);
}

}  // namespace
}  // namespace hone::test
