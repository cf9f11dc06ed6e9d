#include "server/rpc/records_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/rpc/export.h"
#include "server/rpc/unary.h"

namespace hone::server {

namespace {

constexpr int32_t kMostRecords = 1000;  // of a page

}  // namespace

grpc::ServerUnaryReactor *RecordsService::Query(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                                grpc::ByteBuffer *out) {
  return serve<v1::QueryRecordsRequest, v1::QueryRecordsResponse>(
      site_, context, in, out, "Records.Query", Call::Kind::Read,
      [this](std::shared_ptr<Unary<v1::QueryRecordsResponse>> call, v1::QueryRecordsRequest request) {
        request.set_page_size(std::min(request.page_size(), kMostRecords));
        site_.lists.run([this, call = std::move(call), request = std::move(request)] {
          call->finish(site_.store->records(request));
        });
      });
}

grpc::ServerUnaryReactor *RecordsService::Import(grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                                 grpc::ByteBuffer *out) {
  return serve<v1::ImportRecordsRequest, v1::ImportRecordsResponse>(
      site_, context, in, out, "Records.Import", Call::Kind::Change,
      [this](std::shared_ptr<Unary<v1::ImportRecordsResponse>> call, v1::ImportRecordsRequest request) {
        const absl::Status room =
            site_.slots.checkDisk("import", static_cast<int64_t>(request.ByteSizeLong()), site_.blobs->freeBytes());
        if (!room.ok()) return call->finish(room);
        site_.engine->importRecords(
            std::move(request), [call](absl::StatusOr<v1::ImportRecordsResponse> response) { call->finish(response); });
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer> *RecordsService::Export(grpc::CallbackServerContext *context,
                                                                   const grpc::ByteBuffer *in) {
  return RecordsExport::start(site_, context, in);
}

}  // namespace hone::server
