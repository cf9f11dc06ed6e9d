// hone jobs list.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/jobs/jobs.h"
#include "client/remote_command.h"
#include "client/service/job_follow.h"

namespace hone::client {

namespace {

constexpr v1::JobState kStates[] = {v1::JOB_PENDING, v1::JOB_RUNNING, v1::JOB_SUCCEEDED, v1::JOB_FAILED,
                                    v1::JOB_CANCELLED};

struct ListFlags {
  std::string user;
  std::vector<std::string> states;
  int limit = 100;
  bool mine = false;
  std::string format;
};

v1::ListJobsRequest requestFor(const ListFlags &flags, const Connection &connection) {
  v1::ListJobsRequest request;
  // As whom the server sees us: it may know better than we do.
  request.set_user(flags.mine ? connection.capabilities().user() : flags.user);
  for (const v1::JobState state : kStates)
    if (std::find(flags.states.begin(), flags.states.end(), nameOf(state)) != flags.states.end())
      request.add_states(state);
  return request;
}

void addRow(const v1::Job &job, int64_t now, Listing &listing) {
  const int64_t begin = job.started_micros() == 0 ? job.submitted_micros() : job.started_micros();
  const int64_t end = job.ended_micros() == 0 ? now : job.ended_micros();
  listing.rows.push_back({job.id(), nameOf(job.state()), job.user(), kindOf(job), timeText(job.submitted_micros()),
                          durationText(static_cast<double>(end - begin) / 1e6), orDash(job.worker()), job.label()});
  listing.json.push_back(jobJson(job));
}

absl::Status list(const ListFlags &flags, Connection &connection) {
  Listing listing{{"ID", "STATE", "USER", "KIND", "SUBMITTED", "TIME", "WORKER", "LABEL"}, {}};
  v1::ListJobsRequest request = requestFor(flags, connection);
  int left = flags.limit;
  do {
    request.set_page_size(std::min(left, 1000));
    v1::ListJobsResponse response;
    absl::Status status = connection.call(
        {}, [&](grpc::ClientContext &context) { return connection.jobs().List(&context, request, &response); });
    if (!status.ok()) return status;
    for (const v1::Job &job : response.jobs()) addRow(job, connection.capabilities().now_micros(), listing);
    left -= response.jobs_size();
    request.set_page_token(response.next_page_token());
  } while (left > 0 && !request.page_token().empty());
  print(listing, flags.format);
  return absl::OkStatus();
}

}  // namespace

int jobsListCommand(const Invocation &invocation) {
  CLI::App app{"list jobs, newest first", "hone jobs list"};
  ListFlags flags;
  app.add_option("--user", flags.user, "only those of this user");
  app.add_flag("--mine", flags.mine, "only one's own");
  std::vector<std::string> names;
  for (const v1::JobState state : kStates) names.push_back(nameOf(state));
  app.add_option("--state", flags.states, "only those in this state; may be repeated")->check(CLI::IsMember(names));
  app.add_option("--limit", flags.limit, "at most so many")->capture_default_str()->check(CLI::Range(1, 1000000));
  declareFormat(app, flags.format);
  return runRemoteCommand(app, invocation, [&](Connection &connection) { return list(flags, connection); });
}

}  // namespace hone::client
