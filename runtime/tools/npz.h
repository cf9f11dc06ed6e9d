// numpy's arrays: npy (format versions 1 to 3) inside npz. Bytes from outside are not trusted. Values and functions
// without state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/memory.h"
#include "runtime/status.h"
#include "runtime/tools/zip.h"

namespace hone::runtime {

struct Array {
  hone_dtype dtype = HONE_FLOAT32;
  std::vector<int64_t> shape;
  std::string bytes;  ///< row-major, little-endian
};

/// Refuses Python objects, structures, big-endian numbers, and data that is not as long as the header says. \p name is
/// for messages. Arrays in Fortran's order are turned round.
Result<Array> parseNpy(std::string_view npy, std::string_view name);

/// The header of an npy file of format version 1.
std::string npyHeader(hone_dtype dtype, const std::vector<int64_t> &shape);

/// An npz file that is open for reading; keeps it mapped.
class NpzFile {
 public:
  static Result<NpzFile> open(const std::string &path);

  /// Names of its arrays, in the order of the file.
  std::vector<std::string> names() const;
  /// \p limit: bytes beyond which an array cannot be what is looked for.
  Result<Array> read(const std::string &name, uint64_t limit) const;

 private:
  MappedFile file_;
  std::vector<std::pair<std::string, ZipMember>> arrays_;
};

}  // namespace hone::runtime
