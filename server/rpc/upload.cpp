#include "server/rpc/upload.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_detail.h"
#include "server/rpc/raw.h"
#include "server/rpc/validate.h"

namespace hone::server {

Upload::Upload(Site &site, grpc::CallbackServerContext *context, grpc::ByteBuffer *response)
    : site_(site),
      response_(response),
      call_(site, *context, "Blobs.Upload", Call::Kind::Change),
      rate_(site.limits.leastUploadRate, site.limits.uploadGrace) {}

Upload *Upload::start(Site &site, grpc::CallbackServerContext *context, grpc::ByteBuffer *response) {
  auto upload = std::make_shared<Upload>(site, context, response);
  upload->self_ = upload;
  if (!upload->call_.opened().ok()) {
    upload->finish(upload->call_.opened());
  } else {
    site.ticker.add(upload);
    upload->readNext({});
  }
  return upload.get();
}

void Upload::readNext(Work work) {
  const MutexLock lock(mutex_);
  if (isFinished_) return;
  const int64_t left = work.writer ? work.header.digest().size_bytes() - work.writer->written() : INT64_MAX;
  parked_ = std::move(work);
  rate_.beginWait(site_.clock.monotonic(), std::min(left, site_.limits.maxChunkBytes));
  StartRead(&message_);
}

void Upload::OnReadDone(bool ok) {
  {
    const MutexLock lock(mutex_);
    if (isFinished_) return;
    rate_.endWait(site_.clock.monotonic(), ok ? static_cast<int64_t>(message_.Length()) : 0);
  }
  site_.disk.run([self = shared_from_this(), ok] { ok ? self->take() : self->takeEnd(); });
}

std::optional<Upload::Work> Upload::takeWork() {
  const MutexLock lock(mutex_);
  return std::exchange(parked_, std::nullopt);
}

// Only while the client is waited for: what the disk takes is no fault of the client's. Ended under the same lock: a
// message that comes now is too late.
void Upload::tick(absl::Duration now) {
  const MutexLock lock(mutex_);
  if (isFinished_ || !rate_.isTooSlow(now)) return;
  site_.failpoints.pass("upload.slow");
  finishLocked(withDetail(absl::ResourceExhaustedError(absl::StrCat(
                              "the upload is slower than ", site_.limits.leastUploadRate, " bytes per second for ",
                              absl::FormatDuration(site_.limits.uploadGrace), "; what has arrived is kept: resume it")),
                          "TOO_SLOW", "ask with QueryUpload where to go on", absl::Seconds(1)));
}

void Upload::take() {
  std::optional<Work> work = takeWork();
  if (!work) return;
  v1::UploadRequest request;
  absl::Status status = decode(message_, request);
  message_.Clear();
  if (status.ok() && request.has_header() == work->hasBegun)
    status = absl::InvalidArgumentError(work->hasBegun ? "an upload's header comes a second time"
                                                       : "an upload's first message has no header");
  if (status.ok() && !work->hasBegun) status = begin(request.header(), *work);
  if (absl::IsAlreadyExists(status)) return store(work->header.digest());
  if (status.ok()) status = append(request.data(), *work);
  if (status.ok()) return readNext(*std::move(work));
  // Before the client hears of the end: it may resume at once.
  work.reset();
  finish(status);
}

absl::Status Upload::begin(const v1::UploadHeader &header, Work &work) {
  work.hasBegun = true;
  work.header = header;
  const v1::Digest &digest = header.digest();
  if (absl::Status status = check(header, site_); !status.ok()) return status;
  call_.setBlob(digest);
  if (absl::Status status = findOwner(header); !status.ok()) return status;
  if (site_.blobs->has(digest)) {
    // What is there is only as good as its bytes: whoever uploads a blob again may do so because it is damaged.
    const absl::Status whole = site_.blobs->verify(digest);
    if (whole.ok()) return absl::AlreadyExistsError("the blob is there");
    if (absl::IsDataLoss(whole)) {
      site_.traffic.blobCorrupt();
      site_.engine->blobDamaged(digest);
    }
  }
  if (absl::Status status = takeSlot(header); !status.ok()) return status;
  {
    const MutexLock lock(mutex_);
    slot_ = digest.size_bytes();
  }
  auto writer = site_.blobs->write(digest, header.upload_id(), header.offset());
  if (!writer.ok()) return writer.status();
  work.writer = *std::move(writer);
  return absl::OkStatus();
}

absl::Status Upload::findOwner(const v1::UploadHeader &header) {
  if (header.task() == 0) {
    user_ = slotName_ = call_.user();
    return absl::OkStatus();
  }
  const auto user = site_.store->userOfLease(header.task(), header.epoch());
  if (!user.ok()) return user.status();
  if (!user->has_value())
    return withDetail(absl::FailedPreconditionError(absl::StrCat("lease ", header.epoch(), " of task ", header.task(),
                                                                 " is over: nobody wants its result")),
                      "LEASE_OVER");
  user_ = **user;
  slotName_ = absl::StrCat("results of ", user_);  // no user's name
  return absl::OkStatus();
}

absl::Status Upload::takeSlot(const v1::UploadHeader &header) {
  const int64_t bytes = header.digest().size_bytes();
  if (header.task() != 0) return site_.slots.takeUnlimited(slotName_, bytes, site_.blobs->freeBytes());
  const auto usage = site_.store->usage(user_);
  if (!usage.ok()) return usage.status();
  return site_.slots.take(slotName_, bytes, usage->blobBytes, site_.blobs->freeBytes());
}

absl::Status Upload::append(const std::string &data, Work &work) {
  const int64_t size = work.header.digest().size_bytes();
  const auto count = static_cast<int64_t>(data.size());
  if (count > site_.limits.maxChunkBytes)
    return absl::InvalidArgumentError(
        absl::StrCat("a message holds ", count, " bytes of data, but at most ", site_.limits.maxChunkBytes));
  if (count > size - work.writer->written())
    return withDetail(absl::InvalidArgumentError(absl::StrCat("more bytes came than the ", size, " of the digest")),
                      "WRONG_DIGEST");
  if (count == 0) return absl::OkStatus();
  if (absl::Status status = work.writer->append(data); !status.ok()) return status;
  site_.traffic.blobBytesWritten(count);
  return absl::OkStatus();
}

void Upload::takeEnd() {
  std::optional<Work> work = takeWork();
  if (!work) return;
  if (!work->hasBegun) return finish(absl::InvalidArgumentError("an upload ended before its header"));
  const v1::Digest digest = work->header.digest();
  const int64_t written = work->writer->written();
  absl::Status status;
  if (written == digest.size_bytes()) {
    status = work->writer->finish();
    if (absl::IsInvalidArgument(status)) status = withDetail(status, "WRONG_DIGEST");
  } else {
    status = absl::InvalidArgumentError(absl::StrCat("the upload ended after ", written, " of ", digest.size_bytes(),
                                                     " bytes; they are kept: resume it"));
  }
  work.reset();
  if (!status.ok()) return finish(status);
  store(digest);
}

void Upload::store(const v1::Digest &digest) {
  site_.engine->blobStored(user_, digest, [self = shared_from_this()](absl::StatusOr<v1::Digest> stored) {
    if (stored.ok()) {
      v1::UploadResponse response;
      response.set_size_bytes(stored->size_bytes());
      *self->response_ = encode(response);
    }
    self->finish(stored.status());
  });
}

void Upload::finish(const absl::Status &status) {
  const MutexLock lock(mutex_);
  finishLocked(status);
}

void Upload::finishLocked(const absl::Status &status) {
  if (isFinished_) return;
  isFinished_ = true;
  // Before the client hears of the end: it may resume at once.
  parked_.reset();
  if (slot_) site_.slots.give(slotName_, *slot_);
  Finish(call_.close(status));
}

void Upload::OnDone() { self_.reset(); }

}  // namespace hone::server
