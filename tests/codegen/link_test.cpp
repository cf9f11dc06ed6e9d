// The shared library: what it exports, that it imports nothing, that it is the same every time, for every target.
#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tests/codegen/harness.h"

namespace hone::test {
namespace {

// What the dynamic section and symbol table of an ELF file say.
struct Elf {
  int machine = 0;
  std::vector<std::string> defined, undefined, needed;
};

Elf readElf(const std::string &bytes) {
  Elf elf;
  auto at = [&](size_t offset) { return bytes.data() + offset; };
  Elf64_Ehdr header;
  std::memcpy(&header, at(0), sizeof(header));
  elf.machine = header.e_machine;
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), at(header.e_shoff), sections.size() * sizeof(Elf64_Shdr));
  for (const Elf64_Shdr &section : sections) {
    if (section.sh_type == SHT_DYNSYM) {
      const char *names = at(sections[section.sh_link].sh_offset);
      for (size_t i = 1; i < section.sh_size / sizeof(Elf64_Sym); ++i) {
        Elf64_Sym symbol;
        std::memcpy(&symbol, at(section.sh_offset + i * sizeof(Elf64_Sym)), sizeof(symbol));
        (symbol.st_shndx == SHN_UNDEF ? elf.undefined : elf.defined).emplace_back(names + symbol.st_name);
      }
    }
    if (section.sh_type == SHT_DYNAMIC) {
      const char *names = at(sections[section.sh_link].sh_offset);
      for (size_t i = 0; i < section.sh_size / sizeof(Elf64_Dyn); ++i) {
        Elf64_Dyn entry;
        std::memcpy(&entry, at(section.sh_offset + i * sizeof(Elf64_Dyn)), sizeof(entry));
        if (entry.d_tag == DT_NEEDED) elf.needed.emplace_back(names + entry.d_un.d_val);
      }
    }
  }
  return elf;
}

// Uses what LLVM may want a library for: powers, remainders, half types, big copies, roots.
loop::Kernel demandingKernel() {
  constexpr int kLanes = 8;
  IntExpr p = var(0, "p", 4), lane = var(1, "l", kLanes);
  IntExpr at = p * kLanes + lane;
  std::vector<StatementPtr> body;
  ValuePtr x = load(0, at, {DType::F32, kLanes}, 1), y = load(1, at, {DType::F64, kLanes}, 1);
  ValuePtr sum = constantValue(0, {DType::F32, kLanes});
  for (ScalarOp op : {ScalarOp::Exp, ScalarOp::Log, ScalarOp::Sin, ScalarOp::Cos, ScalarOp::Tan, ScalarOp::Tanh,
                      ScalarOp::Expm1, ScalarOp::Log1p, ScalarOp::Atan, ScalarOp::Erf, ScalarOp::Sqrt, ScalarOp::Floor,
                      ScalarOp::Ceil, ScalarOp::Round}) {
    sum = apply(ScalarOp::Add, {sum, apply(op, {x})});
    sum = apply(ScalarOp::Add, {sum, castTo(DType::F32, apply(op, {y}))});
  }
  for (ScalarOp op : {ScalarOp::Pow, ScalarOp::FloorMod, ScalarOp::TruncMod}) {
    sum = apply(ScalarOp::Add, {sum, apply(op, {x, sum})});
    sum = apply(ScalarOp::Add, {sum, castTo(DType::F32, apply(op, {y, y}))});
  }
  for (DType dtype : {DType::F16, DType::BF16, DType::I8, DType::U64, DType::I64, DType::Bool}) {
    sum = apply(ScalarOp::Add, {sum, castTo(DType::F32, castTo(dtype, sum))});
    sum = apply(ScalarOp::Add, {sum, castTo(DType::F32, castTo(dtype, y))});
  }
  body.push_back(store(2, at, sum, 1));
  return kernelOf({{DType::F32, 32}, {DType::F64, 32}, {DType::F32, 32}}, p, 4, block(body));
}

absl::StatusOr<std::string> build(const TargetDescription &target) {
  auto compiled = codegen::compileKernel(demandingKernel(), "demanding", target, {});
  if (!compiled.ok()) return compiled.status();
  codegen::ModuleKernel entry;
  entry.name = "demanding";
  entry.symbol = "demanding";
  entry.bufferCount = 3;
  entry.phases = {{4, 0}};
  return codegen::linkModule({compiled->object}, {entry}, target);
}

TEST(Link, ImportsNothingOnAnyTarget) {
  std::vector<std::pair<std::string, int>> targets = {{"llvm", 0},
                                                      {"llvm -mcpu=skylake-avx512", EM_X86_64},
                                                      {"llvm -mcpu=haswell", EM_X86_64},
                                                      {"llvm -mcpu=x86-64", EM_X86_64},
                                                      {"llvm -mtriple=aarch64-linux-gnu", EM_AARCH64},
                                                      {"llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a72", EM_AARCH64}};
  for (const auto &[text, machine] : targets) {
    auto target = codegen::parseTarget(text);
    ASSERT_TRUE(target.ok()) << target.status();
    auto bytes = build(*target);
    ASSERT_TRUE(bytes.ok()) << text << ": " << bytes.status();
    Elf elf = readElf(*bytes);
    EXPECT_TRUE(machine == 0 || elf.machine == machine) << text;
    EXPECT_EQ(elf.defined, std::vector<std::string>{HONE_QUERY_SYMBOL}) << text;
    EXPECT_TRUE(elf.undefined.empty()) << text << ": " << elf.undefined[0];
    EXPECT_TRUE(elf.needed.empty()) << text << ": " << elf.needed[0];
  }
}

TEST(Link, SameInputSameBytes) {
  TargetDescription target = codegen::hostTarget();
  auto first = build(target);
  auto second = build(target);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(*first == *second);
  EXPECT_EQ(first->find(std::filesystem::temp_directory_path().string() + "/"), std::string::npos);
}

size_t openFiles() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

TEST(Link, NeedsAndLeavesNoFiles) {
  const char *before = std::getenv("TMPDIR");
  const std::string saved = before != nullptr ? before : "";
  const size_t open = openFiles();
  setenv("TMPDIR", "/nowhere", 1);
  EXPECT_TRUE(build(codegen::hostTarget()).ok());
  const auto broken = codegen::linkModule({"not an object"}, {}, codegen::hostTarget());
  EXPECT_EQ(broken.status().message(), "object 1 is not ELF");
  EXPECT_EQ(openFiles(), open);
  if (before != nullptr) {
    setenv("TMPDIR", saved.c_str(), 1);
  } else {
    unsetenv("TMPDIR");
  }
}

// More than a process may have files, and more bytes than a pipe holds.
TEST(Link, ManyKernels) {
  const TargetDescription target = codegen::hostTarget();
  const IntExpr p = var(0, "p", 3);
  const loop::Kernel kernel =
      kernelOf({{DType::F32, 3}, {DType::F32, 3}}, p, 3, store(1, p, load(0, p, {DType::F32, 1})));
  std::vector<std::string> objects;
  std::vector<codegen::ModuleKernel> table;
  for (int k = 0; k < 1500; ++k) {
    auto compiled = codegen::compileKernel(kernel, absl::StrCat("k", k), target, {});
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    objects.push_back(compiled->object);
    codegen::ModuleKernel &entry = table.emplace_back();
    entry.name = entry.symbol = absl::StrCat("k", k);
    entry.bufferCount = 2;
    entry.phases = {{3, 0}};
  }
  const auto linked = codegen::linkModule(objects, table, target);
  ASSERT_TRUE(linked.ok()) << linked.status();
  EXPECT_GT(linked->size(), size_t{1} << 16);
  EXPECT_EQ(readElf(*linked).defined, std::vector<std::string>{HONE_QUERY_SYMBOL});
}

TEST(Link, UndefinedSymbolsAreRefusedByName) {
  codegen::ModuleKernel entry;
  entry.name = "missing";
  entry.symbol = "missing_kernel";
  entry.phases = {{1, 0}};
  auto linked = codegen::linkModule({}, {entry}, codegen::hostTarget());
  ASSERT_FALSE(linked.ok());
  EXPECT_NE(linked.status().message().find("missing_kernel_0"), std::string::npos) << linked.status();
}

TEST(Link, TableSaysWhatWasGiven) {
  IntExpr p = var(0, "p", 3);
  loop::Kernel kernel = kernelOf({{DType::F32, 3}, {DType::F32, 3}}, p, 3, store(1, p, load(0, p, {DType::F32, 1})));
  kernel.phases[0].scratchBytes = 192;
  Loaded module(kernel, codegen::hostTarget());
  const hone_module *table = module.table();
  EXPECT_EQ(table->abi_version, HONE_ABI_VERSION);
  ASSERT_EQ(table->kernel_count, 1);
  EXPECT_STREQ(table->kernels[0].name, "test");
  EXPECT_EQ(table->kernels[0].buffer_count, 2);
  EXPECT_EQ(table->kernels[0].shared_scratch_bytes, 0);
  ASSERT_EQ(table->kernels[0].phase_count, 1);
  EXPECT_EQ(table->kernels[0].phases[0].extent, 3);
  EXPECT_EQ(table->kernels[0].phases[0].scratch_bytes, 192);
}

}  // namespace
}  // namespace hone::test
