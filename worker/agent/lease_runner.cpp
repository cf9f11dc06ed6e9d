#include "worker/agent/lease_runner.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "text/printable.h"
#include "worker/agent/channel.h"
#include "worker/agent/child_end.h"

namespace hone::worker {

namespace {

// What code generation reserves without using it, libraries and stacks.
constexpr uint64_t kReservedBytes = uint64_t{8} << 30;
constexpr uint64_t kSpareCpuSeconds = 60;
// What still travels in one message besides the log.
constexpr size_t kLongestResult = 3 << 20;
constexpr size_t kLongestItem = 256 << 10;

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

v1::ItemResult itemResult(const WorkKind &kind, int32_t item, const v1::Result &result) {
  v1::ItemResult end = kind.itemResult(result);
  if (const size_t bytes = end.ByteSizeLong(); bytes > kLongestItem) {
    v1::Result failure;
    failure.set_outcome(v1::Result::WORK_FAILED);
    failure.set_sentence(absl::StrCat("the result has ", bytes, " bytes, and that of an item at most ", kLongestItem));
    end = kind.itemResult(failure);
  }
  end.set_item(item);
  return end;
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
    numbers.insert(numbers.begin() + (numbers.empty() ? 0 : 1), output.descriptor());
    return numbers;
  }
};

/// What is asked of children for a lease.
struct LeaseRunner::Order {
  const v1::Lease &lease;
  const WorkKind &kind;
  uint64_t fileBytes = 0;
  int cores = 0;  ///< number of the descriptor of the cores' lock; 0: not timed

  int32_t items() const { return kind.items == nullptr ? 0 : kind.items(lease.spec()); }
  double itemSeconds() const {
    return kind.itemSeconds == nullptr ? lease.deadline_seconds() : kind.itemSeconds(lease.spec());
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
                                                const Listener &listener) const {
  v1::LeaseResult result;
  result.set_task(lease.task());
  result.set_epoch(lease.epoch());
  const absl::Status status = work(lease, {cancellation, deadline, lease.task(), lease.epoch()}, listener, result);
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

absl::Status LeaseRunner::work(const v1::Lease &lease, Errand errand, const Listener &listener,
                               v1::LeaseResult &result) const {
  const v1::TaskSpec &spec = lease.spec();
  const WorkKind &kind = *kindOf(parts_.kinds, spec);
  auto files = openFiles(kind.inputs(spec), errand);
  if (!files.ok()) {
    result.set_is_workers_fault(isNotTheWorks(files.status()));
    return files.status();
  }
  if (absl::Status status = converse(lease, *files, errand, listener, result); !status.ok()) return status;
  parts_.failpoints->pass("worker.child.ended");
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
  parts_.failpoints->pass("worker.upload.stored");
  kind.take(*digest, result);
  return absl::OkStatus();
}

absl::Status LeaseRunner::converse(const v1::Lease &lease, Files &files, Errand &errand, const Listener &listener,
                                   v1::LeaseResult &result) const {
  Order order{.lease = lease, .kind = *kindOf(parts_.kinds, lease.spec()), .fileBytes = bytesOf(files)};
  QuietLock::Quiet quiet;
  Deadline::duration waited{};
  std::vector<int> descriptors = files.descriptors();
  if (order.kind.isTimed != nullptr && order.kind.isTimed(lease.spec())) {
    const auto asked = Deadline::clock::now();
    parts_.children->endNow();
    auto held = parts_.quiet->measure(errand.cancellation);
    if (!held.ok()) return held.status();
    quiet = *std::move(held);
    // Nor is the wait for it the work's.
    waited = Deadline::clock::now() - asked;
    errand.deadline += waited;
    listener.stoodStill(waited);
  }
  if (quiet.has_value()) {
    order.cores = kFirstInput + static_cast<int>(descriptors.size());
    descriptors.push_back(quiet->descriptor());
  }
  ServingChild::Terms terms{.cancellation = errand.cancellation,
                            .progress = listener.progress,
                            .isBuilder = order.kind.role == v1::ROLE_BUILDER,
                            .stoodStill = [&, waited](Deadline::duration more) { listener.stoodStill(waited + more); },
                            .files = std::move(descriptors),
                            .failpoints = parts_.failpoints};
  // Who has the cores for a measurement has them until the child is gone.
  if (order.cores == 0) terms.isIndependent = [&] { return isIndependent(order, files, errand); };
  if (order.items() > 0 && order.kind.itemSeconds != nullptr)
    terms.most = std::chrono::duration_cast<Deadline::duration>(std::chrono::duration<double>(order.itemSeconds()));
  ServingChild child(*parts_.children, *parts_.quiet, std::move(terms));
  const absl::Status status =
      order.items() > 0 ? doItems(order, child, errand, listener, result) : doWhole(order, child, errand, result);
  result.set_log(logOf(child.log()));
  return status;
}

// A small output is taken from the child by a copy.
bool LeaseRunner::isIndependent(const Order &order, Files &files, const Errand &errand) const {
  if (order.kind.makesFile != nullptr && !order.kind.makesFile(order.lease.spec())) return true;
  auto copy = parts_.blobs->copyOfSmall(files.output, errand);
  if (!copy.has_value()) return false;
  files.output = *std::move(copy);
  return true;
}

v1::Limits LeaseRunner::limits(double seconds, uint64_t fileBytes) const {
  v1::Limits limits;
  // What is its alone is bounded from its start; this adds files that are mapped, twice at most, and what is reserved.
  limits.set_address_space_bytes(parts_.childMemoryBytes + kReservedBytes + 2 * fileBytes);
  limits.set_file_bytes(parts_.childDiskBytes);
  // The clock on the wall decides; this is for a child that escapes it.
  const double cpus = std::max(1u, std::thread::hardware_concurrency());
  limits.set_cpu_seconds(static_cast<uint64_t>(std::ceil(seconds * cpus)) + kSpareCpuSeconds);
  return limits;
}

absl::Status LeaseRunner::doWhole(const Order &order, ServingChild &child, Errand &errand,
                                  v1::LeaseResult &result) const {
  v1::Work work = order.kind.work(order.lease.spec());
  *work.mutable_limits() = limits(order.lease.deadline_seconds(), order.fileBytes);
  if (order.cores > 0) order.kind.giveCores(order.cores, work);
  auto end = child.work(work, true, errand.deadline);
  if (!end.ok()) return end.status();
  *result.mutable_result() = resultOf(*end, work, order.kind.code, order.lease.deadline_seconds());
  if (order.kind.answer != nullptr) order.kind.answer(result.result(), result);
  return absl::OkStatus();
}

absl::Status LeaseRunner::doItems(const Order &order, ServingChild &child, Errand &errand, const Listener &listener,
                                  v1::LeaseResult &result) const {
  const std::set<int32_t> ended(order.lease.ended_items().begin(), order.lease.ended_items().end());
  std::vector<int32_t> left;
  for (int32_t item = 0; item < order.items(); ++item)
    if (!ended.contains(item)) left.push_back(item);
  for (const int32_t item : left) {
    v1::Work work = order.kind.itemWork(order.lease.spec(), item);
    *work.mutable_limits() = limits(order.itemSeconds(), order.fileBytes);
    *work.mutable_process_limits() = limits(order.lease.deadline_seconds(), order.fileBytes);
    if (order.cores > 0) order.kind.giveCores(order.cores, work);
    auto end = child.work(work, item == left.back(), errand.deadline);
    if (!end.ok()) return end.status();
    if (end->reason == ChildEnd::Reason::Cancelled) return absl::CancelledError("nobody wants the rest");
    const bool isAllOver = end->reason == ChildEnd::Reason::Deadline && Deadline::clock::now() >= errand.deadline;
    v1::Result one =
        resultOf(*end, work, order.kind.code, isAllOver ? order.lease.deadline_seconds() : order.itemSeconds());
    if (isAllOver || (one.outcome() == v1::Result::UNAVAILABLE && isDiskFull())) {
      *result.mutable_result() = std::move(one);
      return absl::OkStatus();
    }
    listener.itemEnded(itemResult(order.kind, item, one));
  }
  result.mutable_result()->set_outcome(v1::Result::DONE);
  return absl::OkStatus();
}

bool LeaseRunner::isDiskFull() const {
  constexpr uint64_t kFull = 16 << 20;
  struct statvfs facts{};
  return statvfs(parts_.blobs->folder().c_str(), &facts) == 0 && facts.f_bavail * facts.f_frsize < kFull;
}

}  // namespace hone::worker
