// A coordinator in this process, with everything real but the workers: store, blob folder, engine, services on a Unix
// socket. And what tests do with it. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "grpcpp/grpcpp.h"
#include "hone/v1/blobs.grpc.pb.h"
#include "hone/v1/fleet.grpc.pb.h"
#include "hone/v1/jobs.grpc.pb.h"
#include "hone/v1/records.grpc.pb.h"
#include "hone/v1/server.grpc.pb.h"
#include "server/admin/metrics.h"
#include "server/rpc/rpc_server.h"
#include "tests/server/scratch.h"

namespace hone::server::testing {

struct ServerOptions {
  RpcLimits limits;
  Policy policy;
  std::string privateUser;
  int64_t diskReserve = 0;
  std::function<std::unique_ptr<Store>(Store *)> wrapStore = nullptr;  ///< and its store
  /// Called at every failpoint that is passed, on the thread that passes it.
  std::function<void(std::string_view)> atFailpoint = nullptr;
  /// May put something between the server and its blobs.
  std::function<std::unique_ptr<BlobFolder>(BlobFolder *)> wrapBlobs = nullptr;
};

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {});
  ~TestServer();

  /// A connection of its own each time.
  std::shared_ptr<grpc::Channel> channel() const;
  std::unique_ptr<v1::Blobs::Stub> blobs() const { return v1::Blobs::NewStub(channel()); }
  std::unique_ptr<v1::Jobs::Stub> jobs() const { return v1::Jobs::NewStub(channel()); }
  std::unique_ptr<v1::Fleet::Stub> fleet() const { return v1::Fleet::NewStub(channel()); }

  std::string blobPath(const v1::Digest &digest) const;
  /// Files in the folder of unfinished uploads.
  int uploadFiles() const;
  /// Stores \p content as a client does. The digest.
  v1::Digest put(const std::string &content) const;

  Scratch folder = Scratch::inMemory();
  SystemClock clock;
  Failpoints failpoints;
  std::unique_ptr<Log> log = Log::silent();
  std::unique_ptr<Metrics> metrics = Metrics::make();
  std::unique_ptr<Store> storeOnDisk, store;            ///< the one behind the other, if they are two
  std::unique_ptr<BlobFolder> blobsOnDisk, blobFolder;  ///< so, too
  std::unique_ptr<Engine> engine;
  std::unique_ptr<RpcServer> rpc;
  bool stopAsked = false, stopNow = false;
};

/// A call of \p user that gives up after a minute.
std::unique_ptr<grpc::ClientContext> newCall(const std::string &user = "ann", const std::string &requestId = "");

v1::Digest digestOf(const std::string &content);
std::string contentOf(size_t bytes, unsigned seed);
v1::ErrorDetail detailOf(const grpc::Status &status);

/// Sends \p content in chunks, as an upload of \p digest.
grpc::Status upload(v1::Blobs::Stub &stub, const v1::Digest &digest, const std::string &content,
                    const std::string &uploadId, int64_t offset = 0, size_t chunk = 1 << 18,
                    const std::string &user = "ann");

/// Sends \p bytes as the only message of a call and reads to the end; \p answer: the messages' bytes, one after
/// another.
grpc::Status sendBytes(const std::shared_ptr<grpc::Channel> &channel, const std::string &method,
                       const std::string &bytes, std::string *answer = nullptr);

/// Waits, generously, until \p condition holds.
bool eventually(const std::function<bool()> &condition);

v1::TargetDescription someTarget();
v1::SubmitRequest compileOf(const v1::Digest &model, const std::string &requestId);

/// A worker on a stream: says hello, answers what the test tells it to.
class FakeWorker {
 public:
  FakeWorker(const TestServer &server, const std::string &name, v1::Role role = v1::ROLE_BUILDER);
  ~FakeWorker();

  void send(const v1::WorkerMessage &message);
  /// The next message of a kind; others are passed over. False: the stream ended.
  bool receive(v1::CoordinatorMessage::KindCase kind, v1::CoordinatorMessage &message);
  grpc::Status end();

 private:
  std::unique_ptr<v1::Fleet::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
  bool hasEnded_ = false;
};

v1::Hello helloOf(const std::string &name, v1::Role role);

}  // namespace hone::server::testing
