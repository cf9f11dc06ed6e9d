// Bench: artifacts, inputs -> their times, taken in turns in one process. On a device; never kept, as run.
#include <string>
#include <vector>

#include "server/kinds/device_options.h"
#include "server/kinds/entries.h"
#include "server/kinds/fields.h"

namespace hone::server {
namespace {

constexpr int kFewestArtifacts = 2;
constexpr int kMostArtifacts = 8;
constexpr size_t kMostName = 4096;
constexpr int64_t kFewestRounds = 6;    // fewer have no interval
constexpr int64_t kMostRounds = 10000;  // their samples travel in one message

absl::Status check(const v1::JobSpec &spec) {
  const v1::BenchJob &job = spec.bench();
  HONE_CHECK(checkRange("the number of artifacts", job.artifacts_size(), kFewestArtifacts, kMostArtifacts));
  for (const v1::Digest &artifact : job.artifacts())
    HONE_CHECK(checkDigestField("spec.bench.artifacts", true, artifact, true));
  HONE_CHECK(checkDigestField("spec.bench.inputs", job.has_inputs(), job.inputs(), false));
  HONE_CHECK(checkName("spec.bench.key", job.key()));
  const v1::Bench &options = job.options();
  HONE_CHECK(checkRange("the number of names", options.names_size(), 0, job.artifacts_size()));
  for (const std::string &name : options.names()) HONE_CHECK(checkLength("an artifact's name", name, kMostName));
  HONE_CHECK(checkRange("repeat", options.repeat(), kFewestRounds, kMostRounds));
  return checkDeviceOptions(options);
}

std::string key(const v1::TaskSpec &spec) { return spec.bench().key(); }

std::vector<v1::Digest> blobs(const v1::TaskSpec &spec) {
  std::vector<v1::Digest> digests;
  for (const v1::Digest &artifact : spec.bench().artifacts()) addBlob(digests, artifact);
  addBlob(digests, spec.bench().inputs());
  return digests;
}

}  // namespace

const TaskKind kBenchTask = {.which = v1::TaskSpec::kBench,
                             .name = "bench",
                             .version = 1,
                             .role = v1::ROLE_DEVICE,
                             .key = key,
                             .blobs = blobs,
                             .specification = nullptr,
                             .items = nullptr,
                             .missing = nullptr,
                             .scratch = nullptr};

const JobKind kBenchJob = {.which = v1::JobSpec::kBench,
                           .name = "bench",
                           .check = check,
                           .shorten = nullptr,
                           .task = &kBenchTask,
                           .begin = nullptr,
                           .advance = nullptr};

}  // namespace hone::server
