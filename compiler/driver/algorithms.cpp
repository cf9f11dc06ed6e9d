#include "compiler/driver/algorithms.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "compiler/driver/parallel.h"
#include "compiler/schedule/algorithm.h"

namespace hone::driver {

namespace {

// Of the parameters' bytes, at most so much is added.
constexpr double kMostGrowth = 0.55;

struct Kernel {
  std::vector<schedule::AlgorithmChoice> choices;
  size_t chosen = 0;
  const schedule::AlgorithmChoice &now() const { return choices[chosen]; }
};

struct Step {
  Kernel *kernel;
  size_t choice;
  double gain;  ///< cycles saved per byte
  int64_t bytes;
};

std::optional<Step> bestStep(std::vector<Kernel> &kernels, int64_t left) {
  std::optional<Step> best;
  for (Kernel &kernel : kernels) {
    for (size_t c = 1; c < kernel.choices.size(); ++c) {
      const double saved = kernel.now().cycles - kernel.choices[c].cycles;
      const int64_t bytes = kernel.choices[c].parameterBytes - kernel.now().parameterBytes;
      if (saved <= 0 || bytes > left) continue;
      const double gain = saved / static_cast<double>(std::max<int64_t>(bytes, 1));
      if (!best || gain > best->gain) best = Step{&kernel, c, gain, bytes};
    }
  }
  return best;
}

}  // namespace

std::vector<std::string> chooseAlgorithms(const plan::Plan &plan, const TargetDescription &target,
                                          const std::set<std::string> &disabled, int threads) {
  std::vector<Kernel> kernels(plan.kernels.size());
  parallelFor(static_cast<int>(kernels.size()), threads, [&](int i) {
    std::vector<schedule::AlgorithmChoice> &choices = kernels[static_cast<size_t>(i)].choices;
    choices = schedule::algorithmChoices(plan.kernels[static_cast<size_t>(i)].kernel, target);
    std::erase_if(choices, [&](const schedule::AlgorithmChoice &choice) {
      return disabled.contains(choice.algorithm.substr(0, choice.algorithm.find(' ')));
    });
  });
  int64_t bytes = 0;
  for (const plan::PlanBuffer &buffer : plan.buffers)
    if (buffer.place == plan::Place::Parameter) bytes += buffer.bytes;
  auto left = static_cast<int64_t>(kMostGrowth * static_cast<double>(bytes));
  while (const std::optional<Step> step = bestStep(kernels, left)) {
    step->kernel->chosen = step->choice;
    left -= step->bytes;
  }
  std::vector<std::string> algorithms;
  for (const Kernel &kernel : kernels) algorithms.push_back(kernel.now().algorithm);
  return algorithms;
}

}  // namespace hone::driver
