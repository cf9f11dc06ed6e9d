// Blobs over the wire: what senders may do wrong, then what they do right.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "tests/server/passing_blobs.h"
#include "tests/server/rpc/test_server.h"

namespace hone::server::testing {
namespace {

using grpc::StatusCode;

constexpr size_t kMiB = 1 << 20;

ServerOptions smallLimits() {
  ServerOptions options;
  options.limits.maxBlobBytes = 8 * kMiB;
  options.limits.maxChunkBytes = kMiB;
  options.limits.leastUploadRate = 100000;
  options.limits.uploadGrace = absl::Seconds(1);
  options.limits.uploadsPerUser = 3;
  options.policy.maxUserBytes = 12 * kMiB;
  return options;
}

bool isThere(const TestServer &server, const v1::Digest &digest) {
  v1::FindMissingRequest request;
  *request.add_digests() = digest;
  v1::FindMissingResponse response;
  const grpc::Status status = server.blobs()->FindMissing(newCall().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.missing().empty();
}

grpc::Status download(const TestServer &server, const v1::Digest &digest, int64_t offset, std::string &content) {
  const auto context = newCall();
  v1::DownloadRequest request;
  *request.mutable_digest() = digest;
  request.set_offset(offset);
  const auto stub = server.blobs();
  const auto reader = stub->Download(context.get(), request);
  content.clear();
  v1::DownloadResponse response;
  while (reader->Read(&response)) content += response.data();
  return reader->Finish();
}

int64_t committed(const TestServer &server, const v1::Digest &digest, const std::string &id) {
  v1::QueryUploadRequest request;
  *request.mutable_digest() = digest;
  request.set_upload_id(id);
  v1::QueryUploadResponse response;
  EXPECT_TRUE(server.blobs()->QueryUpload(newCall().get(), request, &response).ok());
  return response.committed_bytes();
}

TEST(Blobs, RefusesMoreBytesThanTheDigestSays) {
  const TestServer server(smallLimits());
  const std::string content = contentOf(3 * kMiB, 1);
  v1::Digest digest = digestOf(content);
  digest.set_size_bytes(digest.size_bytes() - 1);
  const grpc::Status status = upload(*server.blobs(), digest, content, "a");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(detailOf(status).reason(), "WRONG_DIGEST");
  EXPECT_FALSE(std::filesystem::exists(server.blobPath(digest)));
  EXPECT_FALSE(isThere(server, digest));
}

TEST(Blobs, StopsReadingAfterTheDeclaredSize) {
  const TestServer server(smallLimits());
  v1::Digest digest = digestOf("12345");
  const auto context = newCall();
  v1::UploadResponse response;
  const auto stub = server.blobs();
  const auto writer = stub->Upload(context.get(), &response);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = digest;
  request.mutable_header()->set_upload_id("a");
  request.set_data("123456");
  writer->Write(request);
  // Without a half-close: the server ends it by itself.
  EXPECT_EQ(writer->Finish().error_code(), StatusCode::INVALID_ARGUMENT);
}

TEST(Blobs, RefusesOtherBytesThanWerePromised) {
  const TestServer server(smallLimits());
  std::string content = contentOf(2 * kMiB, 2);
  const v1::Digest digest = digestOf(content);
  content[12345] ^= 1;
  const grpc::Status status = upload(*server.blobs(), digest, content, "a");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(detailOf(status).reason(), "WRONG_DIGEST");
  EXPECT_FALSE(isThere(server, digest));
  EXPECT_EQ(server.uploadFiles(), 0);
  content[12345] ^= 1;
  EXPECT_TRUE(upload(*server.blobs(), digest, content, "b").ok());
  EXPECT_TRUE(isThere(server, digest));
}

TEST(Blobs, KeepsATruncatedUploadForItsResumptionOnly) {
  const TestServer server(smallLimits());
  const std::string content = contentOf(2 * kMiB, 3);
  const v1::Digest digest = digestOf(content);
  const grpc::Status status = upload(*server.blobs(), digest, content.substr(0, kMiB), "a");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_FALSE(isThere(server, digest));
  EXPECT_EQ(committed(server, digest, "a"), static_cast<int64_t>(kMiB));
  EXPECT_EQ(committed(server, digest, "other"), 0);
  EXPECT_TRUE(upload(*server.blobs(), digest, content, "a", kMiB).ok());
  EXPECT_TRUE(isThere(server, digest));
  EXPECT_EQ(server.uploadFiles(), 0);
}

TEST(Blobs, ResumesAfterABrokenConnection) {
  const TestServer server(smallLimits());
  const std::string content = contentOf(3 * kMiB, 4);
  const v1::Digest digest = digestOf(content);
  {
    const auto context = newCall();
    v1::UploadResponse response;
    const auto stub = server.blobs();
    const auto writer = stub->Upload(context.get(), &response);
    v1::UploadRequest request;
    *request.mutable_header()->mutable_digest() = digest;
    request.mutable_header()->set_upload_id("a");
    request.set_data(content.substr(0, kMiB));
    ASSERT_TRUE(writer->Write(request));
    ASSERT_TRUE(eventually([&] { return committed(server, digest, "a") == kMiB; }));
    context->TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), StatusCode::CANCELLED);
  }
  // Until the server has noticed, the upload is still going on.
  grpc::Status status;
  EXPECT_TRUE(eventually([&] {
    status = upload(*server.blobs(), digest, content, "a", kMiB);
    return status.error_code() != StatusCode::ABORTED;
  }));
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::string back;
  EXPECT_TRUE(download(server, digest, 0, back).ok());
  EXPECT_EQ(back, content);
}

TEST(Blobs, CutsOffASlowUploadAndLetsItResume) {
  const TestServer server(smallLimits());
  const std::string content = contentOf(kMiB, 5);
  const v1::Digest digest = digestOf(content);
  const auto context = newCall();
  v1::UploadResponse response;
  const auto stub = server.blobs();
  const auto writer = stub->Upload(context.get(), &response);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = digest;
  request.mutable_header()->set_upload_id("slow");
  request.set_data(content.substr(0, 1000));
  writer->Write(request);
  // Neither bytes nor an end: a client that hangs.
  const grpc::Status status = writer->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "TOO_SLOW");
  EXPECT_GT(detailOf(status).retry_seconds(), 0);
  EXPECT_EQ(committed(server, digest, "slow"), 1000);
  EXPECT_TRUE(upload(*server.blobs(), digest, content, "slow", 1000).ok());
}

TEST(Blobs, CutsOffAnUploadThatTrickles) {
  const TestServer server(smallLimits());
  const v1::Digest digest = digestOf(contentOf(kMiB, 6));
  const auto context = newCall();
  v1::UploadResponse response;
  const auto stub = server.blobs();
  const auto writer = stub->Upload(context.get(), &response);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = digest;
  request.mutable_header()->set_upload_id("trickle");
  do {
    request.set_data("x");
    if (!writer->Write(request)) break;
    request.clear_header();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  } while (true);
  EXPECT_EQ(writer->Finish().error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST(Blobs, RefusesWhatIsTooLargeBeforeTheFirstByte) {
  const TestServer server(smallLimits());
  v1::Digest digest = digestOf("x");
  digest.set_size_bytes(8 * kMiB + 1);
  grpc::Status status = upload(*server.blobs(), digest, "x", "a");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "TOO_LARGE");
  const std::string content = contentOf(2 * kMiB, 7);
  status = upload(*server.blobs(), digestOf(content), content, "a", 0, kMiB + 1);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  status = upload(*server.blobs(), digestOf(content), content, "a", 0, kMiB);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(Blobs, KeepsAUserWithinTheQuota) {
  const TestServer server(smallLimits());
  server.put(contentOf(7 * kMiB, 8));
  const std::string more = contentOf(6 * kMiB, 9);
  const grpc::Status status = upload(*server.blobs(), digestOf(more), more, "a");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "QUOTA");
  EXPECT_TRUE(upload(*server.blobs(), digestOf(more), more, "a", 0, kMiB, "bob").ok());
}

TEST(Blobs, LimitsUploadsOfOneUserAtOnce) {
  ServerOptions options = smallLimits();
  options.limits.uploadGrace = absl::Seconds(60);
  const TestServer server(options);
  const auto stub = server.blobs();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<v1::UploadResponse>> responses;
  std::vector<std::unique_ptr<grpc::ClientWriter<v1::UploadRequest>>> writers;
  for (int i = 0; i < 3; ++i) {
    contexts.push_back(newCall());
    responses.push_back(std::make_unique<v1::UploadResponse>());
    writers.push_back(stub->Upload(contexts.back().get(), responses.back().get()));
    v1::UploadRequest request;
    *request.mutable_header()->mutable_digest() = digestOf(contentOf(1000, 10 + i));
    request.mutable_header()->set_upload_id("a");
    request.set_data("x");
    ASSERT_TRUE(writers.back()->Write(request));
    // A fourth upload that overtakes one of the three would take its place.
    ASSERT_TRUE(eventually([&] { return committed(server, request.header().digest(), "a") == 1; }));
  }
  const std::string fourth = contentOf(1000, 20);
  const grpc::Status status = upload(*stub, digestOf(fourth), fourth, "b");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "QUOTA");
  const std::string other = contentOf(1000, 21);
  EXPECT_TRUE(upload(*stub, digestOf(other), other, "b", 0, 1000, "bob").ok());
  for (const auto &context : contexts) context->TryCancel();
  for (const auto &writer : writers) writer->Finish();
  const std::string last = contentOf(1000, 22);
  EXPECT_TRUE(eventually([&] { return upload(*stub, digestOf(last), last, "c").ok(); }));
}

TEST(Blobs, RefusesUploadsThatEatTheReserve) {
  ServerOptions options = smallLimits();
  options.diskReserve = int64_t{1} << 60;
  const TestServer server(options);
  const grpc::Status status = upload(*server.blobs(), digestOf("x"), "x", "a");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(detailOf(status).reason(), "DISK_FULL");
  EXPECT_EQ(server.uploadFiles(), 0);
}

TEST(Blobs, EndsADuplicateEarly) {
  const TestServer server(smallLimits());
  const std::string content = contentOf(2 * kMiB, 30);
  const v1::Digest digest = server.put(content);
  const auto context = newCall();
  v1::UploadResponse response;
  const auto stub = server.blobs();
  const auto writer = stub->Upload(context.get(), &response);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = digest;
  request.mutable_header()->set_upload_id("again");
  writer->Write(request);
  // No data and no half-close were needed.
  EXPECT_TRUE(writer->Finish().ok());
  EXPECT_EQ(response.size_bytes(), digest.size_bytes());
}

TEST(Blobs, TakesTwoUploadsOfOneBlobAtOnce) {
  const TestServer server(smallLimits());
  const std::string content = contentOf(2 * kMiB, 31);
  std::vector<std::thread> threads;
  std::vector<grpc::Status> ends(3);
  for (size_t i = 0; i < ends.size(); ++i)
    threads.emplace_back([&, i] {
      ends[i] = upload(*server.blobs(), digestOf(content), content, "id-" + std::to_string(i), 0, 1 << 16);
    });
  for (std::thread &thread : threads) thread.join();
  for (const grpc::Status &end : ends) EXPECT_TRUE(end.ok()) << end.error_message();
  EXPECT_EQ(server.uploadFiles(), 0);
}

TEST(Blobs, NeverServesADamagedBlob) {
  const TestServer server(smallLimits());
  const std::string content = contentOf(kMiB, 32);
  const v1::Digest digest = server.put(content);
  {
    std::fstream file(server.blobPath(digest), std::ios::in | std::ios::out | std::ios::binary);
    if (!file) {
      std::filesystem::permissions(server.blobPath(digest), std::filesystem::perms::owner_write,
                                   std::filesystem::perm_options::add);
      file.open(server.blobPath(digest), std::ios::in | std::ios::out | std::ios::binary);
    }
    ASSERT_TRUE(file);
    file.seekp(777);
    file.put(static_cast<char>(content[777] ^ 4));
  }
  std::string back;
  const grpc::Status status = download(server, digest, 0, back);
  EXPECT_EQ(status.error_code(), StatusCode::DATA_LOSS);
  EXPECT_EQ(back, "");
  EXPECT_TRUE(eventually([&] { return !isThere(server, digest); }));
  EXPECT_EQ(download(server, digest, 0, back).error_code(), StatusCode::NOT_FOUND);
  EXPECT_TRUE(upload(*server.blobs(), digest, content, "again").ok());
  EXPECT_TRUE(download(server, digest, 0, back).ok());
  EXPECT_EQ(back, content);
}

TEST(Blobs, ReplacesADamagedBlobByItsNextUpload) {
  const TestServer server(smallLimits());
  const std::string content = contentOf(kMiB, 33);
  const v1::Digest digest = server.put(content);
  std::filesystem::permissions(server.blobPath(digest), std::filesystem::perms::owner_write,
                               std::filesystem::perm_options::add);
  std::filesystem::resize_file(server.blobPath(digest), kMiB - 5);
  EXPECT_TRUE(upload(*server.blobs(), digest, content, "again").ok());
  std::string back;
  EXPECT_TRUE(download(server, digest, 0, back).ok());
  EXPECT_EQ(back, content);
}

/// Files go only when they are let go.
class SlowRemoval : public PassingBlobs {
 public:
  SlowRemoval(BlobFolder *blobs, std::promise<void> &begun, std::shared_future<void> mayGo)
      : PassingBlobs(blobs), begun_(begun), mayGo_(std::move(mayGo)) {}
  absl::Status remove(const v1::Digest &digest) override {
    if (!isTold_.exchange(true)) begun_.set_value();
    mayGo_.wait();
    return PassingBlobs::remove(digest);
  }

 private:
  std::promise<void> &begun_;
  std::shared_future<void> mayGo_;
  std::atomic<bool> isTold_{false};
};

TEST(Blobs, AreMissingFromTheInstantTheyAreToBeRemoved) {
  std::promise<void> begun, go;
  ServerOptions options = smallLimits();
  options.policy.blobGrace = absl::Milliseconds(50);
  options.wrapBlobs = [&, mayGo = go.get_future().share()](BlobFolder *blobs) {
    return std::make_unique<SlowRemoval>(blobs, begun, mayGo);
  };
  const TestServer server(options);
  const std::string content = contentOf(1000, 40);
  const v1::Digest digest = server.put(content);
  std::future<void> isGoing = begun.get_future();
  ASSERT_TRUE(eventually([&] {
    server.engine->tick();
    return isGoing.wait_for(std::chrono::milliseconds(5)) == std::future_status::ready;
  }));
  ASSERT_TRUE(server.blobFolder->has(digest)) << "not gone yet";
  EXPECT_FALSE(isThere(server, digest)) << "who is told that it is there submits a job that names it";
  EXPECT_EQ(committed(server, digest, "a"), 0);
  go.set_value();
  grpc::Status status;
  EXPECT_TRUE(eventually([&] {
    status = upload(*server.blobs(), digest, content, "again");
    return status.error_code() != StatusCode::UNAVAILABLE;
  }));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(Blobs, ThatWereReportedPresentStay) {
  ServerOptions options = smallLimits();
  options.policy.blobGrace = absl::Seconds(2);
  const TestServer server(options);
  const v1::Digest asked = server.put(contentOf(1000, 41)), queried = server.put(contentOf(1000, 42)),
                   forgotten = server.put(contentOf(1000, 43));
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(isThere(server, asked));
    EXPECT_EQ(committed(server, queried, "a"), 1000);
    server.engine->tick();
    return !server.blobFolder->has(forgotten);
  }));
}

TEST(Blobs, DownloadsFromAnOffset) {
  const TestServer server(smallLimits());
  const std::string content = contentOf(3 * kMiB + 17, 34);
  const v1::Digest digest = server.put(content);
  for (const size_t offset : {size_t{0}, size_t{1}, kMiB, content.size() - 1, content.size()}) {
    std::string back;
    EXPECT_TRUE(download(server, digest, static_cast<int64_t>(offset), back).ok());
    EXPECT_EQ(back, content.substr(offset));
  }
  std::string back;
  EXPECT_EQ(download(server, digest, static_cast<int64_t>(content.size() + 1), back).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

TEST(Blobs, TakesTheEmptyBlob) {
  const TestServer server(smallLimits());
  const v1::Digest digest = server.put("");
  std::string back = "x";
  EXPECT_TRUE(download(server, digest, 0, back).ok());
  EXPECT_EQ(back, "");
}

TEST(Blobs, TravelsByPathOnlyPrivately) {
  const TestServer shared(smallLimits());
  ServerOptions options = smallLimits();
  options.privateUser = "me";
  const TestServer server(options);
  const std::string content = contentOf(5000, 35);
  const std::string path = (server.folder.path() / "file").string();
  std::ofstream(path, std::ios::binary) << content;
  v1::ImportRequest request;
  v1::ImportResponse response;
  request.set_path(path);
  EXPECT_EQ(shared.blobs()->Import(newCall().get(), request, &response).error_code(), StatusCode::UNIMPLEMENTED);
  *request.mutable_expected() = digestOf("another");
  EXPECT_EQ(server.blobs()->Import(newCall().get(), request, &response).error_code(), StatusCode::INVALID_ARGUMENT);
  request.clear_expected();
  const grpc::Status status = server.blobs()->Import(newCall().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.digest().sha256(), digestOf(content).sha256());
  EXPECT_TRUE(std::filesystem::exists(path));
  v1::LocateRequest locate;
  *locate.mutable_digest() = response.digest();
  v1::LocateResponse located;
  ASSERT_TRUE(server.blobs()->Locate(newCall().get(), locate, &located).ok());
  EXPECT_EQ(std::filesystem::file_size(located.path()), content.size());
  EXPECT_EQ(shared.blobs()->Locate(newCall().get(), locate, &located).error_code(), StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace hone::server::testing
