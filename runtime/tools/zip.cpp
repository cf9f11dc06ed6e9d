#include "runtime/tools/zip.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

namespace hone::runtime {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50, kEntrySignature = 0x02014b50, kEndSignature = 0x06054b50,
                   kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50;
constexpr size_t kLocalBytes = 30, kEntryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocator64Bytes = 20;
constexpr size_t kMaxCommentBytes = 65535;
constexpr uint64_t kMax32 = 0xFFFFFFFFu;
/// Deflate cannot pack better than this; a member that claims more lies.
constexpr uint64_t kMaxRatio = 1032;

/// Little-endian number of \p bytes at \p offset, which must lie inside \p text.
uint64_t readNumber(std::string_view text, size_t offset, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i)
    value = value << 8 | static_cast<unsigned char>(text[offset + static_cast<size_t>(i)]);
  return value;
}

void appendNumber(std::string &text, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
}

template <typename... Parts>
Status damaged(const Parts &...parts) {
  return refused("the npz file is damaged: ", parts...);
}

struct Directory {
  uint64_t members = 0, bytes = 0, offset = 0;
};

Result<Directory> findDirectory(std::string_view file) {
  if (file.size() < kEndBytes) return damaged("it has only ", file.size(), " bytes");
  const size_t lowest = file.size() - std::min(file.size(), kEndBytes + kMaxCommentBytes);
  size_t end = file.size() - kEndBytes;
  while (readNumber(file, end, 4) != kEndSignature) {
    if (end == lowest) return damaged("it has no zip directory");
    --end;
  }
  Directory directory{readNumber(file, end + 10, 2), readNumber(file, end + 12, 4), readNumber(file, end + 16, 4)};
  const bool is64 = directory.members == 0xFFFF || directory.bytes == kMax32 || directory.offset == kMax32;
  if (is64 && end >= kLocator64Bytes && readNumber(file, end - kLocator64Bytes, 4) == kLocator64Signature) {
    const uint64_t end64 = readNumber(file, end - kLocator64Bytes + 8, 8);
    if (end64 > file.size() || file.size() - end64 < kEnd64Bytes || readNumber(file, end64, 4) != kEnd64Signature)
      return damaged("its zip64 directory is not where it should be");
    directory = {readNumber(file, end64 + 32, 8), readNumber(file, end64 + 40, 8), readNumber(file, end64 + 48, 8)};
  }
  if (directory.offset > file.size() || directory.bytes > file.size() - directory.offset)
    return damaged("its directory lies outside the file");
  if (directory.members > directory.bytes / kEntryBytes)
    return damaged("its directory of ", directory.bytes, " bytes cannot hold ", directory.members, " members");
  return directory;
}

/// Replaces the 32-bit fields that are all ones by those of the zip64 extra field, in their fixed order.
bool applyZip64(std::string_view extra, ZipMember &member) {
  while (extra.size() >= 4) {
    const uint64_t id = readNumber(extra, 0, 2), size = readNumber(extra, 2, 2);
    if (size > extra.size() - 4) return false;
    std::string_view field = extra.substr(4, size);
    extra.remove_prefix(4 + size);
    if (id != 1) continue;
    for (uint64_t *value : {&member.bytes, &member.packedBytes, &member.headerOffset}) {
      if (*value != kMax32) continue;
      if (field.size() < 8) return false;
      *value = readNumber(field, 0, 8);
      field.remove_prefix(8);
    }
  }
  return true;
}

Result<std::string> inflateMember(const ZipMember &member, std::string_view packed) {
  std::string bytes(member.bytes, '\0');
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return failure(HONE_UNAVAILABLE, "cannot start zlib");
  const std::unique_ptr<z_stream, int (*)(z_stream *)> closer(&stream, inflateEnd);
  constexpr uint64_t kStep = uint64_t{1} << 30;
  size_t taken = 0, given = 0;
  char beyond = 0;  // one byte more than promised: a stream that fills it is longer than it says
  int result = Z_OK;
  while (result == Z_OK) {
    const size_t in = std::min<uint64_t>(packed.size() - taken, kStep),
                 out = std::min<uint64_t>(bytes.size() - given, kStep);
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(packed.data() + taken));
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef *>(out > 0 ? bytes.data() + given : &beyond);
    stream.avail_out = static_cast<uInt>(out > 0 ? out : 1);
    result = inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    given += (out > 0 ? out : 1) - stream.avail_out;
    if (given > bytes.size())
      return damaged("'", member.name, "' is longer than the ", member.bytes, " bytes that it says");
  }
  if (result != Z_STREAM_END || given != bytes.size() || taken != packed.size())
    return damaged("'", member.name, "' does not inflate to the ", member.bytes, " bytes that it says");
  return bytes;
}

uint32_t checksum(uint32_t crc, std::string_view bytes) {
  return static_cast<uint32_t>(crc32_z(crc, reinterpret_cast<const Bytef *>(bytes.data()), bytes.size()));
}

}  // namespace

Result<std::vector<ZipMember>> readZipDirectory(std::string_view file) {
  Result<Directory> directory = findDirectory(file);
  if (!directory.ok()) return directory.status();
  std::string_view rest = file.substr(directory->offset, directory->bytes);
  std::vector<ZipMember> members;
  for (uint64_t i = 0; i < directory->members; ++i) {
    if (rest.size() < kEntryBytes || readNumber(rest, 0, 4) != kEntrySignature)
      return damaged("entry ", i, " of its directory is malformed");
    ZipMember member;
    member.method = static_cast<uint16_t>(readNumber(rest, 10, 2));
    member.crc = static_cast<uint32_t>(readNumber(rest, 16, 4));
    member.packedBytes = readNumber(rest, 20, 4);
    member.bytes = readNumber(rest, 24, 4);
    member.headerOffset = readNumber(rest, 42, 4);
    const uint64_t name = readNumber(rest, 28, 2), extra = readNumber(rest, 30, 2), comment = readNumber(rest, 32, 2);
    if (name + extra + comment > rest.size() - kEntryBytes) return damaged("entry ", i, " of its directory is cut off");
    member.name = rest.substr(kEntryBytes, name);
    if (readNumber(rest, 8, 2) & 1) return refused("'", member.name, "' in the npz file is encrypted");
    if (!applyZip64(rest.substr(kEntryBytes + name, extra), member))
      return damaged("entry ", i, " has a malformed extra field");
    rest.remove_prefix(kEntryBytes + name + extra + comment);
    members.push_back(std::move(member));
  }
  return members;
}

Result<std::string> extractZipMember(std::string_view file, const ZipMember &member, uint64_t limit) {
  const uint64_t offset = member.headerOffset;
  if (offset > file.size() || file.size() - offset < kLocalBytes || readNumber(file, offset, 4) != kLocalSignature)
    return damaged("'", member.name, "' is not where its directory says");
  const uint64_t start = offset + kLocalBytes + readNumber(file, offset + 26, 2) + readNumber(file, offset + 28, 2);
  if (start > file.size() || member.packedBytes > file.size() - start)
    return damaged("'", member.name, "' has ", member.packedBytes, " bytes, more than are left of the file");
  if (member.bytes > limit)
    return refused("'", member.name, "' in the npz file has ", member.bytes, " bytes, far more than its input takes");
  const std::string_view packed = file.substr(start, member.packedBytes);
  std::string bytes;
  if (member.method == 0) {
    if (member.bytes != member.packedBytes) return damaged("'", member.name, "' is stored, but has two sizes");
    bytes = packed;
  } else if (member.method == 8) {
    if (member.bytes / kMaxRatio > member.packedBytes)
      return damaged("'", member.name, "' says that ", member.packedBytes, " bytes inflate to ", member.bytes);
    Result<std::string> inflated = inflateMember(member, packed);
    if (!inflated.ok()) return inflated.status();
    bytes = std::move(*inflated);
  } else {
    return refused("'", member.name, "' in the npz file uses compression method ", member.method,
                   "; write it with numpy.savez or numpy.savez_compressed");
  }
  if (checksum(0, bytes) != member.crc) return damaged("the checksum of '", member.name, "' does not agree");
  return bytes;
}

Status ZipWriter::add(const std::string &name, std::string_view head, std::string_view body) {
  const uint64_t size = head.size() + body.size();
  if (size >= kMax32 || position_ + size >= kMax32 || members_ == 0xFFFE || name.size() > 0xFFFF)
    return failure(HONE_FAILED, "the outputs need a zip file of more than 4 GiB, which is not supported");
  const uint32_t crc = checksum(checksum(0, head), body);
  std::string fields;                // what the local header and the directory have in common
  appendNumber(fields, 20, 2);       // version needed
  appendNumber(fields, 1 << 11, 2);  // names are UTF-8
  appendNumber(fields, 0, 2);        // stored
  appendNumber(fields, 0, 2);        // time 00:00
  appendNumber(fields, 0x21, 2);     // 1980-01-01
  appendNumber(fields, crc, 4);
  appendNumber(fields, size, 4);
  appendNumber(fields, size, 4);
  appendNumber(fields, name.size(), 2);
  appendNumber(fields, 0, 2);  // no extra field
  std::string local;
  appendNumber(local, kLocalSignature, 4);
  local += fields + name;
  appendNumber(directory_, kEntrySignature, 4);
  appendNumber(directory_, 3 << 8 | 20, 2);  // made by: Unix
  directory_ += fields;
  appendNumber(directory_, 0, 2);  // no comment
  appendNumber(directory_, 0, 2);  // first disk
  appendNumber(directory_, 0, 2);  // internal attributes
  appendNumber(directory_, uint64_t{0100644} << 16, 4);
  appendNumber(directory_, position_, 4);
  directory_ += name;
  output_ << local << head << body;
  position_ += local.size() + size;
  ++members_;
  return {};
}

Status ZipWriter::finish() {
  if (position_ + directory_.size() >= kMax32)
    return failure(HONE_FAILED, "the outputs need a zip file of more than 4 GiB, which is not supported");
  std::string end;
  appendNumber(end, kEndSignature, 4);
  appendNumber(end, 0, 4);
  appendNumber(end, members_, 2);
  appendNumber(end, members_, 2);
  appendNumber(end, directory_.size(), 4);
  appendNumber(end, position_, 4);
  appendNumber(end, 0, 2);
  output_ << directory_ << end;
  return {};
}

}  // namespace hone::runtime
