#include "server/rpc/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_detail.h"
#include "server/rpc/raw.h"
#include "server/rpc/validate.h"

namespace hone::server {

namespace {

constexpr int64_t kLeastChunk = int64_t{4} << 10;

}  // namespace

Download::Download(Site &site, grpc::CallbackServerContext *context)
    : site_(site),
      call_(site, *context, "Blobs.Download", Call::Kind::Read),
      context_(context),
      rate_(site.limits.leastDownloadRate, site.limits.downloadGrace) {}

Download *Download::start(Site &site, grpc::CallbackServerContext *context, const grpc::ByteBuffer *request) {
  auto download = std::make_shared<Download>(site, context);
  download->self_ = download;
  absl::Status status = download->call_.opened();
  if (status.ok()) status = decode(*request, download->request_);
  if (status.ok()) status = check(download->request_, site);
  if (status.ok()) status = site.downloads.take(download->call_.user());
  if (!status.ok()) {
    download->finish(status);
    return download.get();
  }
  {
    const MutexLock lock(download->mutex_);
    download->hasSlot_ = true;
  }
  site.ticker.add(download);
  site.disk.run([download] { download->open(); });
  return download.get();
}

void Download::open() {
  call_.setBlob(request_.digest());
  const auto path = site_.blobs->locate(request_.digest());
  if (!path.ok()) {
    if (absl::IsDataLoss(path.status())) {
      site_.traffic.blobCorrupt();
      site_.engine->blobDamaged(request_.digest());
    }
    return finish(path.status());
  }
  file_ = Descriptor(::open(path->c_str(), O_RDONLY | O_CLOEXEC));
  if (!file_.isOpen() || lseek(file_.get(), request_.offset(), SEEK_SET) < 0)
    return finish(absl::UnavailableError(absl::StrCat("cannot read a blob: ", strerror(errno))));
  left_ = request_.digest().size_bytes() - request_.offset();
  send();
}

// Two at least in the time that is judged: of one that is on its way it is not known how far it is.
int64_t Download::chunkBytes() const {
  const double judged =
      static_cast<double>(site_.limits.leastDownloadRate) * absl::ToDoubleSeconds(site_.limits.downloadGrace);
  const int64_t most = site_.limits.maxChunkBytes;
  if (judged <= 0 || judged / 2 >= static_cast<double>(most)) return most;
  return std::min(most, std::max(kLeastChunk, static_cast<int64_t>(judged / 2)));
}

void Download::send() {
  if (left_ == 0) return finish(absl::OkStatus());
  v1::DownloadResponse response;
  std::string &data = *response.mutable_data();
  data.resize(static_cast<size_t>(std::min(left_, chunkBytes())));
  ssize_t count = 0;
  do count = read(file_.get(), data.data(), data.size());
  while (count < 0 && errno == EINTR);
  if (count < 0) return finish(fileError("read the blob", request_.digest().sha256(), errno));
  if (count == 0) return finish(absl::DataLossError("a blob became shorter while it was read"));
  data.resize(static_cast<size_t>(count));
  left_ -= count;
  site_.traffic.blobBytesRead(count);
  message_ = encode(response);
  const MutexLock lock(mutex_);
  rate_.beginWait(site_.clock.monotonic(), count);
  StartWrite(&message_);
}

void Download::OnWriteDone(bool ok) {
  {
    const MutexLock lock(mutex_);
    if (finished_) return;
    rate_.endWait(site_.clock.monotonic(), static_cast<int64_t>(message_.Length()));
    if (!ok) return finishLocked(absl::CancelledError("the client has gone"));
  }
  site_.disk.run([self = shared_from_this()] { self->send(); });
}

// Only while a write is under way: no disk thread has the turn then.
void Download::tick(absl::Duration now) {
  const MutexLock lock(mutex_);
  if (finished_) {
    // Who does not read does not hear of the end either.
    if (context_ != nullptr && now - *finished_ > site_.limits.downloadGrace) context_->TryCancel();
    return;
  }
  if (!rate_.isTooSlow(now)) return;
  finishLocked(withDetail(
      absl::ResourceExhaustedError(absl::StrCat(
          "the download is slower than ", site_.limits.leastDownloadRate, " bytes per second for ",
          absl::FormatDuration(site_.limits.downloadGrace), "; go on with it at the offset that was reached")),
      "TOO_SLOW", "download the rest, from the offset that was reached", absl::Seconds(1)));
}

void Download::finish(const absl::Status &status) {
  const MutexLock lock(mutex_);
  finishLocked(status);
}

void Download::finishLocked(const absl::Status &status) {
  if (finished_) return;
  finished_ = site_.clock.monotonic();
  if (hasSlot_) site_.downloads.give(call_.user());
  Finish(call_.close(status));
}

void Download::OnDone() {
  {
    const MutexLock lock(mutex_);
    context_ = nullptr;
  }
  self_.reset();
}

}  // namespace hone::server
