// Reading and making constants element by element, whatever their dtype. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "compiler/graph/graph.h"

namespace hone::graph {

/// Any element as a double; 64-bit integers are rounded.
double elementAsDouble(const ConstantData &constant, int64_t position);
/// Any element as an integer; floats truncate and saturate, NaN gives 0. u64 keeps its bits.
int64_t elementAsInteger(const ConstantData &constant, int64_t position);

/// Elements [\p begin, \p begin + \p count) in steps of \p stride, as doubles or integers.
void readElements(const ConstantData &constant, int64_t begin, int64_t stride, int64_t count, double *to);
void readElements(const ConstantData &constant, int64_t begin, int64_t stride, int64_t count, int64_t *to);
/// The inverse: \p from to \p count elements at \p begin of \p bytes. Doubles round to nearest even for float types
/// and truncate and saturate for integers; integers wrap; anything to bool is != 0.
void writeElements(std::span<char> bytes, DType dtype, int64_t begin, int64_t count, const double *from);
void writeElements(std::span<char> bytes, DType dtype, int64_t begin, int64_t count, const int64_t *from);

Constant makeConstant(TensorType type, const std::vector<double> &elements);
Constant makeConstant(TensorType type, const std::vector<int64_t> &elements);
/// A constant with one element repeated.
Constant makeFilled(TensorType type, double element);

/// The one number that all elements equal; empty for an empty constant, NaN, or differing elements.
std::optional<double> uniformElement(const ConstantData &constant);

}  // namespace hone::graph
