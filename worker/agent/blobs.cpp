#include "worker/agent/blobs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "worker/agent/channel.h"
#include "worker/agent/digest.h"

namespace hone::worker {

using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kShortCall = std::chrono::seconds(20);
// How often who waits for another lease's download looks whether its own lease is over.
constexpr auto kFetchedInterval = std::chrono::milliseconds(20);
constexpr int kLongestPauseMs = 2000;
constexpr double kLongestAskedPause = 60;
constexpr int64_t kChunkBytes = 512 << 10;
constexpr int64_t kSmallestChunk = 4 << 10;
constexpr int64_t kQuicklyCopied = 1 << 20;

absl::Status ownTrouble(const std::string &folder, int error) {
  return absl::InternalError(absl::StrCat("this worker cannot write in '", folder, "': ", strerror(error)));
}

/// How long to wait at least before the call is repeated; none: it is not. What the coordinator asks for is done: its
/// disk is full for a moment, or it has too much to do.
std::optional<std::chrono::milliseconds> retryAfter(const absl::Status &status) {
  if (const double seconds = retrySecondsOf(status); seconds > 0)
    return std::chrono::milliseconds(static_cast<int64_t>(1e3 * std::min(seconds, kLongestAskedPause)));
  if (absl::IsUnavailable(status) || absl::IsAborted(status)) return std::chrono::milliseconds(0);
  return std::nullopt;
}

absl::Status endOf(const Errand &errand) {
  if (errand.cancellation.isCancelled()) return absl::CancelledError("the lease is over");
  if (Clock::now() >= errand.deadline) return absl::DeadlineExceededError("the time for the work is up");
  return absl::OkStatus();
}

}  // namespace

// A blob that is being downloaded; survives a broken connection.
struct Blobs::Incoming {
  OutputFile file;
  Sha256 hash;
  int64_t bytes = 0;
};

Blobs::Blobs(std::shared_ptr<grpc::Channel> channel, BlobCache &cache, Settings settings)
    : cache_(cache),
      settings_(std::move(settings)),
      blobs_(v1::Blobs::NewStub(channel)),
      server_(v1::Server::NewStub(channel)),
      random_(settings_.seed) {}

uint64_t Blobs::random() {
  const MutexLock lock(mutex_);
  return random_();
}

template <typename Call>
absl::Status Blobs::call(const Errand &errand, bool isShort, const Call &call) {
  grpc::ClientContext context;
  identify(context, settings_.name);
  const auto left = errand.deadline - Clock::now();
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(
                           isShort ? std::min<Clock::duration>(left, kShortCall) : left));
  const Cancellation::Hook hook(errand.cancellation, [&context] { context.TryCancel(); });
  absl::Status status = statusOf(call(context));
  // Our own end of the call, not the coordinator's word.
  if (absl::Status end = endOf(errand); !status.ok() && !end.ok()) return end;
  if (isShort && status.code() == absl::StatusCode::kDeadlineExceeded)
    return absl::UnavailableError("the coordinator does not answer");
  return status;
}

template <typename Attempt>
absl::Status Blobs::persist(const Errand &errand, const Attempt &attempt) {
  for (int pause = 50;; pause = std::min(2 * pause, kLongestPauseMs)) {
    absl::Status status = attempt();
    const auto least = retryAfter(status);
    if (status.ok() || !least) return status;
    errand.cancellation.waitFor(static_cast<int>(least->count()) + 1 +
                                static_cast<int>(random() % static_cast<uint64_t>(pause)));
    if (absl::Status end = endOf(errand); !end.ok()) return end;
  }
}

void Blobs::forgetCapabilities() {
  const MutexLock lock(mutex_);
  capabilities_.reset();
}

absl::StatusOr<v1::Capabilities> Blobs::capabilities(const Errand &errand) {
  {
    const MutexLock lock(mutex_);
    if (capabilities_.has_value()) return *capabilities_;
  }
  v1::Capabilities answer;
  const absl::Status status = persist(errand, [&] {
    return call(errand, true, [&](grpc::ClientContext &context) {
      return server_->GetCapabilities(&context, v1::GetCapabilitiesRequest(), &answer);
    });
  });
  if (!status.ok()) return status;
  const MutexLock lock(mutex_);
  capabilities_ = answer;
  return answer;
}

absl::StatusOr<Descriptor> Blobs::open(const v1::Digest &digest, const Errand &errand) {
  const auto server = capabilities(errand);
  if (!server.ok()) return server.status();
  if (server->is_private()) return locate(digest, errand);
  MutexLock lock(mutex_);
  for (;;) {
    // Two leases that want the same blob fetch it once.
    if (fetching_.insert(digest.sha256()).second) break;
    fetched_.waitUntil(mutex_, Clock::now() + kFetchedInterval);
    if (absl::Status end = endOf(errand); !end.ok()) return end;
  }
  lock.unlock();
  auto file = cache_.open(digest);
  if (!file.ok()) file = fetch(digest, errand);
  lock.lock();
  fetching_.erase(digest.sha256());
  fetched_.notifyAll();
  return file;
}

absl::StatusOr<Descriptor> Blobs::locate(const v1::Digest &digest, const Errand &errand) {
  v1::LocateRequest request;
  *request.mutable_digest() = digest;
  v1::LocateResponse answer;
  const absl::Status status = persist(errand, [&] {
    return call(errand, true, [&](grpc::ClientContext &context) { return blobs_->Locate(&context, request, &answer); });
  });
  if (!status.ok()) return status;
  // The coordinator has hashed it before it told the path.
  Descriptor file(::open(answer.path().c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts{};
  if (!file.isOpen() || fstat(file.get(), &facts) != 0)
    return absl::InternalError(absl::StrCat("this worker cannot open '", answer.path(), "': ", strerror(errno)));
  if (facts.st_size != digest.size_bytes())
    return absl::DataLossError(absl::StrCat("a blob has ", facts.st_size, " bytes instead of ", digest.size_bytes()));
  return file;
}

absl::StatusOr<Blobs::Incoming> Blobs::newIncoming() {
  std::string path = absl::StrCat(settings_.folder, "/blob-XXXXXX");
  Descriptor file(mkostemp(path.data(), O_CLOEXEC));
  if (!file.isOpen()) return ownTrouble(settings_.folder, errno);
  return Incoming{OutputFile(std::move(path), std::move(file)), Sha256(), 0};
}

absl::StatusOr<Descriptor> Blobs::fetch(const v1::Digest &digest, const Errand &errand) {
  constexpr int kAttempts = 2;
  absl::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto incoming = newIncoming();
    if (!incoming.ok()) return incoming.status();
    status = persist(errand, [&] { return download(digest, *incoming, errand); });
    if (status.code() == absl::StatusCode::kInternal) cache_.clear();  // perhaps the disk is full
    if (!status.ok()) {
      if (status.code() == absl::StatusCode::kInternal) continue;
      return status;
    }
    if (incoming->bytes == digest.size_bytes() && incoming->hash.finishAsHex() == digest.sha256())
      return cache_.adopt(digest, incoming->file.path());
    status = absl::UnavailableError(
        absl::StrCat("blob ", digest.sha256(), " was damaged on its way, ", kAttempts, " times"));
  }
  return status;
}

absl::Status Blobs::download(const v1::Digest &digest, Incoming &incoming, const Errand &errand) {
  v1::DownloadRequest request;
  *request.mutable_digest() = digest;
  request.set_offset(incoming.bytes);
  absl::Status trouble;
  const absl::Status status = call(errand, false, [&](grpc::ClientContext &context) {
    auto stream = blobs_->Download(&context, request);
    v1::DownloadResponse piece;
    while (stream->Read(&piece)) {
      if (incoming.bytes + static_cast<int64_t>(piece.data().size()) > digest.size_bytes())
        trouble = absl::DataLossError("the coordinator sent more than the blob has");
      for (std::string_view rest = piece.data(); trouble.ok() && !rest.empty();) {
        const ssize_t count = write(incoming.file.descriptor(), rest.data(), rest.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
          trouble = ownTrouble(settings_.folder, errno);
          break;
        }
        incoming.hash.append(rest.substr(0, static_cast<size_t>(count)));
        incoming.bytes += count;
        rest.remove_prefix(static_cast<size_t>(count));
      }
      if (trouble.ok()) continue;
      context.TryCancel();
      break;
    }
    return stream->Finish();
  });
  return trouble.ok() ? status : trouble;
}

absl::StatusOr<OutputFile> Blobs::newOutput(const Errand &errand) {
  const auto server = capabilities(errand);
  if (!server.ok()) return server.status();
  const std::string &folder = server->is_private() ? server->staging_folder() : settings_.folder;
  std::string path = absl::StrCat(folder, "/output-XXXXXX");
  Descriptor file(mkostemp(path.data(), O_CLOEXEC));
  if (!file.isOpen()) return ownTrouble(folder, errno);
  return OutputFile(std::move(path), std::move(file));
}

std::optional<OutputFile> Blobs::copyOfSmall(const OutputFile &output, const Errand &errand) {
  struct stat facts{};
  if (fstat(output.descriptor(), &facts) != 0 || facts.st_size > kQuicklyCopied) return std::nullopt;
  std::string bytes(static_cast<size_t>(facts.st_size), '\0');
  const ssize_t count = pread(output.descriptor(), bytes.data(), bytes.size(), 0);
  if (count != facts.st_size) return std::nullopt;
  auto copy = newOutput(errand);
  if (!copy.ok() || pwrite(copy->descriptor(), bytes.data(), static_cast<size_t>(count), 0) != count)
    return std::nullopt;
  return *std::move(copy);
}

absl::StatusOr<v1::Digest> Blobs::store(OutputFile output, const Errand &errand) {
  const auto server = capabilities(errand);
  if (!server.ok()) return server.status();
  if (server->is_private()) {
    v1::ImportRequest request;
    request.set_path(output.path());
    v1::ImportResponse answer;
    const absl::Status status = persist(errand, [&] {
      // An answer that was lost: the file is the blob already, and gets its old name again to ask once more.
      if (access(output.path().c_str(), F_OK) != 0)
        linkat(AT_FDCWD, absl::StrCat("/proc/self/fd/", output.descriptor()).c_str(), AT_FDCWD, output.path().c_str(),
               AT_SYMLINK_FOLLOW);
      return call(errand, false,
                  [&](grpc::ClientContext &context) { return blobs_->Import(&context, request, &answer); });
    });
    if (!status.ok()) return status;
    return answer.digest();
  }
  auto digest = digestOf(output.descriptor());
  if (!digest.ok()) return digest;
  // A break is gone on with under the same name; another attempt of the same lease has another.
  const std::string id = absl::StrCat("w-", absl::Hex(random()), absl::Hex(random()));
  const int64_t chunk =
      server->max_chunk_bytes() > 0 ? std::clamp(server->max_chunk_bytes(), kSmallestChunk, kChunkBytes) : kChunkBytes;
  // Under a new name nothing has arrived: only who goes on asks.
  bool isBroken = false;
  const absl::Status status = persist(errand, [&] {
    return std::exchange(isBroken, true) ? upload(output, *digest, id, chunk, errand)
                                         : send(output, *digest, id, 0, chunk, errand);
  });
  if (!status.ok()) return status;
  return digest;
}

absl::Status Blobs::upload(const OutputFile &output, const v1::Digest &digest, const std::string &id, int64_t chunk,
                           const Errand &errand) {
  v1::QueryUploadRequest request;
  *request.mutable_digest() = digest;
  request.set_upload_id(id);
  v1::QueryUploadResponse known;
  const absl::Status status =
      call(errand, true, [&](grpc::ClientContext &context) { return blobs_->QueryUpload(&context, request, &known); });
  if (!status.ok() || known.complete()) return status;
  return send(output, digest, id, known.committed_bytes(), chunk, errand);
}

absl::Status Blobs::send(const OutputFile &output, const v1::Digest &digest, const std::string &id, int64_t offset,
                         int64_t chunk, const Errand &errand) {
  absl::Status trouble;
  const absl::Status status = call(errand, false, [&](grpc::ClientContext &context) {
    v1::UploadResponse answer;
    // A small blob travels as one piece, from the call's beginning to its end.
    context.set_initial_metadata_corked(true);
    auto stream = blobs_->Upload(&context, &answer);
    std::vector<char> buffer(static_cast<size_t>(std::clamp<int64_t>(digest.size_bytes() - offset, 1, chunk)));
    v1::UploadRequest piece;
    *piece.mutable_header()->mutable_digest() = digest;
    piece.mutable_header()->set_upload_id(id);
    piece.mutable_header()->set_offset(offset);
    piece.mutable_header()->set_task(errand.task);
    piece.mutable_header()->set_epoch(errand.epoch);
    // An empty blob has a header, too.
    do {
      const ssize_t count = pread(output.descriptor(), buffer.data(), buffer.size(), offset);
      if (count < 0 || (count == 0 && offset < digest.size_bytes())) {
        trouble = absl::InternalError("this worker cannot read its own output");
        context.TryCancel();
        break;
      }
      piece.set_data(buffer.data(), static_cast<size_t>(count));
      offset += count;
      grpc::WriteOptions options;
      if (offset >= digest.size_bytes()) options.set_last_message();
      // False when the coordinator has ended the call: Finish() says how.
      if (!stream->Write(piece, options)) break;
      settings_.failpoints->pass("worker.upload.middle");
      piece.clear_header();
    } while (offset < digest.size_bytes());
    return stream->Finish();
  });
  return trouble.ok() ? status : trouble;
}

}  // namespace hone::worker
