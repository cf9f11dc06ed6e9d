// Calls with one request and one answer. The answer may come later and from any thread.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"
#include "server/rpc/call.h"
#include "server/rpc/raw.h"
#include "server/rpc/validate.h"

namespace hone::server {

/// The open end of a call: finish() exactly once.
template <typename Response>
class Unary {
 public:
  /// \p reactor is the context's; one asks a context for it once only.
  Unary(Site &site, grpc::CallbackServerContext *context, grpc::ServerUnaryReactor *reactor, grpc::ByteBuffer *out,
        std::string_view method, Call::Kind kind)
      : call(site, *context, method, kind), reactor_(reactor), out_(out) {}

  void finish(const absl::StatusOr<Response> &answer) {
    if (answer.ok()) *out_ = encode(*answer);
    reactor_->Finish(call.close(answer.status()));
  }

  Call call;

 private:
  grpc::ServerUnaryReactor *const reactor_;
  grpc::ByteBuffer *const out_;  // lives until Finish()
};

/// Parses and checks the request, then hands it to \p body(std::shared_ptr<Unary<Response>>, Request).
template <typename Request, typename Response, typename Body>
grpc::ServerUnaryReactor *serve(Site &site, grpc::CallbackServerContext *context, const grpc::ByteBuffer *in,
                                grpc::ByteBuffer *out, std::string_view method, Call::Kind kind, Body body) {
  grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
  auto call = std::make_shared<Unary<Response>>(site, context, reactor, out, method, kind);
  Request request;
  absl::Status status = call->call.opened();
  if (status.ok()) status = decode(*in, request);
  if (status.ok()) status = check(request, site);
  if (!status.ok()) {
    call->finish(status);
  } else {
    body(std::move(call), std::move(request));
  }
  return reactor;
}

}  // namespace hone::server
