#include "compiler/estimate/machine.h"

#include <algorithm>
#include <array>
#include <string>

namespace hone::estimate {
namespace {

// Where each number comes from, and which of them nobody has verified: docs/design/estimate.md.
//
// clang-format off
//                family             multiply-add arithmetic   load      store     issue lat div  lib   L2  L3 memory fork
constexpr std::array kMachines = {
    Machine{"zen4",                  {2, 64},  {2, 96},  {2, 64},  {1, 32},  6, 4, 10,   3.8,  32, 26,  8, 1000, true},
    Machine{"zen5",                  {2, 128}, {2, 128}, {2, 128}, {2, 64},  8, 4, 10,   7.6,  48, 26, 10, 1000, true},
    Machine{"sapphire rapids",       {2, 128}, {2, 128}, {3, 128}, {2, 64},  6, 4, 6.4,  7.6,  48, 10,  4, 1000, true},
    Machine{"skylake server",        {2, 128}, {2, 128}, {2, 128}, {1, 64},  4, 4, 6.4,  7.6,  52,  8,  4, 1000, true},
    Machine{"haswell, skylake, zen", {2, 64},  {2, 64},  {2, 64},  {1, 32},  4, 5, 5,    3.8,  25, 10,  4, 1000, true},
    Machine{"x86-64",                {1, 16},  {2, 32},  {2, 32},  {1, 16},  4, 4, 4,    0.9,  20,  8,  4, 1000, false},
    Machine{"cortex-a72",            {1, 16},  {1, 16},  {1, 16},  {1, 8},   3, 4, 0.5,  0.9,   8,  4,  2, 2000, true},
    Machine{"cortex-a76, neoverse",  {2, 32},  {2, 32},  {2, 32},  {1, 16},  4, 4, 2.3,  1.9,  16,  8,  4, 2000, true},
    Machine{"neoverse-v",            {4, 64},  {4, 64},  {3, 48},  {2, 32},  8, 4, 4.6,  3.8,  32,  8,  4, 2000, true},
    Machine{"other",                 {1, 16},  {1, 16},  {1, 16},  {1, 16},  2, 4, 0.5,  0.9,   8,  4,  2, 2000, true},
};

// The first row whose text the name of the CPU begins with.
struct Name { std::string_view prefix, family; };
constexpr std::array kNames = {
    Name{"znver5", "zen5"}, Name{"znver4", "zen4"}, Name{"znver", "haswell, skylake, zen"},
    Name{"sapphirerapids", "sapphire rapids"}, Name{"emeraldrapids", "sapphire rapids"}, Name{"graniterapids", "sapphire rapids"},
    Name{"icelake", "sapphire rapids"}, Name{"tigerlake", "sapphire rapids"}, Name{"rocketlake", "sapphire rapids"},
    Name{"skylake-avx512", "skylake server"}, Name{"cascadelake", "skylake server"}, Name{"cooperlake", "skylake server"},
    Name{"x86-64-v4", "skylake server"}, Name{"x86-64-v3", "haswell, skylake, zen"}, Name{"x86-64", "x86-64"},
    Name{"haswell", "haswell, skylake, zen"}, Name{"broadwell", "haswell, skylake, zen"}, Name{"skylake", "haswell, skylake, zen"},
    Name{"alderlake", "haswell, skylake, zen"}, Name{"raptorlake", "haswell, skylake, zen"},
    Name{"cortex-a72", "cortex-a72"}, Name{"cortex-a7", "cortex-a76, neoverse"}, Name{"neoverse-v", "neoverse-v"}, Name{"neoverse", "cortex-a76, neoverse"},
};
// clang-format on

const Machine &row(std::string_view family) {
  return *std::find_if(kMachines.begin(), kMachines.end() - 1,
                       [&](const Machine &machine) { return machine.family == family; });
}

}  // namespace

double Rate::cycles(double bytes) const { return std::max(1 / perCycle, bytes / bytesPerCycle); }

const Machine &machineOf(const TargetDescription &target) {
  const std::string_view cpu = target.cpu;
  for (const Name &name : kNames)
    if (cpu.starts_with(name.prefix)) return row(name.family);
  if (target.triple.starts_with("x86"))
    return row(target.vectorBytes >= 64   ? "skylake server"
               : target.vectorBytes >= 32 ? "haswell, skylake, zen"
                                          : "x86-64");
  return row(target.triple.starts_with("aarch64") ? "cortex-a72" : "other");
}

}  // namespace hone::estimate
