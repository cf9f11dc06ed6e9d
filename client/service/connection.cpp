#include "client/service/connection.h"

#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/service/private_server.h"
#include "client/service/service_error.h"
#include "client/service/stubs.h"
#include "proto/api_version.h"

namespace hone::client {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kShortestPause{50};
constexpr int kPrivateAttempts = 5;
constexpr milliseconds kLongestPause{2000};
constexpr milliseconds kHandshake{200};
constexpr CallRules kFirstCall{.deadline = seconds(15), .patience = seconds(1)};

grpc::ChannelArguments channelArguments() {
  grpc::ChannelArguments arguments;
  // A dump of assembler in a job's result has many megabytes.
  arguments.SetMaxReceiveMessageSize(-1);
  // A coordinator is never behind a web proxy, but environments that have one name it for everything.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A laptop that slept, or a cable that was pulled, is noticed while a job is watched.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return arguments;
}

std::string_view failpointInEnvironment() {
  const char *text = getenv("HONE_FAILPOINT");
  return text == nullptr ? std::string_view() : text;
}

}  // namespace

absl::Status interrupted() { return absl::CancelledError("interrupted"); }

Connection::Connection(Endpoint endpoint, Interrupts &interrupts)
    : endpoint_(std::move(endpoint)),
      interrupts_(interrupts),
      failpoints_(failpointInEnvironment()),
      random_(std::random_device{}()) {}

Connection::~Connection() = default;

absl::StatusOr<std::unique_ptr<Connection>> Connection::open(Endpoint endpoint, Interrupts &interrupts) {
  std::unique_ptr<Connection> connection(new Connection(std::move(endpoint), interrupts));
  absl::Status status = connection->endpoint_.isPrivate() ? connection->openPrivate()
                                                          : connection->connect(connection->endpoint_.address);
  if (!status.ok()) return status;
  const v1::Capabilities &server = connection->capabilities_;
  if (server.oldest_api_version() > proto::kApiVersion)
    return absl::UnavailableError(absl::StrCat(connection->endpoint_.name(), " is hone ", server.version(),
                                               ", which no longer understands this hone ", HONE_VERSION,
                                               "; install that version here"));
  return connection;
}

absl::Status Connection::connect(const std::string &target) {
  // Never given back: gRPC 1.51 takes up to 10 seconds, now and then, to go down with its last user.
  grpc_init();
  stubs_ = std::make_unique<Stubs>(
      grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), channelArguments()));
  return call(kFirstCall, [this](grpc::ClientContext &context) {
    return stubs_->server.GetCapabilities(&context, {}, &capabilities_);
  });
}

absl::Status Connection::openPrivate() {
  auto paths = privatePaths();
  if (!paths.ok()) return paths.status();
  const std::string target = absl::StrCat("unix:", paths->socket.string());
  absl::Status status;
  // One that was killed a moment ago accepts connections until the kernel has closed the last of what it held.
  for (int attempt = 0; attempt < kPrivateAttempts; ++attempt) {
    if (attempt > 0 && !interrupts_.sleep(kShortestPause)) return interrupted();
    if (absl::Status running = ensurePrivateServer(*paths, interrupts_); !running.ok()) return running;
    status = connect(target);
    if (!absl::IsUnavailable(status)) break;
  }
  if (!status.ok() || capabilities_.version() == HONE_VERSION) return status;
  // The one of another version. Its unfinished jobs are durable: ours goes on with them.
  v1::StopRequest request;
  request.set_now(true);
  v1::StopResponse response;
  status = call({}, [&](grpc::ClientContext &context) { return stubs_->server.Stop(&context, request, &response); });
  if (status.ok()) status = waitForEnd(*paths, interrupts_);
  if (status.ok()) status = ensurePrivateServer(*paths, interrupts_);
  return status.ok() ? connect(target) : status;
}

absl::Status Connection::waitForServer(int attempt) {
  const milliseconds most = std::min(kLongestPause, kShortestPause * (1 << std::min(attempt, 10)));
  const milliseconds pause(std::uniform_int_distribution<int64_t>(most.count() / 2, most.count())(random_));
  if (!interrupts_.sleep(pause)) return interrupted();
  if (endpoint_.isPrivate()) {
    auto paths = privatePaths();
    if (!paths.ok()) return paths.status();
    if (absl::Status running = ensurePrivateServer(*paths, interrupts_); !running.ok()) return running;
  }
  // A connection comes about while somebody waits for it. Calls that fail at once do not, and gRPC itself looks only
  // every 5 seconds.
  stubs_->channel->WaitForConnected(std::chrono::system_clock::now() + kHandshake);
  return absl::OkStatus();
}

absl::Status Connection::call(const CallRules &rules, const std::function<grpc::Status(grpc::ClientContext &)> &body) {
  const auto end = std::chrono::steady_clock::now() + rules.patience;
  for (int attempt = 0;; ++attempt) {
    grpc::ClientContext context;
    context.AddMetadata("hone-user", endpoint_.user);
    context.AddMetadata("hone-request-id", absl::StrFormat("%016x", random_()));
    if (rules.deadline.count() > 0) context.set_deadline(std::chrono::system_clock::now() + rules.deadline);
    const Interrupts::Scope scope(interrupts_, context);
    const grpc::Status status = body(context);
    if (status.ok()) return absl::OkStatus();
    if (interrupts_.raised()) return interrupted();
    if (!rules.isRepeatable || !isPassing(status) || std::chrono::steady_clock::now() >= end)
      return fromService(status, endpoint_);
    if (absl::Status waited = waitForServer(attempt); !waited.ok()) return waited;
  }
}

}  // namespace hone::client
