#include "client/service/transfer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "client/request.h"
#include "client/service/folders.h"
#include "client/service/service_error.h"
#include "client/service/stubs.h"
#include "common/file_lock.h"
#include "text/printable.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kChunkBytes = 1 << 20;
constexpr int64_t kBytesPerMegabyte = 1 << 20;
// Breaks in a row without a byte more on the other side.
constexpr int kFruitlessAttempts = 8;
// A deadline that a link of this speed meets, on top of the least.
constexpr int64_t kSlowestBytesPerSecond = 64 << 10;

CallRules rulesFor(int64_t bytes) {
  return {.deadline = std::chrono::seconds(60 + bytes / kSlowestBytesPerSecond), .isRepeatable = false};
}

fs::path cachePath(const char *name) {
  auto folder = cacheFolder();
  return folder.ok() ? *folder / name : fs::path();
}

// The name of an upload: the same again after a break, but never the same for two at once. The lock is held as long as
// the name is in use.
struct UploadName {
  std::string id;
  std::optional<FileLock> lock;
};

UploadName nameUpload(const v1::Digest &digest, const std::string &user) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  const std::string name = sha256Hex(absl::StrCat(host, " ", user, " ", digest.sha256())).substr(0, 32);
  const fs::path folder = cachePath("uploads");
  if (!folder.empty() && makeFolder(folder).ok())
    if (auto lock = FileLock::attempt(folder / name); lock.ok() && lock->has_value()) return {name, std::move(*lock)};
  return {absl::StrCat(name, "-", getpid()), std::nullopt};
}

absl::Status damaged(const v1::Digest &digest) {
  return absl::UnavailableError(absl::StrCat("what arrived is not the blob ", digest.sha256(),
                                             "; repeat the command, and if that does not help, "
                                             "run `hone-server fsck` where the server is"));
}

// A file by the kernel, which shares its blocks where the file system can. False: not all of it.
bool copyByKernel(int from, int to, int64_t size) {
  int64_t left = size;
  while (left > 0) {
    const ssize_t count = copy_file_range(from, nullptr, to, nullptr, static_cast<size_t>(left), 0);
    if (count <= 0) return false;
    left -= count;
  }
  return true;
}

absl::Status unreadable(int error) {
  return absl::UnavailableError(absl::StrCat("cannot read the file: ", strerror(error)));
}

bool isUnchanged(const struct stat &before, int descriptor) {
  struct stat now{};
  const auto isSame = [](const timespec &a, const timespec &b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
  };
  return fstat(descriptor, &now) == 0 && now.st_size == before.st_size && isSame(now.st_mtim, before.st_mtim) &&
         isSame(now.st_ctim, before.st_ctim);
}

// All of \p from, which stands at its beginning.
absl::Status copyAll(int from, OutputFile &output, int64_t size) {
  if (copyByKernel(from, output.descriptor(), size)) return absl::OkStatus();
  // Where the kernel stopped, if it had begun, is where both files stand.
  std::string chunk(kChunkBytes, '\0');
  for (;;) {
    const ssize_t count = read(from, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(errno);
    if (count == 0) return absl::OkStatus();
    if (absl::Status written = output.write({chunk.data(), static_cast<size_t>(count)}); !written.ok()) return written;
  }
}

}  // namespace

Transfer::Transfer(Connection &connection, ProgressLine &progress)
    : connection_(connection), progress_(progress), digests_(cachePath("digests")) {}

void Transfer::show(const char *what, int64_t done, int64_t total) {
  progress_.show(absl::StrCat(what, " ", done / kBytesPerMegabyte, "/", total / kBytesPerMegabyte, " MB"));
}

absl::StatusOr<bool> Transfer::isMissing(const v1::Digest &digest) {
  v1::FindMissingRequest request;
  *request.add_digests() = digest;
  auto response = unary(connection_, connection_.stubs().blobs, &v1::Blobs::Stub::FindMissing, request);
  if (!response.ok()) return response.status();
  return response->missing_size() > 0;
}

absl::StatusOr<v1::Digest> Transfer::put(int descriptor, const fs::path &path) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  // A path that no message can hold is not sent: the bytes are.
  if (!connection_.endpoint().isPrivate() || !text::isUtf8(whole.native())) return uploadMissing(descriptor);
  auto known = knownToServer(descriptor);
  if (!known.ok()) return known.status();
  return known->has_value() ? **std::move(known) : import(descriptor, whole);
}

absl::StatusOr<v1::Digest> Transfer::put(int descriptor) {
  if (!connection_.endpoint().isPrivate()) return uploadMissing(descriptor);
  auto known = knownToServer(descriptor);
  if (!known.ok()) return known.status();
  return known->has_value() ? **std::move(known) : stage(descriptor);
}

absl::StatusOr<v1::Digest> Transfer::uploadMissing(int descriptor) {
  if (isTrusting_)
    if (auto known = digests_.find(descriptor); known.has_value()) return *std::move(known);
  auto digest = digests_.of(descriptor, connection_.interrupts());
  if (!digest.ok()) return digest.status();
  auto missing = isMissing(*digest);
  if (!missing.ok()) return missing.status();
  if (!*missing) return digest;
  if (absl::Status sent = upload(descriptor, *digest); !sent.ok()) return sent;
  return digest;
}

absl::StatusOr<std::optional<v1::Digest>> Transfer::knownToServer(int descriptor) {
  auto known = digests_.find(descriptor);
  if (!known.has_value() || isTrusting_) return known;
  auto missing = isMissing(*known);
  if (!missing.ok()) return missing.status();
  if (*missing) known.reset();
  return known;
}

// The coordinator reads the file itself, and says what its digest is.
absl::StatusOr<v1::Digest> Transfer::import(int descriptor, const fs::path &path) {
  v1::ImportRequest request;
  request.set_path(path.string());
  struct stat before{};
  fstat(descriptor, &before);
  auto response = unary(connection_, connection_.stubs().blobs, &v1::Blobs::Stub::Import, request,
                        {.deadline = rulesFor(before.st_size).deadline});
  if (!response.ok()) return response.status();
  if (isUnchanged(before, descriptor)) digests_.remember(descriptor, response->digest());
  return response->digest();
}

// A copy of what is open, in a folder where the coordinator takes files over.
absl::StatusOr<v1::Digest> Transfer::stage(int descriptor) {
  struct stat before{};
  fstat(descriptor, &before);
  if (absl::Status fits = checkSize(before.st_size); !fits.ok()) return fits;
  std::random_device random;
  const fs::path path = fs::path(connection_.capabilities().staging_folder()) /
                        absl::StrCat("data-", getpid(), "-", absl::Hex(random(), absl::kZeroPad8));
  auto copy = OutputFile::create(path);
  if (!copy.ok()) return copy.status();
  if (lseek(descriptor, 0, SEEK_SET) < 0) return unreadable(errno);
  if (absl::Status copied = copyAll(descriptor, *copy, before.st_size); !copied.ok()) return copied;
  if (!isUnchanged(before, descriptor))
    return absl::UnavailableError("the file changed while it was read; repeat the command");
  if (absl::Status named = copy->commit(); !named.ok()) return named;
  auto digest = import(descriptor, path);
  if (!digest.ok()) unlink(path.c_str());
  return digest;
}

absl::StatusOr<v1::QueryUploadResponse> Transfer::committed(const v1::Digest &digest, const std::string &uploadId) {
  v1::QueryUploadRequest request;
  *request.mutable_digest() = digest;
  request.set_upload_id(uploadId);
  return unary(connection_, connection_.stubs().blobs, &v1::Blobs::Stub::QueryUpload, request);
}

absl::Status Transfer::checkSize(int64_t bytes) const {
  const int64_t most = connection_.capabilities().max_blob_bytes();
  if (most <= 0 || bytes <= most) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("the file has ", bytes, " bytes and ", connection_.endpoint().name(), " takes at most ", most));
}

absl::Status Transfer::upload(int descriptor, const v1::Digest &digest) {
  if (absl::Status fits = checkSize(digest.size_bytes()); !fits.ok()) return fits;
  const UploadName name = nameUpload(digest, connection_.endpoint().user);
  int64_t reached = -1;
  for (int fruitless = 0;;) {
    auto there = committed(digest, name.id);
    if (!there.ok()) return there.status();
    if (there->complete()) return absl::OkStatus();
    fruitless = there->committed_bytes() > reached ? 0 : fruitless + 1;
    reached = there->committed_bytes();
    v1::UploadHeader header;
    *header.mutable_digest() = digest;
    header.set_upload_id(name.id);
    header.set_offset(reached);
    bool isOver = true;
    absl::Status status = connection_.call(rulesFor(digest.size_bytes()), [&](grpc::ClientContext &context) {
      const grpc::Status sent = send(context, descriptor, header);
      isOver = !isPassing(sent) && sent.error_code() != grpc::StatusCode::ABORTED;
      return sent;
    });
    if (status.ok() || isOver || fruitless >= kFruitlessAttempts) return status;
    if (absl::Status waited = connection_.waitForServer(fruitless); !waited.ok()) return waited;
  }
}

grpc::Status Transfer::send(grpc::ClientContext &context, int descriptor, const v1::UploadHeader &header) {
  v1::UploadResponse response;
  const auto writer = connection_.stubs().blobs.Upload(&context, &response);
  const int64_t total = header.digest().size_bytes();
  const int64_t most = connection_.capabilities().max_chunk_bytes();
  const int64_t chunk = most > 0 ? std::min(kChunkBytes, most) : kChunkBytes;
  v1::UploadRequest request;
  *request.mutable_header() = header;
  std::string &data = *request.mutable_data();
  int64_t position = header.offset();
  do {
    data.resize(static_cast<size_t>(std::min(chunk, total - position)));
    const ssize_t count = pread(descriptor, data.data(), data.size(), position);
    if (count < static_cast<ssize_t>(data.size())) {
      context.TryCancel();
      return {grpc::StatusCode::INVALID_ARGUMENT, "the file changed while it was sent"};
    }
    position += count;
    // False: the server has ended the call, and Finish says why; perhaps because somebody else has sent the blob.
    if (!writer->Write(request)) return writer->Finish();
    connection_.failpoints().pass("client.upload.middle");
    request.clear_header();
    show("upload", position, total);
  } while (position < total);
  writer->WritesDone();
  return writer->Finish();
}

absl::Status Transfer::get(const v1::Digest &digest, OutputFile &output) {
  absl::Status got = connection_.endpoint().isPrivate() ? copy(digest, output) : download(digest, output);
  connection_.failpoints().pass("client.download.done");
  return got;
}

absl::Status Transfer::download(const v1::Digest &digest, OutputFile &output) {
  Sha256 hash;
  int64_t position = 0;
  for (int fruitless = 0;; ++fruitless) {
    v1::DownloadRequest request;
    *request.mutable_digest() = digest;
    request.set_offset(position);
    bool isOver = true;
    absl::Status written;
    absl::Status status =
        connection_.call(rulesFor(digest.size_bytes()), [&](grpc::ClientContext &context) -> grpc::Status {
          const auto reader = connection_.stubs().blobs.Download(&context, request);
          for (v1::DownloadResponse piece; written.ok() && reader->Read(&piece);) {
            fruitless = 0;
            hash.append(piece.data());
            position += static_cast<int64_t>(piece.data().size());
            written = position > digest.size_bytes() ? damaged(digest) : output.write(piece.data());
            connection_.failpoints().pass("client.download.middle");
            show("download", position, digest.size_bytes());
          }
          if (!written.ok()) context.TryCancel();
          const grpc::Status end = reader->Finish();
          isOver = !isPassing(end);
          return end;
        });
    if (!written.ok()) return written;
    if (status.ok()) break;
    if (isOver || fruitless >= kFruitlessAttempts) return status;
    if (absl::Status waited = connection_.waitForServer(fruitless); !waited.ok()) return waited;
  }
  return position == digest.size_bytes() && hash.finishAsHex() == digest.sha256() ? absl::OkStatus() : damaged(digest);
}

absl::Status Transfer::copy(const v1::Digest &digest, OutputFile &output) {
  v1::LocateRequest request;
  *request.mutable_digest() = digest;
  auto response = unary(connection_, connection_.stubs().blobs, &v1::Blobs::Stub::Locate, request,
                        {.deadline = rulesFor(digest.size_bytes()).deadline});
  if (!response.ok()) return response.status();
  auto blob = InputFile::open(response->path());
  if (!blob.ok()) return blob.status();
  return copyAll(blob->descriptor(), output, digest.size_bytes());
}

}  // namespace hone::client
