#include "client/request.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/programs.h"
#include "client/result_status.h"
#include "text/message.h"
#include "text/printable.h"

namespace hone::client {

namespace {

// What LLVM and thread stacks reserve without using it.
constexpr uint64_t kReservedBytes = uint64_t{8} << 30;
constexpr uint64_t kCpuSeconds = uint64_t{4} * 3600;

uint64_t physicalBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

absl::StatusOr<InputFile> InputFile::open(const std::filesystem::path &path) {
  InputFile file;
  // Not blocking: a named pipe without a writer is refused below, not waited for.
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.descriptor_ < 0)
    return absl::NotFoundError(absl::StrCat("cannot open '", path.string(), "': ", strerror(errno)));
  struct stat status{};
  if (fstat(file.descriptor_, &status) != 0 || !S_ISREG(status.st_mode))
    return absl::NotFoundError(absl::StrCat("cannot read '", path.string(), "': it is not a regular file"));
  return file;
}

InputFile::InputFile(InputFile &&other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<v1::Result> ask(Request request) {
  auto program = findProgram("hone-worker");
  if (!program.ok()) return program.status();
  request.work.mutable_limits()->set_address_space_bytes(physicalBytes() + kReservedBytes);
  request.work.mutable_limits()->set_cpu_seconds(kCpuSeconds);
  if (absl::Status status = text::checkUtf8(request.work); !status.ok()) return status;
  ProgressLine progress;
  auto end = runWorker(*program, request.work, request.files, progress);
  progress.clear();
  if (!end.ok()) return end.status();
  if (!end->result.has_value() || end->result->outcome() == v1::Result::DEFECT) return explainDeath(request, *end);
  if (absl::Status status = statusOf(*end->result, request.subject); !status.ok()) return status;
  for (const std::string &note : end->result->notes()) fprintf(stderr, "note: %s\n", text::printable(note).c_str());
  return *std::move(end->result);
}

}  // namespace hone::client
