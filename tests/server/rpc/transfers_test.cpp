// Uploads and downloads that are slow: who keeps the coordinator waiting is let go, and takes nothing along.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "tests/server/passing_blobs.h"
#include "tests/server/rpc/test_server.h"

namespace hone::server::testing {
namespace {

using grpc::StatusCode;

constexpr std::chrono::milliseconds kLongEnough(1000);

/// What happened to the writers of one folder.
struct Writers {
  std::atomic<int> appends{0}, gone{0};
  std::promise<void> secondAppend;
  std::promise<void> destroyed;
};

/// Tells when it is used a second time, and then takes its time.
class SlowWriter : public BlobFolder::Writer {
 public:
  SlowWriter(std::unique_ptr<Writer> writer, std::shared_ptr<Writers> told)
      : writer_(std::move(writer)), told_(std::move(told)) {}
  ~SlowWriter() override {
    if (++told_->gone == 1) told_->destroyed.set_value();
  }
  int64_t written() const override { return writer_->written(); }
  absl::Status append(std::string_view bytes) override {
    if (++told_->appends != 2) return writer_->append(bytes);
    // Nothing of this object from here on: it should live as long as it is used, and that is asked.
    const std::shared_ptr<Writers> told = told_;
    std::future<void> destroyed = told->destroyed.get_future();
    told->secondAppend.set_value();
    EXPECT_EQ(destroyed.wait_for(kLongEnough), std::future_status::timeout) << "a writer in use was destroyed";
    return absl::UnavailableError("this writer only waits");
  }
  absl::Status finish() override { return writer_->finish(); }

 private:
  std::unique_ptr<Writer> writer_;
  std::shared_ptr<Writers> told_;
};

class BlobsWithSlowWriters : public PassingBlobs {
 public:
  BlobsWithSlowWriters(BlobFolder *blobs, std::shared_ptr<Writers> told)
      : PassingBlobs(blobs), told_(std::move(told)) {}
  absl::StatusOr<std::unique_ptr<Writer>> write(const v1::Digest &digest, const std::string &id, int64_t at) override {
    auto writer = PassingBlobs::write(digest, id, at);
    if (!writer.ok()) return writer.status();
    return std::make_unique<SlowWriter>(*std::move(writer), told_);
  }

 private:
  std::shared_ptr<Writers> told_;
};

TEST(Transfers, AMessageThatComesWhenItsUploadWasFoundTooSlowIsTooLate) {
  const auto writers = std::make_shared<Writers>();
  std::promise<void> isSlow;
  std::atomic<bool> isTold{false};
  ServerOptions options;
  options.limits.leastUploadRate = 10'000'000;
  options.limits.uploadGrace = absl::Milliseconds(300);
  options.wrapBlobs = [&](BlobFolder *blobs) { return std::make_unique<BlobsWithSlowWriters>(blobs, writers); };
  // Between the judgement and the end: the client's next message is on its way by then.
  options.atFailpoint = [&, second = writers->secondAppend.get_future().share()](std::string_view name) {
    if (name != "upload.slow" || isTold.exchange(true)) return;
    isSlow.set_value();
    second.wait_for(kLongEnough);
  };
  const TestServer server(options);
  const std::string content = contentOf(1 << 20, 1);
  const v1::Digest digest = digestOf(content);
  const auto context = newCall();
  v1::UploadResponse response;
  const auto stub = server.blobs();
  const auto writer = stub->Upload(context.get(), &response);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = digest;
  request.mutable_header()->set_upload_id("slow");
  request.set_data(content.substr(0, 1000));
  ASSERT_TRUE(writer->Write(request));
  isSlow.get_future().wait();
  request.clear_header();
  request.set_data(content.substr(1000, 1000));
  writer->Write(request);
  const grpc::Status status = writer->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "TOO_SLOW");
  EXPECT_EQ(writers->appends.exchange(100), 1);
  // What had arrived before is kept, and the upload may go on at once.
  EXPECT_TRUE(upload(*server.blobs(), digest, content, "slow", 1000).ok());
}

TEST(Transfers, AMessageThatTakesLongerThanTheGraceIsNoTrickle) {
  ServerOptions options;
  options.limits.leastUploadRate = 100'000;
  options.limits.uploadGrace = absl::Milliseconds(500);
  const TestServer server(options);
  const std::string content = contentOf(1 << 20, 1);
  const v1::Digest digest = digestOf(content);
  const auto context = newCall();
  v1::UploadResponse response;
  const auto stub = server.blobs();
  const auto writer = stub->Upload(context.get(), &response);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = digest;
  request.mutable_header()->set_upload_id("slow");
  ASSERT_TRUE(writer->Write(request));
  // At the least rate it may take ten seconds.
  std::this_thread::sleep_for(std::chrono::seconds(2));
  request.clear_header();
  request.set_data(content);
  EXPECT_TRUE(writer->Write(request));
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

ServerOptions slowDownloads() {
  ServerOptions options;
  options.limits.leastDownloadRate = 100000;
  options.limits.downloadGrace = absl::Seconds(1);
  options.limits.downloadsPerUser = 2;
  return options;
}

/// A download that is begun, of which nothing is read yet.
struct BegunDownload {
  BegunDownload(const TestServer &server, const v1::Digest &digest, const std::string &user = "ann")
      : stub(server.blobs()), context(newCall(user)) {
    v1::DownloadRequest request;
    *request.mutable_digest() = digest;
    reader = stub->Download(context.get(), request);
  }
  /// Reads what there is, then how it ended.
  grpc::Status end() {
    v1::DownloadResponse response;
    while (reader->Read(&response)) bytes += response.data().size();
    return reader->Finish();
  }
  std::unique_ptr<v1::Blobs::Stub> stub;
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientReader<v1::DownloadResponse>> reader;
  size_t bytes = 0;
};

TEST(Transfers, ADownloadThatNobodyReadsIsCutOff) {
  ServerOptions options = slowDownloads();
  options.limits.downloadsPerUser = 1;
  const TestServer server(options);
  const v1::Digest digest = server.put(contentOf(16 << 20, 2));
  BegunDownload download(server, digest);
  v1::DownloadResponse response;
  ASSERT_TRUE(download.reader->Read(&response));
  // Its slot is free when it has been ended.
  EXPECT_TRUE(eventually([&] { return BegunDownload(server, digest).end().ok(); }));
  const grpc::Status status = download.end();
  EXPECT_LT(download.bytes, size_t{16} << 20);
  // Who comes back only after a second grace does not hear why.
  const bool hears = status.error_code() == StatusCode::RESOURCE_EXHAUSTED;
  EXPECT_EQ(hears ? detailOf(status).reason() : "TOO_SLOW", "TOO_SLOW");
  EXPECT_TRUE(hears || status.error_code() == StatusCode::CANCELLED) << status.error_message();
}

TEST(Transfers, ADownloadThatTricklesIsCutOff) {
  ServerOptions options = slowDownloads();
  options.limits.downloadsPerUser = 1;
  const TestServer server(options);
  const v1::Digest digest = server.put(contentOf(16 << 20, 3));
  BegunDownload download(server, digest);
  v1::DownloadResponse response;
  // Fast at first: that is no credit for later.
  while (download.bytes < size_t{8} << 20 && download.reader->Read(&response)) download.bytes += response.data().size();
  ASSERT_GE(download.bytes, size_t{8} << 20);
  EXPECT_TRUE(eventually([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    if (download.reader->Read(&response)) download.bytes += response.data().size();
    return BegunDownload(server, digest).end().ok();
  }));
  EXPECT_LT(download.bytes, size_t{15} << 20) << "it came to its end";
}

TEST(Transfers, ADownloadAtALeisurelyPaceEnds) {
  const TestServer server(slowDownloads());
  const std::string content = contentOf(2 << 20, 4);
  BegunDownload download(server, server.put(content));
  v1::DownloadResponse response;
  while (download.reader->Read(&response)) {
    download.bytes += response.data().size();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(download.reader->Finish().ok());
  EXPECT_EQ(download.bytes, content.size());
}

TEST(Transfers, OfOneUserOnlySoManyAtOnce) {
  ServerOptions options = slowDownloads();
  options.limits.downloadGrace = absl::Seconds(60);
  const TestServer server(options);
  const v1::Digest digest = server.put(contentOf(16 << 20, 5));
  v1::DownloadResponse response;
  BegunDownload first(server, digest), second(server, digest);
  ASSERT_TRUE(first.reader->Read(&response));
  ASSERT_TRUE(second.reader->Read(&response));
  const grpc::Status status = BegunDownload(server, digest).end();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "QUOTA");
  EXPECT_TRUE(BegunDownload(server, digest, "bob").end().ok());
  first.context->TryCancel();
  EXPECT_EQ(first.end().error_code(), StatusCode::CANCELLED);
  EXPECT_TRUE(eventually([&] { return BegunDownload(server, digest).end().ok(); }));
  second.context->TryCancel();
  second.end();
}

/// Else its call stays as long as its connection, though it has ended.
TEST(Transfers, WhoNeverReadsIsCancelled) {
  const TestServer server(slowDownloads());
  const v1::Digest digest = server.put(contentOf(16 << 20, 6));
  BegunDownload stuck(server, digest);
  std::this_thread::sleep_for(std::chrono::seconds(5));
  EXPECT_EQ(stuck.end().error_code(), StatusCode::CANCELLED);
}

}  // namespace
}  // namespace hone::server::testing
