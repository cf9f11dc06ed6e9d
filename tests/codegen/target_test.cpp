// Targets: the host's and TVM's textual form.
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>

#include "compiler/codegen/codegen.h"

namespace hone::codegen {
namespace {

bool has(const TargetDescription &target, const std::string &feature) {
  return std::binary_search(target.features.begin(), target.features.end(), feature);
}

TargetDescription parsed(const std::string &text) {
  auto target = parseTarget(text);
  EXPECT_TRUE(target.ok()) << text << ": " << target.status();
  return target.value_or(TargetDescription{});
}

TEST(Target, HostIsSensible) {
  TargetDescription host = hostTarget();
  EXPECT_TRUE(std::is_sorted(host.features.begin(), host.features.end()));
  EXPECT_FALSE(host.triple.empty());
  EXPECT_FALSE(host.cpu.empty());
  EXPECT_GE(host.l1Bytes, 16 << 10);
  EXPECT_LE(host.l1Bytes, 128 << 10);
  EXPECT_GE(host.l2Bytes, 256 << 10);
  EXPECT_LE(host.l2Bytes, 4 << 20);
  EXPECT_GE(host.l3Bytes, 2 << 20);
  EXPECT_LE(host.l3Bytes, 16 << 20);
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  EXPECT_EQ(host.cores, CPU_COUNT(&set));
#ifdef __x86_64__
  EXPECT_EQ(has(host, "avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(has(host, "fma"), __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ(has(host, "avx512f"), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(has(host, "avx512vl"), __builtin_cpu_supports("avx512vl") != 0);
#endif
  EXPECT_EQ(parsed("llvm"), host);
}

TEST(Target, NamedCpus) {
  TargetDescription haswell = parsed("llvm -mcpu=haswell -mtriple=x86_64-linux-gnu");
  EXPECT_EQ(haswell.cpu, "haswell");
  EXPECT_TRUE(has(haswell, "avx2") && has(haswell, "fma") && has(haswell, "f16c") && !has(haswell, "avx512f"));
  EXPECT_EQ(haswell.vectorBytes, 32);
  EXPECT_EQ(haswell.vectorRegisters, 16);
  TargetDescription skylake = parsed("llvm -mcpu=skylake-avx512 -mtriple=x86_64-linux-gnu");
  EXPECT_EQ(skylake.vectorBytes, 64);
  EXPECT_EQ(skylake.vectorRegisters, 32);
  TargetDescription plain = parsed("llvm -mcpu=x86-64 -mtriple=x86_64-linux-gnu");
  EXPECT_EQ(plain.vectorBytes, 16);
  EXPECT_EQ(plain.vectorRegisters, 16);
  TargetDescription arm = parsed("llvm -mtriple=aarch64-linux-gnu");
  EXPECT_TRUE(has(arm, "neon"));
  EXPECT_EQ(arm.vectorBytes, 16);
  EXPECT_EQ(arm.vectorRegisters, 32);
}

TEST(Target, AttributesBringWhatTheyImply) {
  TargetDescription wider = parsed("llvm -mtriple=x86_64-linux-gnu -mcpu=x86-64 -mattr=+avx2,+fma");
  EXPECT_TRUE(has(wider, "avx") && has(wider, "sse4.2"));
  EXPECT_EQ(wider.vectorBytes, 32);
  TargetDescription narrower = parsed("llvm -mtriple=x86_64-linux-gnu -mcpu=skylake-avx512 -mattr=-avx512f");
  EXPECT_FALSE(has(narrower, "avx512f") || has(narrower, "avx512vl"));
  EXPECT_TRUE(has(narrower, "avx2"));
  EXPECT_EQ(narrower.vectorBytes, 32);
}

TEST(Target, CoresAndSpelling) {
  EXPECT_EQ(parsed("llvm -num-cores=7").cores, 7);
  EXPECT_EQ(parsed("llvm -num-cores 7").cores, 7);
  EXPECT_EQ(parsed("  llvm   -mcpu=haswell  -num-cores=3 ").cpu, "haswell");
  EXPECT_EQ(parsed("llvm -mcpu \"haswell\"").cpu, "haswell");
}

TEST(Target, NativeIsTheHost) {
  EXPECT_EQ(parsed("llvm -mcpu=native"), hostTarget());
  EXPECT_EQ(parsed("llvm -mcpu=native -mtriple=" + hostTarget().triple), hostTarget());
  EXPECT_EQ(parsed("llvm -mcpu=native -num-cores=7").cores, 7);
  auto other = parseTarget(parsed("llvm").triple.starts_with("x86_64") ? "llvm -mcpu=native -mtriple=aarch64-linux-gnu"
                                                                       : "llvm -mcpu=native -mtriple=x86_64-linux-gnu");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Target, WithoutASystemIsLinux) {
  EXPECT_EQ(parsed("llvm -mtriple=aarch64").triple, "aarch64-unknown-linux");
  EXPECT_EQ(parsed("llvm -mtriple=x86_64-linux-musl").triple, "x86_64-unknown-linux-musl");
}

// Whoever made the description up: the worker gets it without the text that it came from.
TEST(Target, ThatCannotBeBuiltForIsRefused) {
  const TargetDescription good = parsed("llvm -mtriple=x86_64-linux-gnu -mcpu=haswell");
  EXPECT_TRUE(checkTarget(good).ok()) << checkTarget(good);
  EXPECT_TRUE(checkTarget(parsed("llvm -mtriple=aarch64-linux-gnu")).ok());
  const auto refused = [](const TargetDescription &target, const std::string &mentions) {
    const absl::Status status = checkTarget(target);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_NE(std::string(status.message()).find(mentions), std::string::npos) << status;
  };
  for (const char *triple : {"", "riscv64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "arm64-apple-macosx14",
                             "x86_64-unknown-linux-gnux32", "aarch64_be-unknown-linux-gnu"}) {
    TargetDescription target = good;
    target.triple = triple;
    refused(target, "it compiles for x86_64-linux-gnu and aarch64-linux-gnu");
  }
  TargetDescription without = good;
  std::erase(without.features, "sse2");
  refused(without, "without sse2");
  without.features.clear();
  refused(without, "without sse, sse2");
}

TEST(Target, MistakesNameWhatIsAccepted) {
  std::vector<std::pair<std::string, std::string>> mistakes = {{"cuda", "llvm"},
                                                               {"", "llvm"},
                                                               {"llvm -mcpu=haswel", "haswell"},
                                                               {"llvm -mattr=+avx9000", "avx2"},
                                                               {"llvm -mattr=avx2", "+avx2"},
                                                               {"llvm -speed=11", "-num-cores"},
                                                               {"llvm -mcpu=", "-mcpu"},
                                                               {"llvm -num-cores=0", "1 to"},
                                                               {"llvm -num-cores=many", "1 to"},
                                                               {"llvm -mtriple=toaster-linux-gnu", "toaster"}};
  for (const auto &[text, mentions] : mistakes) {
    auto target = parseTarget(text);
    ASSERT_FALSE(target.ok()) << text;
    EXPECT_EQ(target.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(target.status().message()).find(mentions), std::string::npos) << target.status();
  }
}

}  // namespace
}  // namespace hone::codegen
