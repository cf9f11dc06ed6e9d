#include "server/kinds/kinds.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/kinds/entries.h"
#include "server/kinds/fields.h"

namespace hone::server {
namespace {

constexpr const JobKind *kJobs[] = {&kCompileJob, &kRunJob, &kBenchJob};
constexpr const TaskKind *kTasks[] = {&kCompileTask, &kRunTask, &kBenchTask};

/// What a worker of interface version 1 can do, which does not say it.
constexpr const TaskKind *kFirstTasks[] = {&kCompileTask, &kRunTask};

constexpr size_t kMostLabel = 256;
constexpr int kMostPriority = 100;

template <typename Entry, typename Is>
const Entry *first(std::span<const Entry *const> table, Is is) {
  const auto found = std::ranges::find_if(table, [&](const Entry *entry) { return is(*entry); });
  return found == table.end() ? nullptr : *found;
}

bool hasRole(const v1::Hello &hello, v1::Role role) {
  return std::find(hello.roles().begin(), hello.roles().end(), role) != hello.roles().end();
}

bool canDo(const v1::Hello &hello, const TaskKind &kind) {
  if (!hasRole(hello, kind.role)) return false;
  if (hello.kinds().empty()) return std::ranges::find(kFirstTasks, &kind) != std::end(kFirstTasks);
  return std::any_of(hello.kinds().begin(), hello.kinds().end(), [&](const v1::KindVersion &known) {
    return known.kind() == kind.name && known.version() >= kind.version;
  });
}

}  // namespace

const Kinds &serviceKinds() {
  static const Kinds kinds(kJobs, kTasks);
  return kinds;
}

const JobKind *Kinds::find(const v1::JobSpec &spec) const {
  return first(jobs_, [&](const JobKind &kind) { return kind.which == spec.kind_case(); });
}

const JobKind *Kinds::findJob(std::string_view name) const {
  return first(jobs_, [&](const JobKind &kind) { return kind.name == name; });
}

const TaskKind *Kinds::find(const v1::TaskSpec &spec) const {
  return first(tasks_, [&](const TaskKind &kind) { return kind.which == spec.kind_case(); });
}

const TaskKind *Kinds::findTask(std::string_view name) const {
  return first(tasks_, [&](const TaskKind &kind) { return kind.name == name; });
}

std::vector<const TaskKind *> Kinds::of(const v1::Hello &hello) const {
  std::vector<const TaskKind *> known;
  std::ranges::copy_if(tasks_, std::back_inserter(known), [&](const TaskKind *kind) { return canDo(hello, *kind); });
  return known;
}

absl::Status checkSubmit(const v1::SubmitRequest &request, const Kinds &kinds, int64_t mostSeconds) {
  HONE_CHECK(checkId("request_id", request.request_id()));
  HONE_CHECK(checkRange("priority", request.priority(), -kMostPriority, kMostPriority));
  HONE_CHECK(checkLength("label", request.label(), kMostLabel));
  HONE_CHECK(checkRange("deadline_seconds", request.deadline_seconds(), 0, mostSeconds));
  if (const JobKind *kind = kinds.find(request.spec())) return kind->check(request.spec());
  return absl::InvalidArgumentError(
      "spec asks for no work that this coordinator knows; a newer client may know more: update the coordinator");
}

v1::TaskSpec taskOf(const v1::JobSpec &spec) {
  v1::TaskSpec task;
  // The fields have the same numbers and types; kinds.cpp's tables name those that do.
  task.ParseFromString(spec.SerializeAsString());
  return task;
}

v1::JobResult resultOf(const v1::TaskResult &result) {
  v1::JobResult job;
  *job.mutable_result() = result.result();
  if (result.has_artifact()) *job.mutable_artifact() = result.artifact();
  if (result.has_outputs()) *job.mutable_outputs() = result.outputs();
  job.set_from_cache(result.from_cache());
  return job;
}

std::vector<v1::Digest> blobsOf(const v1::TaskResult &result) {
  std::vector<v1::Digest> digests = {result.artifact(), result.outputs(), result.build().library()};
  std::erase_if(digests, [](const v1::Digest &digest) { return digest.sha256().empty(); });
  return digests;
}

}  // namespace hone::server
