// Sizes that depend on data, for the operators' functions: the extents of values as scalars (i64) of the graph, lists
// of them, and values that are laid out anew by them. Builder applies what follows from them op by op.
//
// One thread at a time: everything here builds nodes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/frontend/build/builder.h"

namespace hone::frontend {

/// The true extent along \p axis: a constant where it is the shape's.
Result sizeOf(Builder &build, ValueId value, int64_t axis);
/// The integers from 0 to \p extent - 1: i64 [extent].
Result count(Builder &build, int64_t extent);
/// Whether the elements of \p value lie within its extents along \p axes: bool, with extents of 1 along other axes.
/// Nothing where none of the axes is bounded.
absl::StatusOr<std::optional<ValueId>> trueElements(Builder &build, ValueId value, const std::vector<int64_t> &axes);
/// The largest (smallest) number that the scalar \p value can be; nothing when that is not known.
std::optional<int64_t> highest(const Builder &build, ValueId value);
std::optional<int64_t> lowest(const Builder &build, ValueId value);
/// The elements of the list \p values as scalars, constants where they are known.
absl::StatusOr<std::vector<ValueId>> elementsOf(Builder &build, ValueId values);
/// Scalars as a list: i64 [n].
Result listOf(Builder &build, const std::vector<ValueId> &scalars);

/// The extents of \p data as \p shape, where its padding stays behind its elements; nothing where it would not.
absl::StatusOr<std::optional<Extents>> reshapedExtents(Builder &build, ValueId data, const Shape &shape);
/// The true elements of \p data as a list without gaps, in row-major order.
Result flattened(Builder &build, ValueId data);
/// \p data with its true elements in front, in row-major order of the true shape: as an output of the graph has them.
Result dense(Builder &build, ValueId data);
/// \p data in a shape whose extents are scalars; kOpenSize stands for what is left over.
inline constexpr ValueId kOpenSize = -1;
Result reshapeTo(Builder &build, ValueId data, std::vector<ValueId> sizes);
/// \p data spread by numpy's rule to a shape whose extents are scalars.
Result expandTo(Builder &build, ValueId data, const std::vector<ValueId> &sizes);
/// Elements start, start + step, … in front of \p end, by Python's rule; \p start and \p end are scalars.
Result sliceTo(Builder &build, ValueId data, int64_t axis, ValueId start, ValueId end, int64_t step);
/// The places of the true elements of the bools \p isChosen, [n], in ascending order: i64 [count].
Result chosenPlaces(Builder &build, ValueId isChosen);

}  // namespace hone::frontend
