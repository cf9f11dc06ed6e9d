#include "server/rpc/rpc_server.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc/grpc.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "server/rpc/blobs_service.h"
#include "server/rpc/fleet_service.h"
#include "server/rpc/jobs_service.h"
#include "server/rpc/records_service.h"
#include "server/rpc/server_service.h"

namespace hone::server {

namespace {

constexpr int kMaxMessageBytes = 4 << 20;
constexpr int kKeepaliveMilliseconds = 30000;
constexpr int kKeepaliveTimeoutMilliseconds = 20000;
constexpr int kLeastPingMilliseconds = 10000;
constexpr int kMaxStreams = 10000;  // of one connection

class RpcServerImpl : public RpcServer {
 public:
  RpcServerImpl(RpcOptions options, Site::Parts parts)
      : site_(parts, options.limits, options.policy, options.privateUser, options.seed),
        blobs_(site_),
        fleet_(site_),
        jobs_(site_),
        records_(site_),
        server_(site_) {
    site_.programs = std::move(options.programs);
    site_.stop = std::move(options.stop);
  }
  ~RpcServerImpl() override { close(absl::ZeroDuration()); }
  RpcServerImpl(const RpcServerImpl &) = delete;
  RpcServerImpl &operator=(const RpcServerImpl &) = delete;

  absl::Status listen(const std::vector<std::string> &addresses);

  const std::vector<Address> &addresses() const override { return addresses_; }
  void setServing(bool isServing) override { grpc_->GetHealthCheckService()->SetServingStatus(isServing); }
  absl::Duration idle() const override { return site_.activity.idle(); }
  void close(absl::Duration grace) override;

 private:
  void configure(grpc::ServerBuilder &builder);

  Site site_;
  BlobsService blobs_;
  FleetService fleet_;
  JobsService jobs_;
  RecordsService records_;
  ServerService server_;
  std::vector<Address> addresses_;
  std::unique_ptr<grpc::Server> grpc_;
};

void RpcServerImpl::configure(grpc::ServerBuilder &builder) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // Without this a second server shares the port, and each gets half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kLeastPingMilliseconds);
  grpc::ResourceQuota quota("hone-server");
  quota.Resize(static_cast<size_t>(site_.limits.memoryBytes));
  builder.SetResourceQuota(quota);
  builder.RegisterService(&blobs_);
  builder.RegisterService(&fleet_);
  builder.RegisterService(&jobs_);
  builder.RegisterService(&records_);
  builder.RegisterService(&server_);
}

absl::Status RpcServerImpl::listen(const std::vector<std::string> &addresses) {
  for (const std::string &text : addresses) {
    auto address = listenAddress(text);
    if (!address.ok()) return address.status();
    if (absl::Status status = probeAddress(*address); !status.ok()) return status;
    addresses_.push_back(*std::move(address));
  }
  if (addresses_.empty()) return absl::InvalidArgumentError("there is no address to listen on");
  // Never given back: gRPC 1.51 takes up to 10 seconds, now and then, to go down with its last user.
  grpc_init();
  grpc::ServerBuilder builder;
  configure(builder);
  std::vector<int> ports(addresses_.size(), 0);
  for (size_t i = 0; i < addresses_.size(); ++i)
    builder.AddListeningPort(addresses_[i].text(), grpc::InsecureServerCredentials(), &ports[i]);
  grpc_ = builder.BuildAndStart();
  if (grpc_ == nullptr) return absl::UnavailableError(absl::StrCat("cannot listen on ", addresses_[0].text()));
  for (size_t i = 0; i < addresses_.size(); ++i) {
    if (addresses_[i].isUnix()) {
      // For the owner alone; elsewhere the process's umask decides who may connect.
      if (site_.isPrivate()) chmod(addresses_[i].path.c_str(), S_IRUSR | S_IWUSR);
    } else {
      addresses_[i].port = static_cast<uint16_t>(ports[i]);
    }
  }
  return absl::OkStatus();
}

void RpcServerImpl::close(absl::Duration grace) {
  if (grpc_ == nullptr) return;
  setServing(false);
  site_.isClosing = true;
  const auto now = std::chrono::system_clock::now();
  grpc_->Shutdown(now + absl::ToChronoMilliseconds(grace));
  grpc_->Wait();
  grpc_.reset();
  for (const Address &address : addresses_)
    if (address.isUnix()) unlink(address.path.c_str());
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::start(RpcOptions options, Site::Parts parts) {
  const std::vector<std::string> addresses = options.addresses;
  auto server = std::make_unique<RpcServerImpl>(std::move(options), parts);
  if (absl::Status status = server->listen(addresses); !status.ok()) return status;
  return server;
}

}  // namespace hone::server
