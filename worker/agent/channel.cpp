#include "worker/agent/channel.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "hone/v1/server.pb.h"

namespace hone::worker {

namespace {

constexpr int kKeepaliveMs = 30000;
constexpr int kKeepaliveTimeoutMs = 20000;
// The pause between attempts is the agent's to choose, with its own randomness.
constexpr int kReconnectMs = 100;
constexpr int kMostReconnectMs = 1000;
constexpr int kLongestMessage = 64 << 20;
constexpr char kDetail[] = "hone.v1.ErrorDetail";

}  // namespace

absl::StatusOr<Address> readAddress(const std::string &text) {
  auto address = parseAddress(text);
  if (!address.ok() || address->isLocal()) return address;
  const uint16_t port = address->port;
  return absl::InvalidArgumentError(absl::StrCat(
      "'", address->host, "' is another machine, and the connection is not encrypted; forward the port (ssh -L ", port,
      ":127.0.0.1:", port, " ", address->host, ") and give 127.0.0.1:", port));
}

std::shared_ptr<grpc::Channel> makeChannel(const std::string &address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMostReconnectMs);
  // An address of this machine is not for a proxy.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kLongestMessage);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

void identify(grpc::ClientContext &context, const std::string &name) { context.AddMetadata("hone-user", name); }

absl::Status statusOf(const grpc::Status &status) {
  if (status.ok()) return absl::OkStatus();
  std::string sentence = status.error_message();
  v1::ErrorDetail detail;
  const bool hasDetail = detail.ParseFromString(status.error_details());
  if (hasDetail && !detail.remedy().empty()) absl::StrAppend(&sentence, "; ", detail.remedy());
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), sentence);
  if (hasDetail) result.SetPayload(kDetail, absl::Cord(status.error_details()));
  return result;
}

double retrySecondsOf(const absl::Status &status) {
  const auto payload = status.GetPayload(kDetail);
  v1::ErrorDetail detail;
  return payload && detail.ParseFromString(std::string(*payload)) ? detail.retry_seconds() : 0;
}

}  // namespace hone::worker
