#include "runtime/tar_reader.h"

#include <algorithm>
#include <optional>
#include <string>

#include "text/printable.h"
#include "text/tvm_artifact.h"

namespace hone::runtime {
namespace {

constexpr size_t kBlock = 512;

/// An octal field: digits, then spaces or zeros. Empty when it is anything else.
std::optional<uint64_t> parseOctal(std::string_view field) {
  uint64_t value = 0;
  size_t position = 0;
  for (; position < field.size() && field[position] >= '0' && field[position] <= '7'; ++position)
    value = value * 8 + static_cast<uint64_t>(field[position] - '0');
  if (position == 0) return std::nullopt;
  for (; position < field.size(); ++position)
    if (field[position] != ' ' && field[position] != '\0') return std::nullopt;
  return value;
}

bool isZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; });
}

/// The sum over the header, with the checksum's own field taken as spaces.
uint64_t headerSum(std::string_view header) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
  return sum;
}

template <typename... Parts>
Status notAnArtifact(const Parts &...parts) {
  return refused("the file is not a hone artifact: ", parts...);
}

Status checkHeader(std::string_view header, const std::string &name, size_t position) {
  if (header.substr(257, 5) != "ustar" || parseOctal(header.substr(148, 8)) != headerSum(header))
    return notAnArtifact("no valid tar header at byte ", position);
  if (header[156] != '0' && header[156] != '\0')
    return notAnArtifact("member '", name, "' is not a regular file; write the tar with --format=ustar");
  if (header[345] != '\0') return notAnArtifact("member '", name, "' lies in a folder");
  return {};
}

std::string_view *memberNamed(ArtifactMembers &members, std::string_view name) {
  if (name == "mod.so") return &members.module;
  if (name == "mod.json") return &members.json;
  if (name == "mod.params") return &members.parameters;
  return nullptr;
}

Result<ArtifactMembers> readMembers(std::string_view tar) {
  ArtifactMembers members;
  size_t position = 0;
  while (true) {
    if (tar.size() - position < kBlock)
      return notAnArtifact("it ends after ", tar.size(), " bytes, before the end of the archive");
    const std::string_view header = tar.substr(position, kBlock);
    if (isZero(header)) break;
    const std::string_view raw = header.substr(0, std::min<size_t>(header.find('\0'), 100));
    const std::string name = text::printable(raw);
    HONE_RT_RETURN_IF_ERROR(checkHeader(header, name, position));
    position += kBlock;
    const std::optional<uint64_t> size = parseOctal(header.substr(124, 12));
    if (!size || *size > tar.size() - position)
      return notAnArtifact("member '", name, "' is longer than what is left of the file");
    std::string_view *member = memberNamed(members, raw);
    if (!member) return notAnArtifact("it holds '", name, "'; expected mod.so, mod.json and mod.params");
    if (member->data()) return notAnArtifact("it holds '", name, "' twice");
    *member = tar.substr(position, *size);
    const size_t padded = (*size + kBlock - 1) / kBlock * kBlock;
    if (padded > tar.size() - position) return notAnArtifact("it ends inside the padding of '", name, "'");
    position += padded;
  }
  if (tar.size() - position < 2 * kBlock || !isZero(tar.substr(position)))
    return notAnArtifact("the end of the archive is missing, or something follows it");
  for (const char *name : {"mod.so", "mod.json", "mod.params"})
    if (!memberNamed(members, name)->data()) return notAnArtifact("it holds no '", name, "'");
  return members;
}

}  // namespace

Result<ArtifactMembers> readTar(std::string_view tar) {
  Result<ArtifactMembers> members = readMembers(tar);
  if (!members.ok() && text::isTvmArchive(tar)) return refused(text::kTvmArtifact);
  return members;
}

}  // namespace hone::runtime
