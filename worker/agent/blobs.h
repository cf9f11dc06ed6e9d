// The worker's way to blobs: inputs of leases as open files, outputs as new files that become blobs. Uses a cache and
// the coordinator's Blobs service; on the private coordinator files are opened and handed over by path.
//
// Calls block, go on over broken connections until the lease's end, and return CANCELLED when that has come,
// DEADLINE_EXCEEDED when its time is up, INTERNAL for what is this worker's own trouble (its disk), and whatever the
// coordinator answered. Thread-safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/descriptor.h"
#include "common/failpoint.h"
#include "common/mutex.h"
#include "hone/v1/blobs.grpc.pb.h"
#include "hone/v1/server.grpc.pb.h"
#include "worker/agent/blob_cache.h"
#include "worker/agent/cancellation.h"
#include "worker/agent/child.h"

namespace hone::worker {

/// The lease for which a blob travels: how long that makes sense, and whose result it is.
struct Errand {
  Cancellation &cancellation;
  Deadline deadline;
  int64_t task = 0, epoch = 0;
};

/// A file on its way to become a blob; removed if it does not.
class OutputFile {
 public:
  OutputFile(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  OutputFile(OutputFile &&) = default;
  OutputFile &operator=(OutputFile &&other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~OutputFile() {
    if (file_.isOpen()) unlink(path_.c_str());
  }
  const std::string &path() const { return path_; }
  int descriptor() const { return file_.get(); }

 private:
  std::string path_;
  Descriptor file_;
};

class Blobs {
 public:
  struct Settings {
    std::string name;    ///< of this worker, as the coordinator sees it
    std::string folder;  ///< for files on their way
    uint64_t seed;       ///< of pauses and of uploads' names
    Failpoints *failpoints;
  };
  /// \p cache outlives the object.
  Blobs(std::shared_ptr<grpc::Channel> channel, BlobCache &cache, Settings settings);

  /// Open for reading, from its start.
  absl::StatusOr<Descriptor> open(const v1::Digest &digest, const Errand &errand);

  absl::StatusOr<OutputFile> newOutput(const Errand &errand);
  /// A file with the bytes of \p output, which nobody else can change; none when they are many.
  std::optional<OutputFile> copyOfSmall(const OutputFile &output, const Errand &errand);
  absl::StatusOr<v1::Digest> store(OutputFile output, const Errand &errand);

  /// After a new connection: the coordinator may be another one.
  void forgetCapabilities();

  /// Where this worker's own files are, for who looks how full the disk is.
  const std::string &folder() const { return settings_.folder; }

 private:
  struct Incoming;
  absl::StatusOr<v1::Capabilities> capabilities(const Errand &errand);
  absl::StatusOr<Descriptor> locate(const v1::Digest &digest, const Errand &errand);
  absl::StatusOr<Descriptor> fetch(const v1::Digest &digest, const Errand &errand);
  absl::Status download(const v1::Digest &digest, Incoming &incoming, const Errand &errand);
  absl::Status upload(const OutputFile &output, const v1::Digest &digest, const std::string &id, int64_t chunk,
                      const Errand &errand);
  absl::Status send(const OutputFile &output, const v1::Digest &digest, const std::string &id, int64_t offset,
                    int64_t chunk, const Errand &errand);
  absl::StatusOr<Incoming> newIncoming();
  /// Repeats \p attempt while the coordinator is out of reach and the errand makes sense.
  template <typename Attempt>
  absl::Status persist(const Errand &errand, const Attempt &attempt);
  /// One call, ended with the errand.
  template <typename Call>
  absl::Status call(const Errand &errand, bool isShort, const Call &call);
  uint64_t random();

  BlobCache &cache_;
  const Settings settings_;
  const std::unique_ptr<v1::Blobs::Stub> blobs_;
  const std::unique_ptr<v1::Server::Stub> server_;
  Mutex mutex_;
  Condition fetched_;
  std::set<std::string> fetching_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::Capabilities> capabilities_ ABSL_GUARDED_BY(mutex_);
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hone::worker
