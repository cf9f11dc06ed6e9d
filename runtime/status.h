// How functions of the runtime fail: a status code of the C ABI and a sentence. The runtime has no abseil. Values.
#pragma once

#include <hone_runtime.h>

#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace hone::runtime {

struct [[nodiscard]] Status {
  hone_status code = HONE_OK;
  std::string message;  ///< lower case, no full stop, with the remedy; empty when ok
  bool ok() const { return code == HONE_OK; }
};

/// A value or the status that says why there is none.
template <typename Value>
class [[nodiscard]] Result {
 public:
  Result(Value value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {}

  bool ok() const { return value_.has_value(); }
  const Status &status() const { return status_; }
  Value &operator*() { return *value_; }
  Value *operator->() { return &*value_; }

 private:
  std::optional<Value> value_;
  Status status_;
};

/// A failure whose sentence is made of \p parts.
template <typename... Parts>
Status failure(hone_status code, const Parts &...parts) {
  std::ostringstream message;
  (message << ... << parts);
  return {code, message.str()};
}

template <typename... Parts>
Status refused(const Parts &...parts) {
  return failure(HONE_REFUSED, parts...);
}

}  // namespace hone::runtime

/// Returns from the function when \p expression is a failure.
#define HONE_RT_RETURN_IF_ERROR(expression)                                            \
  do {                                                                                 \
    if (::hone::runtime::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)
