// The coordinator's services as gRPC generates them. Heavy to include: for the files of this folder that call them.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/service/connection.h"
#include "hone/v1/blobs.grpc.pb.h"
#include "hone/v1/fleet.grpc.pb.h"
#include "hone/v1/jobs.grpc.pb.h"
#include "hone/v1/server.grpc.pb.h"
#include "text/message.h"

namespace hone::client {

struct Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel> &to) : channel(to), blobs(to), jobs(to), fleet(to), server(to) {}

  std::shared_ptr<grpc::Channel> channel;
  v1::Blobs::Stub blobs;
  v1::Jobs::Stub jobs;
  v1::Fleet::Stub fleet;
  v1::Server::Stub server;
};

/// One request, one response: unary(connection, connection.stubs().jobs, &v1::Jobs::Stub::Get, request).
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> unary(Connection &connection, Stub &stub,
                               grpc::Status (Stub::*method)(grpc::ClientContext *, const Request &, Response *),
                               const Request &request, const CallRules &rules = {}) {
  if (absl::Status status = text::checkUtf8(request); !status.ok()) return status;
  Response response;
  absl::Status status = connection.call(
      rules, [&](grpc::ClientContext &context) { return (stub.*method)(&context, request, &response); });
  if (!status.ok()) return status;
  return response;
}

}  // namespace hone::client
