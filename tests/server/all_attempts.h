// The attempts at a job, from all pages of them.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/store/store.h"

namespace hone::server {

inline absl::StatusOr<std::vector<v1::Attempt>> allAttempts(const Store &store, const std::string &job) {
  std::vector<v1::Attempt> attempts;
  v1::AttemptsRequest request;
  request.set_id(job);
  do {
    const absl::StatusOr<v1::AttemptsResponse> page = store.attempts(request);
    if (!page.ok()) return page.status();
    attempts.insert(attempts.end(), page->attempts().begin(), page->attempts().end());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return attempts;
}

}  // namespace hone::server
