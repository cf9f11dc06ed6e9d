// Blobs that workers upload as the results of jobs: whose they are, and what may refuse them.
#include <gtest/gtest.h>

#include "tests/server/rpc/test_server.h"

namespace hone::server::testing {
namespace {

using grpc::StatusCode;

/// One message with everything, as worker \p name.
grpc::Status uploadResult(v1::Blobs::Stub &stub, const std::string &content, int64_t task, int64_t epoch,
                          const std::string &name) {
  const auto context = newCall(name);
  v1::UploadResponse response;
  const auto writer = stub.Upload(context.get(), &response);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = digestOf(content);
  request.mutable_header()->set_upload_id("result");
  request.mutable_header()->set_task(task);
  request.mutable_header()->set_epoch(epoch);
  request.set_data(content);
  writer->Write(request);
  writer->WritesDone();
  return writer->Finish();
}

struct Results : ::testing::Test {
  v1::Lease lease(TestServer &server, FakeWorker &worker) {
    const std::string model = contentOf(20000, 1);
    EXPECT_TRUE(upload(*server.blobs(), digestOf(model), model, "model").ok());
    v1::Job job;
    EXPECT_TRUE(server.jobs()->Submit(newCall().get(), compileOf(digestOf(model), "request"), &job).ok());
    v1::CoordinatorMessage message;
    EXPECT_TRUE(worker.receive(v1::CoordinatorMessage::kLease, message));
    return message.lease();
  }
};

TEST_F(Results, belongToTheUserOfTheJobAndAreNotRefusedByAQuota) {
  ServerOptions options;
  options.policy.maxUserBytes = 30000;
  TestServer server(options);
  FakeWorker worker(server, "builder");
  const v1::Lease held = lease(server, worker);
  const std::string artifact = contentOf(25000, 2);
  EXPECT_EQ(upload(*server.blobs(), digestOf(artifact), artifact, "mine").error_code(), StatusCode::RESOURCE_EXHAUSTED)
      << "ann's model and this are more than she may have";
  const grpc::Status status = uploadResult(*server.blobs(), artifact, held.task(), held.epoch(), "builder");
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(server.store->usage("ann")->blobBytes, 45000);
  EXPECT_EQ(server.store->usage("builder")->blobBytes, 0) << "a worker has no quota of its own to fill";
}

TEST_F(Results, areNotThrottledByTheUploadsOfTheirUser) {
  ServerOptions options;
  options.limits.uploadsPerUser = 1;
  TestServer server(options);
  FakeWorker worker(server, "builder");
  const v1::Lease held = lease(server, worker);
  // ann's one upload, which goes on.
  const auto blobs = server.blobs();
  const auto context = newCall();
  v1::UploadResponse response;
  const auto writer = blobs->Upload(context.get(), &response);
  const std::string open = contentOf(1000, 3), other = contentOf(1000, 4), artifact = contentOf(1000, 5);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = digestOf(open);
  request.mutable_header()->set_upload_id("open");
  request.set_data(open.substr(0, 10));
  writer->Write(request);
  EXPECT_TRUE(eventually([&] { return server.uploadFiles() == 1; }));
  EXPECT_EQ(upload(*blobs, digestOf(other), other, "other").error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(uploadResult(*blobs, artifact, held.task(), held.epoch(), "builder").ok());
  context->TryCancel();
  writer->Finish();
}

TEST_F(Results, thatAreThereWithoutARowBelongToWhoUploadsThem) {
  TestServer server;
  const std::string content = contentOf(100, 6);
  {
    auto writer = server.blobFolder->write(digestOf(content), "before", 0);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_EQ((*writer)->append(content), absl::OkStatus());
    ASSERT_EQ((*writer)->finish(), absl::OkStatus());
  }
  EXPECT_TRUE(upload(*server.blobs(), digestOf(content), content, "again").ok());
  EXPECT_EQ(server.store->usage("ann")->blobBytes, 100);
}

TEST_F(Results, ofALeaseThatIsOverAreRefused) {
  TestServer server;
  FakeWorker worker(server, "builder");
  const v1::Lease held = lease(server, worker);
  const std::string artifact = contentOf(100, 2);
  const grpc::Status status = uploadResult(*server.blobs(), artifact, held.task(), held.epoch() + 1, "builder");
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(uploadResult(*server.blobs(), artifact, held.task(), held.epoch(), "builder").ok());
}

TEST_F(Results, tellHowLongToWaitWhenTheDiskIsFull) {
  ServerOptions options;
  options.diskReserve = int64_t{1} << 60;
  TestServer server(options);
  const std::string content = contentOf(100, 3);
  const grpc::Status status = upload(*server.blobs(), digestOf(content), content, "full");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "DISK_FULL");
  EXPECT_GT(detailOf(status).retry_seconds(), 0) << "a worker repeats it, and its finished work is not lost";
}

}  // namespace
}  // namespace hone::server::testing
