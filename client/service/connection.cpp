#include "client/service/connection.h"

#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "client/programs.h"
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

// Versions are numbers with dots between them.
bool isOlder(std::string_view one, std::string_view other) {
  const auto numbers = [](std::string_view version) {
    std::vector<int> parts;
    for (const absl::string_view part : absl::StrSplit(absl::string_view(version.data(), version.size()), '.')) {
      int number = 0;
      parts.push_back(absl::SimpleAtoi(part, &number) ? number : 0);
    }
    return parts;
  };
  return numbers(one) < numbers(other);
}

/// Whether the private coordinator that runs gives way to ours, and how it is asked to.
bool isToBeReplaced(const v1::Capabilities &running, v1::StopRequest &request) {
  if (running.version() == HONE_VERSION) {
    // What it does now it does as well as when it was begun; what it will do is the new programs'.
    request.set_if_idle(true);
    const std::string ours = identityOfServer();
    return !ours.empty() && running.programs() != ours;
  }
  // Its unfinished jobs are durable: ours goes on with them. A newer one understands us, and may have changed its data
  // so that ours could not read them.
  request.set_now(true);
  return isOlder(running.version(), HONE_VERSION);
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

Connection::~Connection() {
#ifndef HONE_SANITIZED
  // What the kernel closes at once when the program ends, gRPC takes apart in milliseconds.
  static_cast<void>(stubs_.release());
#endif
}

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
  v1::StopRequest request;
  if (!status.ok() || !isToBeReplaced(capabilities_, request)) return status;
  v1::StopResponse response;
  status = call({}, [&](grpc::ClientContext &context) { return stubs_->server.Stop(&context, request, &response); });
  if (status.ok() && request.if_idle() && response.unfinished_jobs() > 0) {
    fputs(
        "note: the private server runs programs that have been replaced since it was started; it has work, and is "
        "started anew by the first command after that, or by `hone server stop --now`\n",
        stderr);
    return status;
  }
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
