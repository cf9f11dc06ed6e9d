// What the models of ai.onnx.ml share: rows of features in, scores and labels out. Pure functions on a builder.
#pragma once

#include <vector>

#include "compiler/frontend/onnx/node.h"

namespace hone::frontend {

/// The first operand as rows [rows, features] of \p dtype; a list is one row.
Result featureRows(const NodeContext &node, DType dtype);

/// A list of numbers from an attribute, of floats or, in later versions, from the tensor NAME_as_tensor; empty where it
/// is not given.
absl::StatusOr<std::vector<double>> realsOrNone(const NodeContext &node, std::string_view name);
absl::StatusOr<std::vector<double>> realsOrTensor(const NodeContext &node, const std::string &name);
absl::StatusOr<std::vector<int64_t>> integersOrNone(const NodeContext &node, std::string_view name);

/// The numbers as a constant of \p shape, which has as many elements.
Result constantOf(Builder &build, DType dtype, Shape shape, const std::vector<double> &values);

enum class PostTransform : uint8_t { None, Logistic, Softmax, SoftmaxZero, Probit };
absl::StatusOr<PostTransform> readPostTransform(const NodeContext &node);

/// Scores [rows, classes or targets], transformed. A single column has only PROBIT, as ONNX Runtime does it.
Result transformed(Builder &build, Result scores, PostTransform transform);

/// The score [rows, 1] of the second of two classes, and what follows from it for the first: [rows, 2].
Result twoClasses(Builder &build, Result score, PostTransform transform, bool isProbability);

/// The classes that a classifier tells apart.
struct ClassLabels {
  std::vector<int64_t> numbers;  ///< text is numbered
  int64_t count() const { return static_cast<int64_t>(numbers.size()); }
};
/// An error when the labels are text and somebody reads them.
absl::StatusOr<ClassLabels> readLabels(const NodeContext &node, std::string_view integers, std::string_view text);

/// Labels [rows] of the classes \p places [rows], int64.
Result labelsAt(Builder &build, const ClassLabels &labels, Result places);
/// One of two numbers [rows] by a condition [rows, 1].
Result labelWhere(Builder &build, Result condition, int64_t yes, int64_t no);
/// The first of the highest scores [rows, classes]: its class, [rows].
Result highestClass(Builder &build, Result scores);

}  // namespace hone::frontend
