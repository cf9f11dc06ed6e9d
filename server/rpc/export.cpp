#include "server/rpc/export.h"

#include <utility>

#include "server/rpc/raw.h"
#include "server/rpc/validate.h"

namespace hone::server {

namespace {

constexpr int32_t kPage = 500;

}  // namespace

RecordsExport::RecordsExport(Site &site, grpc::CallbackServerContext *context)
    : site_(site), call_(site, *context, "Records.Export", Call::Kind::Read) {}

RecordsExport *RecordsExport::start(Site &site, grpc::CallbackServerContext *context, const grpc::ByteBuffer *request) {
  auto exported = std::make_shared<RecordsExport>(site, context);
  exported->self_ = exported;
  v1::ExportRecordsRequest wanted;
  absl::Status status = exported->call_.opened();
  if (status.ok()) status = decode(*request, wanted);
  if (status.ok()) status = check(wanted, site);
  if (!status.ok()) {
    exported->Finish(exported->call_.close(status));
    return exported.get();
  }
  exported->query_.set_task(wanted.task());
  if (wanted.has_target()) *exported->query_.mutable_target() = std::move(*wanted.mutable_target());
  exported->query_.set_threads(wanted.threads());
  exported->query_.set_page_size(kPage);
  site.lists.run([exported] { exported->readPage(); });
  return exported.get();
}

void RecordsExport::readPage() {
  auto page = site_.store->records(query_);
  if (!page.ok()) return Finish(call_.close(page.status()));
  page_ = *std::move(page);
  next_ = 0;
  send();
}

void RecordsExport::send() {
  if (next_ < page_.records_size()) {
    message_ = encode(page_.records(next_++));
    return StartWrite(&message_);
  }
  if (page_.next_page_token().empty()) return Finish(call_.close(absl::OkStatus()));
  query_.set_page_token(page_.next_page_token());
  site_.lists.run([self = shared_from_this()] { self->readPage(); });
}

void RecordsExport::OnWriteDone(bool ok) {
  if (!ok) return Finish(call_.close(absl::CancelledError("the client has gone")));
  send();
}

void RecordsExport::OnDone() { self_.reset(); }

}  // namespace hone::server
