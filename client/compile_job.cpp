#include "client/compile_job.h"

#include <utility>

#include "client/crash_report.h"
#include "client/service/job_follow.h"
#include "client/service/job_run.h"

namespace hone::client {

absl::StatusOr<v1::JobSpec> CompileJob::specify(Transfer &transfer) const {
  auto digest = transfer.put(model.descriptor(), path);
  if (!digest.ok()) return digest.status();
  v1::JobSpec spec;
  v1::CompileJob &job = *spec.mutable_compile();
  *job.mutable_model() = *std::move(digest);
  *job.mutable_options() = options;
  job.set_skip_cache(skipCache);
  return spec;
}

absl::Status CompileJob::explain(const v1::Job &job, Connection &connection) const {
  if (job.result().result().outcome() != v1::Result::DEFECT) return endOf(job, path);
  Request request{{}, {.input = model.descriptor()}, path, commandLine};
  *request.work.mutable_compile() = options;
  return explainDeath(request, {job.result().result(), 0, "", lastLog(connection, job.id())});
}

}  // namespace hone::client
