// The two macros that pass an absl::Status on. Use them in functions that return Status or StatusOr.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define HONE_CONCAT_INNER(a, b) a##b
#define HONE_CONCAT(a, b) HONE_CONCAT_INNER(a, b)

/// Returns from the function when \p expression is not OK.
#define HONE_RETURN_IF_ERROR(expression)                                    \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

/// Declares or assigns \p lhs from a StatusOr, or returns its error.
#define HONE_ASSIGN_OR_RETURN(lhs, expression) \
  HONE_ASSIGN_OR_RETURN_INNER(HONE_CONCAT(statusOr_, __LINE__), lhs, expression)
#define HONE_ASSIGN_OR_RETURN_INNER(temporary, lhs, expression) \
  auto temporary = (expression);                                \
  if (!temporary.ok()) return std::move(temporary).status();    \
  lhs = *std::move(temporary)
