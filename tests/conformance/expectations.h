// What is known about the cases: three checked-in lists, which may only get better. not_passing.txt has the cases that
// do not pass, each with a class and a reason; bound.txt those that pass with some inputs bound at compile time;
// least.txt the numbers that may not fall. Plain values; functions without state.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hone::conformance {

struct NotPassing {
  std::string group;  ///< of kGroups
  std::string reason;
};

struct Expectations {
  std::map<std::string, NotPassing> notPassing;        ///< by case
  std::map<std::string, std::set<std::string>> bound;  ///< inputs by case
  int leastUnbound = 0, leastBound = 0;
};

/// Why a case does not pass. The compiler has to refuse it in a sentence, except for a defect.
struct Group {
  std::string_view name;
  bool isOutOfScope;  ///< hone does not mean to do this
  std::string_view means;
};
inline constexpr Group kGroups[] = {
    {"training", true, "operators and modes that train"},
    {"sequence", true, "sequences of tensors"},
    {"optional", true, "optional values"},
    {"string", true, "tensors of strings"},
    {"files", true, "files of pictures to decode"},
    {"random", true, "outputs that are random numbers"},
    {"data-dependent", true, "outputs whose size follows from the data"},
    {"invalid", true, "data that contradict the model or the standard; the result may differ from them"},
    {"not-yet", false, "could be done and is not"},
    {"defect", false, "wrong, crashes or hangs: to be mended at once"},
};
const Group *findGroup(std::string_view name);

/// An error names the file and the line.
absl::StatusOr<Expectations> readExpectations(const std::filesystem::path &folder);

/// What a whole run has found better than the lists say.
struct Improvements {
  std::set<std::string> pass;     ///< listed as not passing
  std::set<std::string> unbound;  ///< listed as bound
  int unboundCount = 0, boundCount = 0;
};
/// Removes lines from the lists and raises the numbers; everything else in the files stays as it is.
absl::Status improveLists(const std::filesystem::path &folder, const Improvements &improvements);

}  // namespace hone::conformance
