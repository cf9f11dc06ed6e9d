#include "compiler/artifact/tar.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "compiler/artifact/text.h"
#include "compiler/base/status.h"

namespace hone::artifact {
namespace {

constexpr size_t kBlock = 512;

// Eleven octal digits.
constexpr int64_t kMostBytes = (int64_t{1} << 33) - 1;

/// Where libarchive writes to, and what went wrong there.
struct Output {
  const ByteSink &sink;
  absl::Status status;
};

// Never fails as far as libarchive knows, which does not free its buffers after that.
la_ssize_t passBytes(archive * /*writer*/, void *context, const void *buffer, size_t length) {
  Output &output = *static_cast<Output *>(context);
  if (output.status.ok()) output.status = output.sink({static_cast<const char *>(buffer), length});
  return static_cast<la_ssize_t>(length);
}

absl::Status failure(archive *writer) {
  return absl::InternalError(concat("cannot write the tar file: ", archive_error_string(writer)));
}

/// An octal field: digits, then spaces or zeros. Empty when it is anything else.
std::optional<uint64_t> parseOctal(std::string_view field) {
  uint64_t value = 0;
  size_t position = 0;
  for (; position < field.size() && field[position] >= '0' && field[position] <= '7'; ++position)
    value = value * 8 + (field[position] - '0');
  if (position == 0) return std::nullopt;
  for (; position < field.size(); ++position)
    if (field[position] != ' ' && field[position] != '\0') return std::nullopt;
  return value;
}

bool isZero(std::string_view block) {
  return std::all_of(block.begin(), block.end(), [](char byte) { return byte == 0; });
}

/// The sum over the header with the checksum's own field taken as spaces.
uint64_t headerSum(std::string_view header) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
  return sum;
}

absl::Status refuse(std::string_view what) {
  return absl::InvalidArgumentError(concat("the file is not a hone artifact: ", what));
}

}  // namespace

absl::Status writeTar(const std::vector<TarContent> &members, const ByteSink &sink) {
  Output output{sink, absl::OkStatus()};
  // What went wrong in a call that returned \p isOk, or before it.
  const auto statusOf = [&output](archive *writer, bool isOk) {
    return output.status.ok() && !isOk ? failure(writer) : output.status;
  };
  const std::unique_ptr<archive, int (*)(archive *)> writer(archive_write_new(), archive_write_free);
  const std::unique_ptr<archive_entry, void (*)(archive_entry *)> entry(archive_entry_new(), archive_entry_free);
  if (!writer || !entry) return absl::ResourceExhaustedError("no memory to write the tar file");
  if (archive_write_set_format_ustar(writer.get()) != ARCHIVE_OK ||
      archive_write_add_filter_none(writer.get()) != ARCHIVE_OK ||
      archive_write_set_bytes_per_block(writer.get(), 0) != ARCHIVE_OK ||
      archive_write_open(writer.get(), &output, nullptr, passBytes, nullptr) != ARCHIVE_OK)
    return failure(writer.get());
  for (const TarContent &member : members) {
    if (member.bytes > kMostBytes)
      return absl::ResourceExhaustedError(concat("'", member.name, "' would have ", member.bytes,
                                                 " bytes, and a file in an artifact holds at most ", kMostBytes));
    archive_entry_clear(entry.get());
    archive_entry_set_pathname(entry.get(), member.name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(), 0, 0);
    archive_entry_set_size(entry.get(), member.bytes);
    HONE_RETURN_IF_ERROR(statusOf(writer.get(), archive_write_header(writer.get(), entry.get()) == ARCHIVE_OK));
    HONE_RETURN_IF_ERROR(member.write([&](std::string_view piece) {
      const la_ssize_t count = archive_write_data(writer.get(), piece.data(), piece.size());
      return statusOf(writer.get(), count == static_cast<la_ssize_t>(piece.size()));
    }));
  }
  const bool isClosed = archive_write_close(writer.get()) == ARCHIVE_OK;
  return statusOf(writer.get(), isClosed);
}

absl::StatusOr<std::vector<TarMember>> readTar(std::string_view tar) {
  std::vector<TarMember> members;
  size_t position = 0;
  while (true) {
    if (tar.size() - position < kBlock)
      return refuse(concat("it ends after ", tar.size(), " bytes, before the end of the archive"));
    const std::string_view header = tar.substr(position, kBlock);
    position += kBlock;
    if (isZero(header)) break;
    if (header.substr(257, 5) != "ustar" || parseOctal(header.substr(148, 8)) != headerSum(header))
      return refuse(concat("no valid tar header at byte ", position - kBlock));
    const std::string name(header.substr(0, std::min<size_t>(header.find('\0'), 100)));
    if (header[156] != '0' && header[156] != '\0') return refuse(concat("member '", name, "' is not a regular file"));
    if (header[345] != '\0') return refuse(concat("member '", name, "' lies in a folder"));
    const std::optional<uint64_t> size = parseOctal(header.substr(124, 12));
    if (!size || *size > tar.size() - position)
      return refuse(concat("member '", name, "' is longer than what is left of the file"));
    members.push_back({name, tar.substr(position, *size)});
    const size_t padded = (*size + kBlock - 1) / kBlock * kBlock;
    if (padded > tar.size() - position) return refuse(concat("it ends inside the padding of '", name, "'"));
    position += padded;
  }
  if (tar.size() - position < kBlock || !isZero(tar.substr(position)))
    return refuse("the end of the archive is missing, or there is something after it");
  return members;
}

}  // namespace hone::artifact
