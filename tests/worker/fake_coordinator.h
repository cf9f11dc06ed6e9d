// A coordinator that does what a test says: takes one worker's stream, grants what it is told to grant, acknowledges
// when it is told to. Blobs are kept in memory, or, as the private coordinator does it, in a folder. Thread-safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hone/v1/blobs.grpc.pb.h"
#include "hone/v1/fleet.grpc.pb.h"
#include "hone/v1/server.grpc.pb.h"
#include "tests/worker/worker_program.h"

namespace hone::test {

class FakeCoordinator {
 public:
  struct Settings {
    double heartbeatSeconds = 0.1;
    double silenceSeconds = 30;
    bool acknowledges = true;  ///< results at once
    bool acknowledgesItems = true;
    bool answersHeartbeats = true;
    bool answersGoodbyes = true;
    std::string privateFolder = {};  ///< not empty: private, with blobs and staging there
  };
  /// Listens on a socket in \p folder.
  FakeCoordinator(const std::string &folder, Settings settings);
  ~FakeCoordinator();
  std::string address() const { return "unix:" + socket_; }

  void setAcknowledges(bool value);
  void setAcknowledgesItems(bool value);
  void setAnswersHeartbeats(bool value);
  /// To be said in the next Welcome.
  void setDropped(std::vector<v1::HeldLease> dropped);
  void setNextDownloadDamaged();
  /// Breaks the next download and the next upload in the middle.
  void setNextTransfersBroken();
  /// Uploads are refused as by a full disk, with this many seconds until the next attempt, so many times.
  void setDiskFull(int times, double retrySeconds);
  int refusedUploads() const;
  /// The header of the last upload.
  v1::UploadHeader lastUpload() const;

  /// Who is waited for; it lives as long as anybody waits.
  void follow(const WorkerProgram *worker);
  /// The n-th Hello, from 1; waits for it.
  v1::Hello hello(size_t number);
  size_t hellos() const;
  void send(const v1::CoordinatorMessage &message);
  void grant(int64_t task, int64_t epoch, const v1::TaskSpec &spec, double duration = 60, double deadline = 120,
             const std::vector<int32_t> &endedItems = {});
  void acknowledge(int64_t task, int64_t epoch, bool isAccepted = true);
  void acknowledge(const v1::LeaseItems &items, bool isAccepted = true);
  void revoke(int64_t task, int64_t epoch);
  /// Breaks the stream.
  void cut();
  /// Ends the server; a new one is made on the same socket by start().
  void stop();
  void start();

  /// Waits until a message fits; one is used up once. None when the worker has ended, or has nothing to do and does not
  /// send it. \p seconds: the work ends by this deadline, and whether it is busy until then says nothing.
  std::optional<v1::WorkerMessage> await(const std::function<bool(const v1::WorkerMessage &)> &fits,
                                         double seconds = 0);
  /// Fails the test where there is none.
  std::optional<v1::LeaseResult> result(int64_t task, double seconds = 0);
  bool hasResult(int64_t task) const;
  /// All that came for the lease until now.
  std::vector<v1::LeaseItems> items(int64_t task, int64_t epoch = 1) const;

  v1::Digest putBlob(const std::string &bytes);
  std::string blob(const v1::Digest &digest) const;
  int downloads() const;

 private:
  class FleetService;
  class BlobsService;
  class ServerService;
  friend class FleetService;
  friend class BlobsService;

  using Stream = grpc::ServerReaderWriter<v1::CoordinatorMessage, v1::WorkerMessage>;
  /// False: it did not come to hold in time, or the worker ended without it.
  bool waitUntil(std::unique_lock<std::mutex> &lock, double seconds, const std::function<bool()> &holds);
  void attached(grpc::ServerContext *context, Stream *stream);
  void took(const v1::WorkerMessage &message);

  const std::string socket_;
  Settings settings_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  const WorkerProgram *worker_ = nullptr;
  std::vector<v1::Hello> hellos_;
  std::vector<v1::WorkerMessage> messages_;
  std::vector<v1::HeldLease> dropped_;
  std::map<std::string, std::string> blobs_, partial_;
  int downloads_ = 0;
  int fullDiskTimes_ = 0, refusedUploads_ = 0;
  double retrySeconds_ = 0;
  v1::UploadHeader lastUpload_;
  bool isNextDamaged_ = false, isDownloadBroken_ = false, isUploadBroken_ = false;
  grpc::ServerContext *context_ = nullptr;
  Stream *stream_ = nullptr;
  std::unique_ptr<FleetService> fleet_;
  std::unique_ptr<BlobsService> blobsService_;
  std::unique_ptr<ServerService> serverService_;
  std::unique_ptr<grpc::Server> server_;
};

v1::HeldLease heldLease(int64_t task, int64_t epoch);

}  // namespace hone::test
