// A job from its submission to its end. Functions without state; they use the connection from the calling thread.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/progress.h"
#include "client/service/connection.h"
#include "client/service/pending_request.h"
#include "hone/v1/jobs.pb.h"

namespace hone::client {

/// Submits under the id that is kept, unless the job of that id has ended without a result: then under a new one.
absl::StatusOr<v1::Job> submit(Connection &connection, v1::SubmitRequest request, PendingRequest &pending);

using OnEvent = std::function<void(const v1::JobEvent &)>;

/// Watches until the job has ended, also over restarts of the server, and gives it in its final state. CANCELLED after
/// Ctrl-C, with a sentence that says how to come back. \p onEvent may be empty.
absl::StatusOr<v1::Job> follow(Connection &connection, const std::string &id, ProgressLine &progress,
                               const OnEvent &onEvent);

/// What a job in a final state means for the command: OK when it succeeded. \p subject as for statusOf().
absl::Status endOf(const v1::Job &job, const std::string &subject);

bool hasEnded(v1::JobState state);
/// "pending", "running", …
std::string nameOf(v1::JobState state);

}  // namespace hone::client
