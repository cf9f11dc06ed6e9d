#include "tests/worker/fake_coordinator.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "common/sha256.h"
#include "tests/runtime/sample_artifact.h"
#include "tests/support/patience.h"

namespace hone::test {

namespace {

v1::CoordinatorMessage ackOf(const v1::LeaseItems &items, bool isAccepted) {
  v1::CoordinatorMessage message;
  v1::Ack &ack = *message.mutable_ack();
  ack.set_task(items.task());
  ack.set_epoch(items.epoch());
  ack.set_accepted(isAccepted);
  for (const v1::ItemResult &item : items.items()) ack.add_items(item.item());
  return message;
}

constexpr size_t kChunk = 64 << 10;

std::string sha256(const std::string &bytes) { return sha256Hex(bytes); }

}  // namespace

v1::HeldLease heldLease(int64_t task, int64_t epoch) {
  v1::HeldLease lease;
  lease.set_task(task);
  lease.set_epoch(epoch);
  return lease;
}

class FakeCoordinator::FleetService : public v1::Fleet::Service {
 public:
  explicit FleetService(FakeCoordinator &owner) : owner_(owner) {}
  grpc::Status Attach(grpc::ServerContext *context, Stream *stream) override {
    owner_.attached(context, stream);
    return grpc::Status::OK;
  }

 private:
  FakeCoordinator &owner_;
};

class FakeCoordinator::ServerService : public v1::Server::Service {
 public:
  explicit ServerService(const Settings &settings) : settings_(settings) {}
  grpc::Status GetCapabilities(grpc::ServerContext *, const v1::GetCapabilitiesRequest *,
                               v1::Capabilities *answer) override {
    answer->set_max_chunk_bytes(kChunk);
    answer->set_is_private(!settings_.privateFolder.empty());
    if (answer->is_private()) answer->set_staging_folder(settings_.privateFolder + "/staging");
    return grpc::Status::OK;
  }

 private:
  const Settings &settings_;
};

class FakeCoordinator::BlobsService : public v1::Blobs::Service {
 public:
  explicit BlobsService(FakeCoordinator &owner) : owner_(owner) {}

  grpc::Status Download(grpc::ServerContext *, const v1::DownloadRequest *request,
                        grpc::ServerWriter<v1::DownloadResponse> *writer) override {
    std::string bytes;
    bool isBroken = false;
    {
      const std::scoped_lock lock(owner_.mutex_);
      const auto found = owner_.blobs_.find(request->digest().sha256());
      if (found == owner_.blobs_.end()) return {grpc::StatusCode::NOT_FOUND, "there is no such blob"};
      bytes = found->second;
      ++owner_.downloads_;
      if (std::exchange(owner_.isNextDamaged_, false)) bytes[bytes.size() / 2] ^= 1;
      isBroken = std::exchange(owner_.isDownloadBroken_, false);
    }
    for (size_t at = static_cast<size_t>(request->offset()); at < bytes.size(); at += kChunk) {
      v1::DownloadResponse piece;
      piece.set_data(bytes.substr(at, isBroken ? 1000 : kChunk));
      writer->Write(piece);
      if (isBroken) return {grpc::StatusCode::UNAVAILABLE, "broken"};
    }
    return grpc::Status::OK;
  }

  grpc::Status QueryUpload(grpc::ServerContext *, const v1::QueryUploadRequest *request,
                           v1::QueryUploadResponse *answer) override {
    const std::scoped_lock lock(owner_.mutex_);
    answer->set_complete(owner_.blobs_.contains(request->digest().sha256()));
    answer->set_committed_bytes(static_cast<int64_t>(owner_.partial_[request->upload_id()].size()));
    return grpc::Status::OK;
  }

  grpc::Status Upload(grpc::ServerContext *, grpc::ServerReader<v1::UploadRequest> *reader,
                      v1::UploadResponse *answer) override {
    v1::UploadRequest piece;
    v1::UploadHeader header;
    while (reader->Read(&piece)) {
      const std::scoped_lock lock(owner_.mutex_);
      if (piece.has_header()) owner_.lastUpload_ = header = piece.header();
      if (owner_.fullDiskTimes_ > 0) {
        --owner_.fullDiskTimes_;
        ++owner_.refusedUploads_;
        v1::ErrorDetail detail;
        detail.set_reason("DISK_FULL");
        detail.set_retry_seconds(owner_.retrySeconds_);
        return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the disk is full", detail.SerializeAsString()};
      }
      std::string &partial = owner_.partial_[header.upload_id()];
      if (piece.has_header() && header.offset() != static_cast<int64_t>(partial.size()))
        return {grpc::StatusCode::INVALID_ARGUMENT, "another offset was expected"};
      partial += piece.data();
      if (std::exchange(owner_.isUploadBroken_, false)) return {grpc::StatusCode::UNAVAILABLE, "broken"};
    }
    const std::scoped_lock lock(owner_.mutex_);
    const std::string &bytes = owner_.partial_[header.upload_id()];
    if (sha256(bytes) != header.digest().sha256()) return {grpc::StatusCode::INVALID_ARGUMENT, "not that digest"};
    owner_.blobs_[header.digest().sha256()] = bytes;
    answer->set_size_bytes(static_cast<int64_t>(bytes.size()));
    return grpc::Status::OK;
  }

  grpc::Status Locate(grpc::ServerContext *, const v1::LocateRequest *request, v1::LocateResponse *answer) override {
    answer->set_path(owner_.settings_.privateFolder + "/" + request->digest().sha256());
    if (!std::filesystem::exists(answer->path())) return {grpc::StatusCode::NOT_FOUND, "there is no such blob"};
    return grpc::Status::OK;
  }

  grpc::Status Import(grpc::ServerContext *, const v1::ImportRequest *request, v1::ImportResponse *answer) override {
    const std::string bytes = readFile(request->path());
    std::filesystem::rename(request->path(), owner_.settings_.privateFolder + "/" + sha256(bytes));
    const std::scoped_lock lock(owner_.mutex_);
    owner_.blobs_[sha256(bytes)] = bytes;
    // The answer of the first attempt is lost.
    if (std::exchange(owner_.isUploadBroken_, false)) return {grpc::StatusCode::UNAVAILABLE, "broken"};
    answer->mutable_digest()->set_sha256(sha256(bytes));
    answer->mutable_digest()->set_size_bytes(static_cast<int64_t>(bytes.size()));
    return grpc::Status::OK;
  }

 private:
  FakeCoordinator &owner_;
};

FakeCoordinator::FakeCoordinator(const std::string &folder, Settings settings)
    : socket_(folder + "/coordinator.sock"), settings_(std::move(settings)) {
  if (!settings_.privateFolder.empty()) std::filesystem::create_directories(settings_.privateFolder + "/staging");
  start();
}

FakeCoordinator::~FakeCoordinator() { stop(); }

void FakeCoordinator::start() {
  fleet_ = std::make_unique<FleetService>(*this);
  blobsService_ = std::make_unique<BlobsService>(*this);
  serverService_ = std::make_unique<ServerService>(settings_);
  grpc::ServerBuilder builder;
  unlink(socket_.c_str());
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
  builder.RegisterService(fleet_.get());
  builder.RegisterService(blobsService_.get());
  builder.RegisterService(serverService_.get());
  server_ = builder.BuildAndStart();
  if (!server_) throw std::runtime_error("the fake coordinator cannot listen");
}

void FakeCoordinator::stop() {
  if (!server_) return;
  cut();
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

void FakeCoordinator::attached(grpc::ServerContext *context, Stream *stream) {
  v1::WorkerMessage message;
  if (!stream->Read(&message) || !message.has_hello()) return;
  {
    const std::scoped_lock lock(mutex_);
    context_ = context;
    stream_ = stream;
    hellos_.push_back(message.hello());
    v1::CoordinatorMessage welcome;
    welcome.mutable_welcome()->set_session(std::to_string(hellos_.size()));
    welcome.mutable_welcome()->set_heartbeat_seconds(settings_.heartbeatSeconds);
    welcome.mutable_welcome()->set_silence_seconds(settings_.silenceSeconds);
    for (const v1::HeldLease &lease : dropped_) *welcome.mutable_welcome()->add_dropped() = lease;
    dropped_.clear();
    stream->Write(welcome);
    changed_.notify_all();
  }
  while (stream->Read(&message)) took(message);
  const std::scoped_lock lock(mutex_);
  if (stream_ == stream) {
    stream_ = nullptr;
    context_ = nullptr;
  }
  changed_.notify_all();
}

void FakeCoordinator::took(const v1::WorkerMessage &message) {
  const std::scoped_lock lock(mutex_);
  if (message.has_heartbeat() && settings_.answersHeartbeats && stream_) {
    v1::CoordinatorMessage reply;
    reply.mutable_heartbeat();
    stream_->Write(reply);
  }
  if (message.has_goodbye() && settings_.answersGoodbyes && stream_) {
    v1::CoordinatorMessage reply;
    reply.mutable_heartbeat()->set_draining(true);
    stream_->Write(reply);
  }
  if (message.has_result() && settings_.acknowledges && stream_) {
    v1::CoordinatorMessage reply;
    reply.mutable_ack()->set_task(message.result().task());
    reply.mutable_ack()->set_epoch(message.result().epoch());
    reply.mutable_ack()->set_accepted(true);
    stream_->Write(reply);
  }
  if (message.has_items() && settings_.acknowledgesItems && stream_) stream_->Write(ackOf(message.items(), true));
  messages_.push_back(message);
  changed_.notify_all();
}

void FakeCoordinator::setAcknowledges(bool value) {
  const std::scoped_lock lock(mutex_);
  settings_.acknowledges = value;
}
void FakeCoordinator::setAcknowledgesItems(bool value) {
  const std::scoped_lock lock(mutex_);
  settings_.acknowledgesItems = value;
}
void FakeCoordinator::setAnswersHeartbeats(bool value) {
  const std::scoped_lock lock(mutex_);
  settings_.answersHeartbeats = value;
}
void FakeCoordinator::setDropped(std::vector<v1::HeldLease> dropped) {
  const std::scoped_lock lock(mutex_);
  dropped_ = std::move(dropped);
}
void FakeCoordinator::setNextDownloadDamaged() {
  const std::scoped_lock lock(mutex_);
  isNextDamaged_ = true;
}
void FakeCoordinator::setNextTransfersBroken() {
  const std::scoped_lock lock(mutex_);
  isDownloadBroken_ = isUploadBroken_ = true;
}

void FakeCoordinator::setDiskFull(int times, double retrySeconds) {
  const std::scoped_lock lock(mutex_);
  fullDiskTimes_ = times;
  retrySeconds_ = retrySeconds;
}

int FakeCoordinator::refusedUploads() const {
  const std::scoped_lock lock(mutex_);
  return refusedUploads_;
}

v1::UploadHeader FakeCoordinator::lastUpload() const {
  const std::scoped_lock lock(mutex_);
  return lastUpload_;
}

void FakeCoordinator::follow(const WorkerProgram *worker) {
  const std::scoped_lock lock(mutex_);
  worker_ = worker;
}

bool FakeCoordinator::waitUntil(std::unique_lock<std::mutex> &lock, double seconds,
                                const std::function<bool()> &holds) {
  constexpr auto kLook = std::chrono::milliseconds(20);
  constexpr auto kLastWords = std::chrono::seconds(1);
  const auto work = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  IdleTime idle([&] { return worker_ != nullptr && worker_->isBusy(seconds == 0); });
  std::optional<Clock::time_point> end;
  while (!holds()) {
    if (idle.isUp(work) || (end && Clock::now() > *end)) return false;
    // What it had sent by its end may still be on its way.
    if (!end && worker_ != nullptr && !worker_->isRunning()) end = Clock::now() + kLastWords;
    changed_.wait_for(lock, kLook);
  }
  return true;
}

v1::Hello FakeCoordinator::hello(size_t number) {
  std::unique_lock lock(mutex_);
  if (!waitUntil(lock, 0, [&] { return hellos_.size() >= number && stream_; }))
    throw std::runtime_error("the worker did not attach");
  return hellos_[number - 1];
}

size_t FakeCoordinator::hellos() const {
  const std::scoped_lock lock(mutex_);
  return hellos_.size();
}

void FakeCoordinator::send(const v1::CoordinatorMessage &message) {
  const std::scoped_lock lock(mutex_);
  if (stream_) stream_->Write(message);
}

void FakeCoordinator::grant(int64_t task, int64_t epoch, const v1::TaskSpec &spec, double duration, double deadline,
                            const std::vector<int32_t> &endedItems) {
  v1::CoordinatorMessage message;
  message.mutable_lease()->set_task(task);
  message.mutable_lease()->set_epoch(epoch);
  message.mutable_lease()->set_duration_seconds(duration);
  message.mutable_lease()->set_deadline_seconds(deadline);
  message.mutable_lease()->set_job("j-test");
  *message.mutable_lease()->mutable_spec() = spec;
  message.mutable_lease()->mutable_ended_items()->Add(endedItems.begin(), endedItems.end());
  send(message);
}

void FakeCoordinator::acknowledge(int64_t task, int64_t epoch, bool isAccepted) {
  v1::CoordinatorMessage message;
  message.mutable_ack()->set_task(task);
  message.mutable_ack()->set_epoch(epoch);
  message.mutable_ack()->set_accepted(isAccepted);
  send(message);
}

void FakeCoordinator::acknowledge(const v1::LeaseItems &items, bool isAccepted) { send(ackOf(items, isAccepted)); }

void FakeCoordinator::revoke(int64_t task, int64_t epoch) {
  v1::CoordinatorMessage message;
  message.mutable_revoke()->set_task(task);
  message.mutable_revoke()->set_epoch(epoch);
  send(message);
}

void FakeCoordinator::cut() {
  const std::scoped_lock lock(mutex_);
  if (context_) context_->TryCancel();
  stream_ = nullptr;
  context_ = nullptr;
}

std::optional<v1::WorkerMessage> FakeCoordinator::await(const std::function<bool(const v1::WorkerMessage &)> &fits,
                                                        double seconds) {
  std::unique_lock lock(mutex_);
  auto found = messages_.end();
  const bool isThere = waitUntil(lock, seconds, [&] {
    found = std::find_if(messages_.begin(), messages_.end(), fits);
    return found != messages_.end();
  });
  if (!isThere) return std::nullopt;
  v1::WorkerMessage message = *found;
  messages_.erase(found);
  return message;
}

std::optional<v1::LeaseResult> FakeCoordinator::result(int64_t task, double seconds) {
  const auto message =
      await([task](const v1::WorkerMessage &one) { return one.has_result() && one.result().task() == task; }, seconds);
  EXPECT_TRUE(message.has_value()) << "no result of task " << task;
  return message.has_value() ? std::optional(message->result()) : std::nullopt;
}

bool FakeCoordinator::hasResult(int64_t task) const {
  const std::scoped_lock lock(mutex_);
  return std::any_of(messages_.begin(), messages_.end(),
                     [task](const auto &one) { return one.has_result() && one.result().task() == task; });
}

std::vector<v1::LeaseItems> FakeCoordinator::items(int64_t task, int64_t epoch) const {
  const std::scoped_lock lock(mutex_);
  std::vector<v1::LeaseItems> groups;
  for (const v1::WorkerMessage &message : messages_)
    if (message.has_items() && message.items().task() == task && message.items().epoch() == epoch)
      groups.push_back(message.items());
  return groups;
}

v1::Digest FakeCoordinator::putBlob(const std::string &bytes) {
  const std::scoped_lock lock(mutex_);
  v1::Digest digest;
  digest.set_sha256(sha256(bytes));
  digest.set_size_bytes(static_cast<int64_t>(bytes.size()));
  blobs_[digest.sha256()] = bytes;
  if (!settings_.privateFolder.empty()) writeFile(settings_.privateFolder + "/" + digest.sha256(), bytes);
  return digest;
}

std::string FakeCoordinator::blob(const v1::Digest &digest) const {
  const std::scoped_lock lock(mutex_);
  const auto found = blobs_.find(digest.sha256());
  return found == blobs_.end() ? "" : found->second;
}

int FakeCoordinator::downloads() const {
  const std::scoped_lock lock(mutex_);
  return downloads_;
}

}  // namespace hone::test
