// Zip files, as numpy's npz uses them: stored or deflated members, zip64 tolerated. Bytes from outside are not trusted:
// every size is checked against the file before anything is allocated. Readers are immutable once opened.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/status.h"

namespace hone::runtime {

struct ZipMember {
  std::string name;
  uint16_t method = 0;  ///< 0 stored, 8 deflated
  uint32_t crc = 0;
  uint64_t packedBytes = 0, bytes = 0;
  uint64_t headerOffset = 0;
};

/// The central directory of \p file.
Result<std::vector<ZipMember>> readZipDirectory(std::string_view file);

/// The member's content, checked against its size and CRC; refused when it would be longer than \p limit.
Result<std::string> extractZipMember(std::string_view file, const ZipMember &member, uint64_t limit);

/// Writes stored members one after the other, then the directory. Deterministic: the date is the first that zip knows.
class ZipWriter {
 public:
  explicit ZipWriter(std::ostream &output) : output_(output) {}

  /// The member's content is \p head followed by \p body. Refuses what needs more than 4 GiB.
  Status add(const std::string &name, std::string_view head, std::string_view body);
  Status finish();

 private:
  std::ostream &output_;
  std::string directory_;
  uint64_t position_ = 0;
  uint16_t members_ = 0;
};

}  // namespace hone::runtime
