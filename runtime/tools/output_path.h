// Where an output goes, and how it gets there whole.
#pragma once

#include <string>
#include <vector>

#include "runtime/status.h"

namespace hone::runtime {

/// HONE_USAGE when \p output is one of \p inputs, which the output would replace: by whatever spelling, and through
/// links of either kind. Inputs that are not there are somebody else's to report; empty ones are none.
Status checkOutputPath(const std::string &output, const std::vector<std::string> &inputs);

/// A file that is to be written aside and to take its place when it is whole. Symbolic links are followed; a device or
/// a pipe is written in place. Not thread-safe; one at a time in a folder and process.
class OutputPlace {
 public:
  explicit OutputPlace(const std::string &path);
  /// What to write.
  const std::string &aside() const { return aside_; }
  /// False, with the reason in errno.
  bool replace() const;
  /// Nothing remains of what was written aside.
  void abandon() const;

 private:
  std::string path_, aside_;
};

}  // namespace hone::runtime
