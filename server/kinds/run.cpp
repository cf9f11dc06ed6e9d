// Run: artifact, inputs -> outputs and times. On a device; never kept: its point is that it happens.
#include <vector>

#include "server/kinds/device_options.h"
#include "server/kinds/entries.h"
#include "server/kinds/fields.h"

namespace hone::server {
namespace {

absl::Status check(const v1::JobSpec &spec) {
  const v1::RunJob &job = spec.run();
  HONE_CHECK(checkDigestField("spec.run.artifact", job.has_artifact(), job.artifact(), true));
  HONE_CHECK(checkDigestField("spec.run.inputs", job.has_inputs(), job.inputs(), false));
  HONE_CHECK(checkName("spec.run.key", job.key()));
  const v1::Run &options = job.options();
  HONE_CHECK(checkRange("print_top", options.print_top(), 0, kMostRuns));
  HONE_CHECK(checkRange("repeat", options.repeat(), 0, kMostRuns));
  return checkDeviceOptions(options);
}

std::string key(const v1::TaskSpec &spec) { return spec.run().key(); }

std::vector<v1::Digest> blobs(const v1::TaskSpec &spec) {
  std::vector<v1::Digest> digests;
  addBlob(digests, spec.run().artifact());
  addBlob(digests, spec.run().inputs());
  return digests;
}

}  // namespace

const TaskKind kRunTask = {.which = v1::TaskSpec::kRun,
                           .name = "run",
                           .version = 1,
                           .role = v1::ROLE_DEVICE,
                           .key = key,
                           .blobs = blobs,
                           .specification = nullptr,
                           .items = nullptr,
                           .missing = nullptr,
                           .scratch = nullptr};

const JobKind kRunJob = {.which = v1::JobSpec::kRun,
                         .name = "run",
                         .check = check,
                         .shorten = nullptr,
                         .task = &kRunTask,
                         .begin = nullptr,
                         .advance = nullptr};

}  // namespace hone::server
