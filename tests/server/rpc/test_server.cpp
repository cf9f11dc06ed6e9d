#include "tests/server/rpc/test_server.h"

#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "google/protobuf/stubs/logging.h"
#include "proto/api_version.h"
#include "server/store/sqlite_store.h"
#include "tests/support/patience.h"

namespace hone::server::testing {

namespace fs = std::filesystem;

namespace {

// Of one call, and of one that carries much or goes on while others come and go. What has failed once is hardly waited
// for again.
std::chrono::milliseconds patienceForCall(bool isLong = false) {
  if (::testing::Test::HasFailure()) return std::chrono::seconds(1);
  return std::chrono::seconds(isLong ? 60 : 20);
}

template <typename T>
T need(absl::StatusOr<T> value) {
  if (!value.ok()) throw std::runtime_error(std::string(value.status().message()));
  return *std::move(value);
}

}  // namespace

TestServer::TestServer(ServerOptions options) : failpoints(std::move(options.atFailpoint)) {
  // It would tell at length of each message that is none.
  google::protobuf::SetLogHandler(nullptr);
  store = need(openSqliteStore({.folder = folder.path()}, failpoints));
  blobFolder = need(BlobFolder::open({.root = folder.path(), .reserveBytes = options.diskReserve}, failpoints));
  if (options.wrapStore) {
    storeOnDisk = std::move(store);
    store = options.wrapStore(storeOnDisk.get());
  }
  if (options.wrapBlobs) {
    blobsOnDisk = std::move(blobFolder);
    blobFolder = options.wrapBlobs(blobsOnDisk.get());
  }
  engine = need(Engine::start({.store = store.get(),
                               .blobs = blobFolder.get(),
                               .kinds = &serviceKinds(),
                               .clock = &clock,
                               .failpoints = &failpoints,
                               .observer = metrics.get(),
                               .seed = 1},
                              options.policy));
  RpcOptions rpcOptions;
  rpcOptions.addresses = {absl::StrCat("unix:", (folder.path() / "socket").string())};
  rpcOptions.privateUser = options.privateUser;
  rpcOptions.limits = options.limits;
  rpcOptions.policy = options.policy;
  rpcOptions.stop = [this](bool now) {
    stopAsked = true;
    stopNow = now;
  };
  rpc = need(RpcServer::start(rpcOptions, {.engine = engine.get(),
                                           .store = store.get(),
                                           .blobs = blobFolder.get(),
                                           .kinds = &serviceKinds(),
                                           .clock = &clock,
                                           .log = log.get(),
                                           .traffic = metrics.get(),
                                           .failpoints = &failpoints}));
}

TestServer::~TestServer() = default;

std::shared_ptr<grpc::Channel> TestServer::channel() const {
  grpc::ChannelArguments arguments;
  // Otherwise channels to one address share their connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(rpc->addresses()[0].text(), grpc::InsecureChannelCredentials(), arguments);
}

std::string TestServer::blobPath(const v1::Digest &digest) const {
  return (folder.path() / "blobs/sha256" / digest.sha256().substr(0, 2) / digest.sha256()).string();
}

int TestServer::uploadFiles() const {
  int count = 0;
  for (const auto &entry : fs::recursive_directory_iterator(folder.path() / "uploads"))
    count += entry.is_regular_file();
  return count;
}

v1::Digest TestServer::put(const std::string &content) const {
  const v1::Digest digest = digestOf(content);
  const grpc::Status status = upload(*blobs(), digest, content, "put");
  EXPECT_TRUE(status.ok()) << status.error_message();
  return digest;
}

std::unique_ptr<grpc::ClientContext> newCall(const std::string &user, const std::string &requestId) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + patienceForCall());
  if (!user.empty()) context->AddMetadata("hone-user", user);
  if (!requestId.empty()) context->AddMetadata("hone-request-id", requestId);
  return context;
}

v1::Digest digestOf(const std::string &content) {
  v1::Digest digest;
  digest.set_sha256(sha256Hex(content));
  digest.set_size_bytes(static_cast<int64_t>(content.size()));
  return digest;
}

std::string contentOf(size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string content(bytes, '\0');
  for (char &c : content) c = static_cast<char>(random());
  return content;
}

v1::ErrorDetail detailOf(const grpc::Status &status) {
  v1::ErrorDetail detail;
  EXPECT_TRUE(detail.ParseFromString(status.error_details()));
  return detail;
}

grpc::Status upload(v1::Blobs::Stub &stub, const v1::Digest &digest, const std::string &content,
                    const std::string &uploadId, int64_t offset, size_t chunk, const std::string &user) {
  const auto context = newCall(user);
  context->set_deadline(std::chrono::system_clock::now() + patienceForCall(true));
  v1::UploadResponse response;
  const auto writer = stub.Upload(context.get(), &response);
  v1::UploadRequest request;
  *request.mutable_header()->mutable_digest() = digest;
  request.mutable_header()->set_upload_id(uploadId);
  request.mutable_header()->set_offset(offset);
  auto at = static_cast<size_t>(offset);
  do {
    request.set_data(content.substr(at, chunk));
    at += request.data().size();
    if (!writer->Write(request)) break;
    request.clear_header();
  } while (at < content.size());
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(!status.ok() || response.size_bytes() == digest.size_bytes());
  return status;
}

// Every call looks like a stream to who sends bytes.
grpc::Status sendBytes(const std::shared_ptr<grpc::Channel> &channel, const std::string &method,
                       const std::string &bytes, std::string *answer) {
  grpc::GenericStub stub(channel);
  const auto context = newCall();
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(context.get(), method, &queue);
  const auto wait = [&queue] {
    void *tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  wait();
  const grpc::Slice slice(bytes);
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  wait();
  call->WritesDone(nullptr);
  wait();
  for (;;) {
    grpc::ByteBuffer message;
    call->Read(&message, nullptr);
    if (!wait()) break;
    std::vector<grpc::Slice> slices;
    if (answer == nullptr || !message.Dump(&slices).ok()) continue;
    for (const grpc::Slice &one : slices) answer->append(reinterpret_cast<const char *>(one.begin()), one.size());
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  return status;
}

bool eventually(const std::function<bool()> &condition) {
  constexpr auto kPause = std::chrono::milliseconds(5);
  // In turns, each of which takes longer where there is much else to do.
  for (auto turns = test::patience() / kPause; !condition(); --turns) {
    if (turns == 0) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

v1::TargetDescription someTarget() {
  v1::TargetDescription target;
  target.set_triple("x86_64-unknown-linux-gnu");
  target.set_cpu("x86-64-v3");
  target.set_vector_bytes(32);
  target.set_vector_registers(16);
  target.set_cores(4);
  return target;
}

v1::SubmitRequest compileOf(const v1::Digest &model, const std::string &requestId) {
  v1::SubmitRequest request;
  request.set_request_id(requestId);
  v1::CompileJob &job = *request.mutable_spec()->mutable_compile();
  *job.mutable_model() = model;
  job.mutable_options()->set_opt_level(3);
  *job.mutable_options()->mutable_target_description() = someTarget();
  return request;
}

v1::Hello helloOf(const std::string &name, v1::Role role) {
  v1::Hello hello;
  hello.set_name(name);
  hello.add_roles(role);
  if (role == v1::ROLE_DEVICE) hello.set_key("board");
  hello.set_builder_slots(1);
  *hello.mutable_target() = someTarget();
  hello.set_memory_bytes(int64_t{1} << 33);
  hello.set_api_version(proto::kApiVersion);
  hello.set_abi_version(1);
  hello.set_version("test");
  hello.set_build_id("build");
  return hello;
}

FakeWorker::FakeWorker(const TestServer &server, const std::string &name, v1::Role role)
    : stub_(server.fleet()), context_(newCall("")) {
  context_->set_deadline(std::chrono::system_clock::now() + patienceForCall(true));
  stream_ = stub_->Attach(context_.get());
  v1::WorkerMessage message;
  *message.mutable_hello() = helloOf(name, role);
  send(message);
  v1::CoordinatorMessage welcome;
  EXPECT_TRUE(receive(v1::CoordinatorMessage::kWelcome, welcome));
}

FakeWorker::~FakeWorker() {
  if (!hasEnded_) end();
}

void FakeWorker::send(const v1::WorkerMessage &message) { stream_->Write(message); }

bool FakeWorker::receive(v1::CoordinatorMessage::KindCase kind, v1::CoordinatorMessage &message) {
  while (stream_->Read(&message))
    if (message.kind_case() == kind) return true;
  return false;
}

grpc::Status FakeWorker::end() {
  hasEnded_ = true;
  context_->TryCancel();
  return stream_->Finish();
}

}  // namespace hone::server::testing
