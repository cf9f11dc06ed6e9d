#include "server/rpc/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/rpc/raw.h"
#include "server/rpc/validate.h"

namespace hone::server {

Download::Download(Site &site, grpc::CallbackServerContext *context)
    : site_(site), call_(site, *context, "Blobs.Download", Call::Kind::Read) {}

Download::~Download() {
  if (descriptor_ >= 0) close(descriptor_);
}

Download *Download::start(Site &site, grpc::CallbackServerContext *context, const grpc::ByteBuffer *request) {
  auto download = std::make_shared<Download>(site, context);
  download->self_ = download;
  absl::Status status = download->call_.opened();
  if (status.ok()) status = decode(*request, download->request_);
  if (status.ok()) status = check(download->request_, site);
  if (status.ok()) {
    site.disk.run([download] { download->open(); });
  } else {
    download->finish(status);
  }
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
  descriptor_ = ::open(path->c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0 || lseek(descriptor_, request_.offset(), SEEK_SET) < 0)
    return finish(absl::UnavailableError(absl::StrCat("cannot read a blob: ", strerror(errno))));
  left_ = request_.digest().size_bytes() - request_.offset();
  send();
}

void Download::send() {
  if (left_ == 0) return finish(absl::OkStatus());
  v1::DownloadResponse response;
  std::string &data = *response.mutable_data();
  data.resize(static_cast<size_t>(std::min(left_, site_.limits.maxChunkBytes)));
  ssize_t count = 0;
  do count = read(descriptor_, data.data(), data.size());
  while (count < 0 && errno == EINTR);
  if (count < 0) return finish(absl::UnavailableError(absl::StrCat("cannot read a blob: ", strerror(errno))));
  if (count == 0) return finish(absl::DataLossError("a blob became shorter while it was read"));
  data.resize(static_cast<size_t>(count));
  left_ -= count;
  site_.traffic.blobBytesRead(count);
  message_ = encode(response);
  StartWrite(&message_);
}

void Download::OnWriteDone(bool ok) {
  if (!ok) return finish(absl::CancelledError("the client has gone"));
  site_.disk.run([self = shared_from_this()] { self->send(); });
}

void Download::finish(const absl::Status &status) { Finish(call_.close(status)); }

void Download::OnDone() { self_.reset(); }

}  // namespace hone::server
