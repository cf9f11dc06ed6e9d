// For tests of refusals: models small enough to be wrong in one place, and the check of what is said about it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/frontend/onnx/import.h"
#include "tests/frontend/model_builder.h"

namespace hone::test {

/// Expects that the import of \p bytes fails with \p code and a sentence that has each of \p parts.
void expectError(const std::string &bytes, absl::StatusCode code, const std::vector<std::string> &parts,
                 const frontend::ImportOptions &options = {});

frontend::ImportOptions withShapes(const std::map<std::string, graph::Shape> &shapes);

/// x [2,3] -> Abs -> y
ModelBuilder simpleModel();

/// One node reading x (f32[2,3]) and the list `list`.
ModelBuilder modelWithList(const std::string &op, const std::vector<int64_t> &list, int64_t opset = 13);

}  // namespace hone::test
