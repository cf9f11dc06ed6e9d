// hone jobs download.

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/jobs/jobs.h"
#include "client/output_file.h"
#include "client/remote_command.h"
#include "client/service/calls.h"
#include "client/service/job_follow.h"
#include "client/service/job_kinds.h"
#include "client/service/transfer.h"

namespace hone::client {

namespace {

absl::Status download(const std::string &id, const std::string &path, Connection &connection) {
  auto job = getJob(connection, id);
  if (!job.ok()) return job.status();
  if (!hasEnded(job->state()))
    return absl::UnavailableError(absl::StrCat("job ", id, " is ", nameOf(job->state()), "; `hone jobs watch ", id,
                                               connection.endpoint().flags, "` waits for its end"));
  if (absl::Status end = endOf(*job, id); !end.ok()) return end;
  const v1::JobResult &result = job->result();
  const JobKind &kind = kindOf(job->spec());
  const v1::Digest digest = kind.file == nullptr ? v1::Digest() : kind.file(result);
  if (digest.sha256().empty())
    return absl::UnavailableError(absl::StrCat("job ", id, " has made no file; `hone jobs show ", id,
                                               connection.endpoint().flags, "` tells what it did"));
  auto output = OutputFile::create(path);
  if (!output.ok()) return output.status();
  ProgressLine progress;
  Transfer transfer(connection, progress);
  absl::Status got = transfer.get(digest, *output);
  return got.ok() ? output->commit() : got;
}

}  // namespace

int jobsDownloadCommand(const Invocation &invocation) {
  CommandLine line{"fetch what a job has made: the artifact of a compile job, the outputs (npz) of a run job",
                   "hone jobs download"};
  std::string id, output;
  line.option("ID", id, "of the job").required();
  line.option("-o,--output", output, "the file to write").required();
  return runRemoteCommand(line, invocation, [&](Connection &connection) { return download(id, output, connection); });
}

}  // namespace hone::client
