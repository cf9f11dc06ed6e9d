// The id under which a command submits its job, kept in a file until the job's result is delivered: the same command
// after an interruption gets the same job. While a command lives it has its file locked: another one of the same words
// at the same time is a job of its own. Not thread-safe; owns the lock.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "client/service/endpoint.h"
#include "common/file_lock.h"
#include "hone/v1/jobs.pb.h"

namespace hone::client {

class PendingRequest {
 public:
  /// For a request (whose request_id is not looked at) to \p endpoint. Where no file can be kept, the id is kept by
  /// nobody.
  static PendingRequest find(const v1::SubmitRequest &request, const Endpoint &endpoint);

  const std::string &id() const { return id_; }
  /// Whether an earlier command left it behind.
  bool isOld() const { return isOld_; }
  /// A new id: the old job is of no use.
  void renew();
  /// The result is delivered (or nobody will ask for it under this id).
  void forget();

 private:
  PendingRequest() = default;
  void keep();

  std::string id_;
  bool isOld_ = false;
  std::filesystem::path path_;  // empty: not kept
  std::optional<FileLock> lock_;
};

}  // namespace hone::client
