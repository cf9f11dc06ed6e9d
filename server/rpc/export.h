// Records.Export: page after page of the store, one record a message. Lives until gRPC is done with it.
#pragma once

#include <memory>

#include "grpcpp/grpcpp.h"
#include "hone/v1/records.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/site.h"

namespace hone::server {

class RecordsExport : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                      public std::enable_shared_from_this<RecordsExport> {
 public:
  /// gRPC owns the reactor that comes back.
  static RecordsExport *start(Site &site, grpc::CallbackServerContext *context, const grpc::ByteBuffer *request);

  void OnWriteDone(bool ok) override;
  void OnDone() override;

  RecordsExport(Site &site, grpc::CallbackServerContext *context);

 private:
  void readPage();  // on a reading thread
  void send();

  Site &site_;
  Call call_;
  std::shared_ptr<RecordsExport> self_;  // until OnDone()
  v1::QueryRecordsRequest query_;
  v1::QueryRecordsResponse page_;
  int next_ = 0;              // of the page
  grpc::ByteBuffer message_;  // until it is written
};

}  // namespace hone::server
