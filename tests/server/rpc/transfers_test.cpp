// Uploads and downloads that are slow: who keeps the coordinator waiting is let go, and takes nothing along.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>

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
  options.limits.leastUploadRate = 100000;
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

}  // namespace
}  // namespace hone::server::testing
