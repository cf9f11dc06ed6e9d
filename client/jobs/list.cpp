// hone jobs list.
#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/command_line.h"
#include "client/jobs/jobs.h"
#include "client/remote_command.h"
#include "client/service/calls.h"
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
  listing.rows.push_back({job.id(), nameOf(job.state()), job.user(), kindText(job), timeText(job.submitted_micros()),
                          durationText(static_cast<double>(end - begin) / 1e6), orDash(job.worker()), job.label()});
  listing.json.push_back(jobJson(job));
}

absl::Status list(const ListFlags &flags, Connection &connection) {
  Listing listing{{"ID", "STATE", "USER", "KIND", "SUBMITTED", "TIME", "WORKER", "LABEL"}, {}};
  v1::ListJobsRequest request = requestFor(flags, connection);
  int left = flags.limit;
  do {
    request.set_page_size(std::min(left, 1000));
    auto page = listJobs(connection, request);
    if (!page.ok()) return page.status();
    for (const v1::Job &job : page->jobs()) addRow(job, connection.capabilities().now_micros(), listing);
    left -= page->jobs_size();
    request.set_page_token(page->next_page_token());
  } while (left > 0 && !request.page_token().empty());
  print(listing, flags.format);
  return absl::OkStatus();
}

}  // namespace

int jobsListCommand(const Invocation &invocation) {
  CommandLine line{"list jobs, newest first", "hone jobs list"};
  ListFlags flags;
  line.option("--user", flags.user, "only those of this user");
  line.flag("--mine", flags.mine, "only one's own");
  std::vector<std::string> names;
  for (const v1::JobState state : kStates) names.push_back(nameOf(state));
  line.option("--state", flags.states, "only those in this state; may be repeated").oneOf(names);
  line.option("--limit", flags.limit, "at most so many").showsDefault().between(1, 1000000);
  declareFormat(line, flags.format);
  return runRemoteCommand(line, invocation, [&](Connection &connection) { return list(flags, connection); });
}

}  // namespace hone::client
