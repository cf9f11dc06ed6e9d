#include "client/request.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/status/status.h"
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
