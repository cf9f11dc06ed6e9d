#include "runtime/cpu.h"

#include <algorithm>
#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace hone::runtime {
namespace {

#if defined(__x86_64__)

constexpr std::string_view kArchitecture = "x86_64";

/// The vector state that the operating system must save for a feature to be usable.
enum class State : uint8_t { None, Avx, Avx512 };
/// Registers of cpuid, by leaf.
enum Word : uint8_t { kLeaf1Ecx, kLeaf7Ebx, kLeaf7Ecx, kLeaf7Edx, kLeaf71Eax, kLeaf71Edx, kExtended1Ecx, kWords };

struct Entry {
  std::string_view name;
  Word word;
  int bit;
  State state;
};

constexpr Entry kEntries[] = {
    {"sse3", kLeaf1Ecx, 0, State::None},
    {"pclmul", kLeaf1Ecx, 1, State::None},
    {"ssse3", kLeaf1Ecx, 9, State::None},
    {"fma", kLeaf1Ecx, 12, State::Avx},
    {"cx16", kLeaf1Ecx, 13, State::None},
    {"sse4.1", kLeaf1Ecx, 19, State::None},
    {"sse4.2", kLeaf1Ecx, 20, State::None},
    {"movbe", kLeaf1Ecx, 22, State::None},
    {"popcnt", kLeaf1Ecx, 23, State::None},
    {"avx", kLeaf1Ecx, 28, State::Avx},
    {"f16c", kLeaf1Ecx, 29, State::Avx},
    {"bmi", kLeaf7Ebx, 3, State::None},
    {"avx2", kLeaf7Ebx, 5, State::Avx},
    {"bmi2", kLeaf7Ebx, 8, State::None},
    {"avx512f", kLeaf7Ebx, 16, State::Avx512},
    {"avx512dq", kLeaf7Ebx, 17, State::Avx512},
    {"avx512ifma", kLeaf7Ebx, 21, State::Avx512},
    {"avx512cd", kLeaf7Ebx, 28, State::Avx512},
    {"avx512bw", kLeaf7Ebx, 30, State::Avx512},
    {"avx512vl", kLeaf7Ebx, 31, State::Avx512},
    {"avx512vbmi", kLeaf7Ecx, 1, State::Avx512},
    {"avx512vbmi2", kLeaf7Ecx, 6, State::Avx512},
    {"gfni", kLeaf7Ecx, 8, State::None},
    {"vpclmulqdq", kLeaf7Ecx, 10, State::Avx},
    {"avx512vnni", kLeaf7Ecx, 11, State::Avx512},
    {"avx512bitalg", kLeaf7Ecx, 12, State::Avx512},
    {"avx512vpopcntdq", kLeaf7Ecx, 14, State::Avx512},
    {"avx512vp2intersect", kLeaf7Edx, 8, State::Avx512},
    {"avx512fp16", kLeaf7Edx, 23, State::Avx512},
    {"avxvnni", kLeaf71Eax, 4, State::Avx},
    {"avx512bf16", kLeaf71Eax, 5, State::Avx512},
    {"avxifma", kLeaf71Eax, 23, State::Avx},
    {"avxvnniint8", kLeaf71Edx, 4, State::Avx},
    {"avxneconvert", kLeaf71Edx, 5, State::Avx},
    {"avxvnniint16", kLeaf71Edx, 10, State::Avx},
    {"lzcnt", kExtended1Ecx, 5, State::None},
    {"sse4a", kExtended1Ecx, 6, State::None},
    {"xop", kExtended1Ecx, 11, State::Avx},
    {"fma4", kExtended1Ecx, 16, State::Avx},
    {"tbm", kExtended1Ecx, 21, State::None},
};

struct Cpuid {
  uint32_t words[kWords] = {};
  bool avx = false, avx512 = false;
};

Cpuid readCpuid() {
  Cpuid result;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  __get_cpuid(1, &a, &b, &c, &d);
  result.words[kLeaf1Ecx] = c;
  // XCR0 says which registers the operating system saves; without OSXSAVE it cannot be read.
  if (c >> 27 & 1) {
    uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    result.avx = (low & 0x6) == 0x6;
    result.avx512 = (low & 0xE6) == 0xE6;
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    result.words[kLeaf7Ebx] = b;
    result.words[kLeaf7Ecx] = c;
    result.words[kLeaf7Edx] = d;
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
      result.words[kLeaf71Eax] = a;
      result.words[kLeaf71Edx] = d;
    }
  }
  if (__get_cpuid(0x80000001, &a, &b, &c, &d)) result.words[kExtended1Ecx] = c;
  return result;
}

std::vector<CpuFeature> detect() {
  const Cpuid cpu = readCpuid();
  std::vector<CpuFeature> features;
  for (const Entry &entry : kEntries) {
    const bool saved = entry.state == State::None || (entry.state == State::Avx ? cpu.avx : cpu.avx512);
    features.push_back({entry.name, saved && (cpu.words[entry.word] >> entry.bit & 1)});
  }
  // Part of the architecture.
  features.push_back({"sse", true});
  features.push_back({"sse2", true});
  return features;
}

#elif defined(__aarch64__)

constexpr std::string_view kArchitecture = "aarch64";

std::vector<CpuFeature> detect() {
  const unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
  const auto has = [](unsigned long word, unsigned long bits) { return (word & bits) == bits; };
  return {
      {"neon", has(first, HWCAP_ASIMD)},      {"fp-armv8", has(first, HWCAP_FP)},
      {"crc", has(first, HWCAP_CRC32)},       {"lse", has(first, HWCAP_ATOMICS)},
      {"rdm", has(first, HWCAP_ASIMDRDM)},    {"fullfp16", has(first, HWCAP_FPHP | HWCAP_ASIMDHP)},
      {"jsconv", has(first, HWCAP_JSCVT)},    {"complxnum", has(first, HWCAP_FCMA)},
      {"rcpc", has(first, HWCAP_LRCPC)},      {"rcpc-immo", has(first, HWCAP_ILRCPC)},
      {"dotprod", has(first, HWCAP_ASIMDDP)}, {"fp16fml", has(first, HWCAP_ASIMDFHM)},
      {"sve", has(first, HWCAP_SVE)},         {"sve2", has(second, HWCAP2_SVE2)},
      {"i8mm", has(second, HWCAP2_I8MM)},     {"bf16", has(second, HWCAP2_BF16)},
  };
}

#else

constexpr std::string_view kArchitecture = "an unknown architecture";
std::vector<CpuFeature> detect() { return {}; }

#endif

std::string_view architectureOf(std::string_view triple) {
  const std::string_view name = triple.substr(0, triple.find('-'));
  if (name == "amd64") return "x86_64";
  if (name == "arm64") return "aarch64";
  return name;
}

}  // namespace

std::vector<CpuFeature> cpuFeatures() { return detect(); }

Status checkCpu(std::string_view triple, const std::vector<std::string> &requiredFeatures) {
  if (architectureOf(triple) != kArchitecture)
    return refused("the artifact is for ", architectureOf(triple), ", but this machine is ", kArchitecture,
                   "; compile the model for this machine");
  const std::vector<CpuFeature> features = cpuFeatures();
  std::string missing;
  for (const std::string &required : requiredFeatures) {
    const auto found =
        std::find_if(features.begin(), features.end(), [&](const CpuFeature &f) { return f.name == required; });
    if (found == features.end())
      return refused("the artifact needs the CPU feature '", required,
                     "', which this runtime does not know; use a newer runtime or compile with -mattr=-", required);
    if (!found->available) missing += (missing.empty() ? "" : ", ") + required;
  }
  if (missing.empty()) return {};
  return refused("the artifact needs CPU features that this machine lacks: ", missing,
                 "; compile the model for this CPU (see -mcpu and -mattr)");
}

}  // namespace hone::runtime
