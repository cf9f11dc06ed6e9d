// The three transforms of F(2, 3) and F(4, 3), with the points 0, 1, -1, 2 and -2: of data and of products as
// expressions, of weights as numbers (transformed() in algorithms.h). Internal to winograd(). Pure functions.
#pragma once

#include <vector>

#include "compiler/tensor/tensor_op.h"

namespace hone::tensor {

/// Rows of values.
using Grid = std::vector<std::vector<Scalar>>;

/// B^T d B of tile + 2 rows of data. What several results have in common is one node.
Grid transformedData(const Grid &data);
/// A^T m A of tile + 2 rows of products: tile rows of results.
Grid transformedBack(const Grid &products);

}  // namespace hone::tensor
