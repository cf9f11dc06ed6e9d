// One case from its model to the comparison of its outputs: compile, load, run, compare, in the calling process, which
// may crash or hang: callers run this in a child. Function without state.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/base/target.h"
#include "compiler/driver/compile.h"
#include "runtime/tools/compare.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/outcome.h"

namespace hone::conformance {

/// The tensor as the compiler takes it.
graph::Constant asConstant(const runtime::Array &array);

/// Under which conditions the cases are compiled and run.
struct Setting {
  TargetDescription target;
  int threads = 1;                          ///< of the runtime
  std::vector<std::string> disabledPasses;  ///< of the graph
  int optLevel = 3;
  std::optional<uint64_t> scheduleSeed;  ///< random legal schedules instead of the default ones
  runtime::Tolerance tolerance;
};

/// The same for a model in memory and one set of data.
CaseResult runModel(const std::string &model, const Interface &interface, const DataSet &set,
                    const std::set<std::string> &bound, const Setting &setting);

/// \p bound: names of inputs that are bound at compile time; all others are fed at run time.
CaseResult runCase(const Case &item, const std::set<std::string> &bound, const Setting &setting);

}  // namespace hone::conformance
