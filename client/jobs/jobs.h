// The subcommands of `hone jobs`, one file each, and what they share: a job as text and as JSON.
#pragma once

#include <string>

#include "client/commands.h"
#include "client/listing.h"
#include "hone/v1/jobs.pb.h"

namespace hone::client {

int jobsListCommand(const Invocation &invocation);
int jobsShowCommand(const Invocation &invocation);
int jobsWatchCommand(const Invocation &invocation);
int jobsCancelCommand(const Invocation &invocation);
int jobsLogsCommand(const Invocation &invocation);
int jobsDownloadCommand(const Invocation &invocation);

/// "compile" or "run KEY".
std::string kindText(const v1::Job &job);
/// The fields that `hone jobs list` prints.
Json jobJson(const v1::Job &job);
/// "2026-11-23 04:16:15  pending -> running  worker:a  …".
Json eventJson(const v1::JobEvent &event);
std::string eventText(const v1::JobEvent &event);

}  // namespace hone::client
