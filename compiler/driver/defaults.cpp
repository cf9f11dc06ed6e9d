#include "compiler/driver/defaults.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "compiler/driver/parallel.h"
#include "compiler/estimate/least.h"
#include "compiler/schedule/algorithm.h"
#include "compiler/schedule/space.h"

namespace hone::driver {

namespace {

// Of the parameters' bytes, at most so much is added.
constexpr double kMostGrowth = 0.55;

// Schedules that are tried where the default's code spills, and how much longer than the default they may take by the
// estimate, which does not know what spills cost (docs/design/estimate.md).
constexpr size_t kAlternatives = 3;
constexpr double kMostLonger = 1.05;

// A way to compute a task, and its default.
struct Choice {
  schedule::AlgorithmChoice algorithm;
  Default least;
};

struct Kernel {
  const std::vector<Choice> *choices;
  size_t chosen = 0;
  const Choice &now() const { return (*choices)[chosen]; }
};

struct Step {
  Kernel *kernel;
  size_t choice;
  double gain;  ///< cycles saved per byte
  int64_t bytes;
};

Default leastOf(const tensor::Kernel &kernel, const TargetDescription &target, const std::string &algorithm) {
  const schedule::Space space(kernel, target, {algorithm});
  // Transforms keep more values than there are registers whatever their schedule.
  const size_t alternatives = algorithm.starts_with("winograd") ? 0 : kAlternatives;
  std::vector<estimate::Least> least = estimate::leastOfTiles(space, target, 1 + alternatives);
  Default chosen{std::move(least[0].schedule), {}, least[0].cycles.total};
  for (size_t i = 1; i < least.size(); ++i)
    if (least[i].cycles.total <= kMostLonger * chosen.cycles)
      chosen.alternatives.push_back(std::move(least[i].schedule));
  return chosen;
}

std::optional<Step> bestStep(std::vector<Kernel> &kernels, int64_t left) {
  std::optional<Step> best;
  for (Kernel &kernel : kernels) {
    const Choice &now = kernel.now();
    for (size_t c = 0; c < kernel.choices->size(); ++c) {
      const Choice &other = (*kernel.choices)[c];
      const double saved = now.least.cycles - other.least.cycles;
      const int64_t bytes = other.algorithm.parameterBytes - now.algorithm.parameterBytes;
      if (saved <= 0 || bytes > left) continue;
      const double gain = saved / static_cast<double>(std::max<int64_t>(bytes, 1));
      if (!best || gain > best->gain) best = Step{&kernel, c, gain, bytes};
    }
  }
  return best;
}

}  // namespace

std::vector<Default> chooseDefaults(const std::vector<const schedule::Task *> &tasks, int64_t parameterBytes,
                                    const TargetDescription &target, const std::set<std::string> &disabled,
                                    int threads) {
  std::map<std::string_view, std::vector<Choice>> choices;
  std::vector<std::pair<const schedule::Task *, std::vector<Choice> *>> distinct;
  std::vector<Kernel> kernels;
  for (const schedule::Task *task : tasks) {
    const auto [entry, isNew] = choices.try_emplace(task->text());
    if (isNew) distinct.emplace_back(task, &entry->second);
    kernels.push_back({&entry->second});
  }
  parallelFor(static_cast<int>(distinct.size()), threads, [&](int i) {
    const auto &[task, ways] = distinct[static_cast<size_t>(i)];
    for (schedule::AlgorithmChoice &algorithm : schedule::algorithmChoices(task->kernel(), target)) {
      if (disabled.contains(algorithm.algorithm.substr(0, algorithm.algorithm.find(' ')))) continue;
      Default least = leastOf(task->kernel(), target, algorithm.algorithm);
      ways->push_back({std::move(algorithm), std::move(least)});
    }
  });
  auto left = static_cast<int64_t>(kMostGrowth * static_cast<double>(parameterBytes));
  while (const std::optional<Step> step = bestStep(kernels, left)) {
    step->kernel->chosen = step->choice;
    left -= step->bytes;
  }
  std::vector<Default> defaults;
  for (const Kernel &kernel : kernels) defaults.push_back(kernel.now().least);
  return defaults;
}

}  // namespace hone::driver
