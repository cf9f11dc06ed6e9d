// Which element types an operator takes, found out by trying: a small model of the operator is made of each type that
// ONNX allows, compiled, run, and compared with the evaluator of graphs. Functions without state, except for those that
// say so.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compiler/base/dtype.h"
#include "tests/conformance/cases.h"
#include "tests/conformance/expectations.h"

namespace hone::conformance {

/// A model with one node, its data, and the type that ONNX leaves open there.
struct Recipe {
  std::string model;
  Interface interface;
  DataSet data;
  std::set<std::string> bound;  ///< inputs
  /// Inputs that have the open type; none: the tensor in the node's attribute "value" has it.
  std::set<std::string> retyped;
  std::vector<DType> types;  ///< that ONNX allows for it
};

/// Adds recipes for operators of the frontend's table from those of \p cases that have one node and pass, up to two for
/// each operator.
void addRecipes(const std::vector<Case> &cases, const Expectations &expected,
                std::map<std::string, std::vector<Recipe>> &recipes);
/// Adds the few that are written down here, for operators that have none.
void addHandMadeRecipes(std::map<std::string, std::vector<Recipe>> &recipes);

/// Whether \p recipe works with \p type. May crash or hang, as everything that runs compiled code.
bool works(const Recipe &recipe, DType type);

/// "f16 f32 i8–i64 bool": types in the order of DType, whole families short.
std::string typesText(const std::vector<DType> &types);

}  // namespace hone::conformance
