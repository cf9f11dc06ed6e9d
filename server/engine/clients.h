// What clients ask for: submit, cancel, blobs, records, watching. Each is applied within the group that is open; a
// status that is not OK means that the store failed. Used by the engine's thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/engine/job_ids.h"
#include "server/engine/kept_results.h"
#include "server/engine/new_tasks.h"
#include "server/engine/retention.h"
#include "server/engine/state.h"
#include "server/engine/transitions.h"

namespace hone::server {

class Clients {
 public:
  Clients(State &state, Transitions &transitions, KeptResults &kept, Retention &retention)
      : state_(state), transitions_(transitions), kept_(kept), retention_(retention), ids_(state.parts.seed) {}

  absl::Status submit(const std::string &user, const v1::SubmitRequest &request, const Callback<v1::Job> &done);
  absl::Status queuePosition(const std::string &job, const Callback<int64_t> &done);
  absl::Status cancel(const std::string &user, const std::string &job, const Callback<v1::Job> &done);
  absl::Status blobStored(const std::string &user, const v1::Digest &digest, const Callback<v1::Digest> &done);
  absl::Status blobsSeen(const std::vector<BlobRow> &blobs, const Callback<std::vector<v1::Digest>> &done);
  absl::Status blobDamaged(const v1::Digest &digest);
  absl::Status importRecords(const v1::ImportRecordsRequest &request, const Callback<v1::ImportRecordsResponse> &done);
  absl::Status watch(const std::string &job, const std::shared_ptr<JobWatcher> &watcher);

 private:
  struct Submission {
    std::string user;
    v1::SubmitRequest request;
    const JobKind *kind;
    Beginning beginning;
    Callback<v1::Job> done;
    std::string specificationKey() const;  ///< of the job's one task; empty: never shared
  };
  /// A refusal, by what there is now. OK: the job may be put.
  absl::Status admit(const Submission &submission) const;
  absl::Status admitBlob(const v1::Digest &digest) const;
  absl::Status admitKey(const std::string &key) const;
  absl::Status admitKind(const NewTask &task) const;
  absl::Status refuse(const Submission &submission, const absl::Status &refusal);
  /// The blobs that the job's first tasks read, each once.
  std::vector<v1::Digest> blobsOf(const Submission &submission) const;
  /// Makes the job durable; ended at once with the result of equal work, if there is one.
  absl::Status put(const Submission &submission, const std::optional<KeptResult> &known);
  absl::Status answer(const Submission &submission, const Store::PutJob &put, const KeptResult &known);
  absl::Status putBlobs(const std::string &user, const std::vector<v1::Digest> &blobs);
  absl::StatusOr<std::string> freshId();

  State &state_;
  Transitions &transitions_;
  KeptResults &kept_;
  Retention &retention_;
  JobIds ids_;
};

}  // namespace hone::server
