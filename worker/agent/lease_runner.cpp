#include "worker/agent/lease_runner.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cmath>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "text/printable.h"
#include "worker/agent/channel.h"
#include "worker/agent/child_end.h"
#include "worker/kinds/kinds.h"

namespace hone::worker {

namespace {

// What code generation reserves without using it, libraries and stacks.
constexpr uint64_t kReservedBytes = uint64_t{8} << 30;
constexpr uint64_t kSpareCpuSeconds = 60;
// What still travels in one message besides the log.
constexpr size_t kLongestResult = 3 << 20;

/// Whether blobs could not travel for a reason that will pass: the work is to be done again, not to be failed.
bool isNotTheWorks(const absl::Status &status) {
  return absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status) || absl::IsAborted(status) ||
         retrySecondsOf(status) > 0;
}

void setFailure(const absl::Status &status, v1::LeaseResult &lease) {
  v1::Result &result = *lease.mutable_result();
  result.Clear();
  result.set_sentence(text::asUtf8({status.message().data(), status.message().size()}));
  switch (status.code()) {
    case absl::StatusCode::kInternal:
      lease.set_is_workers_fault(true);
      result.set_outcome(v1::Result::UNAVAILABLE);
      break;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      result.set_outcome(v1::Result::WORK_FAILED);
      break;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      result.set_outcome(v1::Result::NOT_ALLOWED);
      break;
    default:
      result.set_outcome(v1::Result::UNAVAILABLE);
      break;
  }
}

}  // namespace

/// Inputs as the coordinator's blobs, and the file that becomes one.
struct LeaseRunner::Files {
  std::vector<Descriptor> inputs;
  OutputFile output;

  /// In the order of their numbers in the child.
  std::vector<int> descriptors() const {
    std::vector<int> numbers;
    for (const Descriptor &file : inputs) numbers.push_back(file.get());
    numbers.insert(numbers.begin() + 1, output.descriptor());
    return numbers;
  }
};

uint64_t LeaseRunner::bytesOf(const Files &files) {
  uint64_t bytes = 0;
  for (const int file : files.descriptors()) {
    struct stat status{};
    if (fstat(file, &status) == 0) bytes += static_cast<uint64_t>(status.st_size);
  }
  return bytes;
}

std::optional<v1::LeaseResult> LeaseRunner::run(const v1::Lease &lease, Deadline deadline, Cancellation &cancellation,
                                                const std::function<void(const v1::Progress &)> &progress) const {
  v1::LeaseResult result;
  result.set_task(lease.task());
  result.set_epoch(lease.epoch());
  const absl::Status status = work(lease, {cancellation, deadline, lease.task(), lease.epoch()}, progress, result);
  if (cancellation.isCancelled()) return std::nullopt;
  if (!status.ok()) setFailure(status, result);
  if (const size_t bytes = result.result().ByteSizeLong(); bytes > kLongestResult) {
    result.clear_artifact();
    setFailure(absl::ResourceExhaustedError(absl::StrCat("the texts that were asked for have ", bytes,
                                                         " bytes, and at most ", kLongestResult,
                                                         " travel with a result; ask for fewer, or compile locally")),
               result);
  }
  return result;
}

absl::StatusOr<LeaseRunner::Files> LeaseRunner::openFiles(const std::vector<v1::Digest> &inputs,
                                                          const Errand &errand) const {
  std::vector<Descriptor> files;
  for (const v1::Digest &digest : inputs) {
    auto file = parts_.blobs->open(digest, errand);
    if (!file.ok()) return file.status();
    files.push_back(*std::move(file));
  }
  auto output = parts_.blobs->newOutput(errand);
  if (!output.ok()) return output.status();
  return Files{std::move(files), *std::move(output)};
}

absl::Status LeaseRunner::work(const v1::Lease &lease, Errand errand,
                               const std::function<void(const v1::Progress &)> &progress,
                               v1::LeaseResult &result) const {
  const v1::TaskSpec &spec = lease.spec();
  const WorkKind &kind = *kindOf(spec);
  auto files = openFiles(kind.inputs(spec), errand);
  if (!files.ok()) {
    result.set_is_workers_fault(isNotTheWorks(files.status()));
    return files.status();
  }
  v1::Work work = kind.work(spec);
  v1::Limits &limits = *work.mutable_limits();
  // What is its alone is bounded from its start; this adds files that are mapped, twice at most, and what is reserved.
  limits.set_address_space_bytes(parts_.childMemoryBytes + kReservedBytes + 2 * bytesOf(*files));
  limits.set_file_bytes(parts_.childDiskBytes);
  // The clock on the wall decides; this is for a child that escapes it.
  const double cpus = std::max(1u, std::thread::hardware_concurrency());
  limits.set_cpu_seconds(static_cast<uint64_t>(std::ceil(lease.deadline_seconds() * cpus)) + kSpareCpuSeconds);
  if (absl::Status status = converse(lease, work, *files, errand, progress, result); !status.ok()) return status;
  if (result.result().outcome() != v1::Result::DONE) {
    // What the child could not write is our disk's fault, not the work's.
    if (result.result().outcome() == v1::Result::UNAVAILABLE && isDiskFull()) result.set_is_workers_fault(true);
    return absl::OkStatus();
  }
  if (kind.makesFile != nullptr && !kind.makesFile(spec)) return absl::OkStatus();
  auto digest = parts_.blobs->store(std::move(files->output), errand);
  if (!digest.ok()) {
    result.set_is_workers_fault(isNotTheWorks(digest.status()));
    return digest.status();
  }
  kind.take(*digest, result);
  return absl::OkStatus();
}

absl::Status LeaseRunner::converse(const v1::Lease &lease, v1::Work &work, const Files &files, Errand &errand,
                                   const std::function<void(const v1::Progress &)> &progress,
                                   v1::LeaseResult &result) const {
  QuietLock::Quiet quiet;
  std::vector<int> descriptors = files.descriptors();
  const WorkKind &kind = *kindOf(lease.spec());
  if (kind.isTimed != nullptr && kind.isTimed(lease.spec())) {
    const auto asked = Deadline::clock::now();
    auto held = parts_.quiet->measure(errand.cancellation);
    if (!held.ok()) return held.status();
    quiet = *std::move(held);
    // Nor is the wait for it the work's.
    errand.deadline += Deadline::clock::now() - asked;
  }
  if (quiet.has_value()) {
    kind.giveCores(kFirstInput + static_cast<int>(descriptors.size()), work);
    descriptors.push_back(quiet->descriptor());
  }
  ChildEnd end;
  // One that was killed while it waited in reserve has touched nothing: another one takes its place, once.
  for (int attempt = 0; attempt < 2 && end.reason == ChildEnd::Reason::Ended && !end.hasBegun; ++attempt) {
    auto child = parts_.children->take();
    if (!child.ok()) return absl::InternalError(child.status().message());
    {
      std::optional<QuietLock::Builder> builder;
      if (kind.role == v1::ROLE_BUILDER) builder.emplace(*parts_.quiet, (*child)->pid());
      (*child)->begin(work, descriptors);
      const auto lost = [&builder] { return builder.has_value() ? builder->lost() : Deadline::duration(); };
      (*child)->converse(errand.deadline, errand.cancellation, progress, lost);
      errand.deadline += lost();
    }
    end = (*child)->finish();
  }
  result.set_log(logOf(end));
  *result.mutable_result() = resultOf(end, work, kind.code, lease.deadline_seconds());
  return absl::OkStatus();
}

bool LeaseRunner::isDiskFull() const {
  constexpr uint64_t kFull = 16 << 20;
  struct statvfs facts{};
  return statvfs(parts_.blobs->folder().c_str(), &facts) == 0 && facts.f_bavail * facts.f_frsize < kFull;
}

}  // namespace hone::worker
