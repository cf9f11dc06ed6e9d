// A model of several nodes, imported and evaluated by the graph's own evaluator, for tests of what spans nodes. Pure
// functions; thread-safe.
#pragma once

#include <map>
#include <string>

#include "tests/frontend/node_model.h"

namespace hone::test {

/// The outputs by name; none, and a failed test, when the model is not imported.
std::map<std::string, Array> evaluateModel(const ModelBuilder &model, const std::map<std::string, Array> &inputs);

/// The import's error; empty, and a failed test, when there is none.
std::string importError(const ModelBuilder &model);

/// A failed test, which shows \p text, when \p part is not in it.
void expectContains(const std::string &text, const std::string &part);

}  // namespace hone::test
