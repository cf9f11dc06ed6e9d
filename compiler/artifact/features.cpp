// Which of LLVM's feature names say something about the instructions that generated code may contain.
#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>

#include "compiler/artifact/artifact.h"

namespace hone::artifact {
namespace {

// What is not listed is either part of the architecture (sse2, cmov), for operating systems (invpcid, pku), or never
// emitted from vector code (aes, rdrand). tests/artifact checks that the runtime knows how to detect every name.
constexpr std::string_view kX86[] = {
    "avx",
    "avx2",
    "avx512bf16",
    "avx512bitalg",
    "avx512bw",
    "avx512cd",
    "avx512dq",
    "avx512f",
    "avx512fp16",
    "avx512ifma",
    "avx512vbmi",
    "avx512vbmi2",
    "avx512vl",
    "avx512vnni",
    "avx512vp2intersect",
    "avx512vpopcntdq",
    "avxifma",
    "avxneconvert",
    "avxvnni",
    "avxvnniint16",
    "avxvnniint8",
    "bmi",
    "bmi2",
    "cx16",
    "f16c",
    "fma",
    "fma4",
    "gfni",
    "lzcnt",
    "movbe",
    "popcnt",
    "sse3",
    "sse4.1",
    "sse4.2",
    "sse4a",
    "ssse3",
    "tbm",
    "vpclmulqdq",
    "xop",
};

constexpr std::string_view kAArch64[] = {
    "bf16",   "crc", "complxnum", "dotprod",   "fp16fml", "fullfp16", "i8mm",
    "jsconv", "lse", "rcpc",      "rcpc-immo", "rdm",     "sve",      "sve2",
};

}  // namespace

std::vector<std::string> requiredFeatures(const TargetDescription &target) {
  std::set<std::string_view> relevant;
  if (target.triple.starts_with("x86_64") || target.triple.starts_with("i"))
    relevant.insert(std::begin(kX86), std::end(kX86));
  if (target.triple.starts_with("aarch64") || target.triple.starts_with("arm64"))
    relevant.insert(std::begin(kAArch64), std::end(kAArch64));
  std::set<std::string> required;
  for (const std::string &feature : target.features)
    if (relevant.count(feature)) required.insert(feature);
  return {required.begin(), required.end()};
}

}  // namespace hone::artifact
