#include "server/tracker/tracker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/tracker/connection.h"
#include "server/tracker/loop.h"

namespace hone::server {
namespace {

constexpr int kBacklog = 128;

class RunningTracker : public TvmTracker {
 public:
  RunningTracker(std::unique_ptr<TrackerLoop> loop, int port)
      : loop_(std::move(loop)), port_(port), thread_([this] { loop_->run(); }) {}
  RunningTracker(const RunningTracker &) = delete;
  RunningTracker &operator=(const RunningTracker &) = delete;
  ~RunningTracker() override {
    loop_->stop();
    thread_.join();
  }

  int port() const override { return port_; }

 private:
  std::unique_ptr<TrackerLoop> loop_;
  int port_;
  std::thread thread_;
};

absl::StatusOr<sockaddr_in> loopbackAddress(const TvmTracker::Options &options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (options.port < 0 || options.port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("the port of TVM's tracker is ", options.port, ", but ports are 0 to 65535"));
  }
  address.sin_port = htons(static_cast<uint16_t>(options.port));
  const bool isAddress = inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) == 1;
  if (!isAddress || ntohl(address.sin_addr.s_addr) >> 24 != 127) {
    return absl::InvalidArgumentError(absl::StrCat(
        "TVM's tracker protocol has no authentication, so it is served on loopback (127.0.0.1) only, not on '",
        options.host, "'; reach it from elsewhere through ssh -L"));
  }
  return address;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TvmTracker>> TvmTracker::start(Options options, Parts parts) {
  absl::StatusOr<sockaddr_in> address = loopbackAddress(options);
  if (!address.ok()) return address.status();
  Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  const int yes = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  socklen_t length = sizeof(sockaddr_in);
  auto *const raw = reinterpret_cast<sockaddr *>(&*address);
  if (epoll.get() < 0 || bind(listener.get(), raw, length) != 0 || listen(listener.get(), kBacklog) != 0 ||
      getsockname(listener.get(), raw, &length) != 0) {
    return absl::UnavailableError(absl::StrCat("TVM's tracker cannot listen on ", options.host, ":", options.port, ": ",
                                               std::strerror(errno), "; choose another port with --tvm-tracker-port"));
  }
  auto loop =
      std::make_unique<TrackerLoop>(std::move(listener), std::move(epoll), std::move(options), std::move(parts));
  return std::make_unique<RunningTracker>(std::move(loop), ntohs(address->sin_port));
}

}  // namespace hone::server
