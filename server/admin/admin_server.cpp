#include "server/admin/admin_server.h"

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "httplib.h"
#include "server/engine/engine.h"
#include "server/store/blob_folder.h"

namespace hone::server {

namespace {

constexpr int kThreads = 2;
constexpr int kSeconds = 5;  // for a request to arrive and for an answer to be taken
constexpr size_t kMaxRequestBytes = 1 << 16;
constexpr char kText[] = "text/plain; charset=utf-8";

class AdminServerImpl : public AdminServer {
 public:
  explicit AdminServerImpl(Pages pages) : pages_(std::move(pages)) {
    http_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    http_.set_read_timeout(kSeconds);
    http_.set_write_timeout(kSeconds);
    http_.set_payload_max_length(kMaxRequestBytes);
    // A port that another process has is to be refused, not shared.
    http_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    http_.Get("/healthz",
              [](const httplib::Request &, httplib::Response &response) { response.set_content("ok\n", kText); });
    http_.Get("/readyz", [this](const httplib::Request &, httplib::Response &response) {
      const absl::Status status = pages_.ready();
      response.status = status.ok() ? 200 : 503;
      response.set_content(status.ok() ? "ok\n" : absl::StrCat(status.message(), "\n"), kText);
    });
    http_.Get("/metrics", [this](const httplib::Request &, httplib::Response &response) {
      response.set_content(pages_.metrics(), "text/plain; version=0.0.4; charset=utf-8");
    });
  }
  ~AdminServerImpl() override {
    http_.stop();
    if (thread_.joinable()) thread_.join();
  }
  AdminServerImpl(const AdminServerImpl &) = delete;
  AdminServerImpl &operator=(const AdminServerImpl &) = delete;

  absl::Status listen(const std::string &host, int port) {
    port_ = port;
    const bool isBound = port == 0 ? (port_ = http_.bind_to_any_port(host)) > 0 : http_.bind_to_port(host, port);
    if (!isBound)
      return absl::UnavailableError(absl::StrCat("cannot listen on ", host, ":", port, " for the admin pages: ",
                                                 strerror(errno), "; choose another with --admin"));
    thread_ = std::thread([this] { http_.listen_after_bind(); });
    // stop() before the loop runs would be lost.
    while (!http_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }
  int port() const override { return port_; }

 private:
  const Pages pages_;
  httplib::Server http_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::start(const std::string &host, int port, Pages pages) {
  auto server = std::make_unique<AdminServerImpl>(std::move(pages));
  if (absl::Status status = server->listen(host, port); !status.ok()) return status;
  return server;
}

absl::Status checkReady(const Engine &engine, const BlobFolder &blobs) {
  const EngineState state = engine.state();
  if (state.isDraining) return absl::UnavailableError("draining: the coordinator is to end");
  if (!state.lastCommit.ok())
    return absl::UnavailableError(absl::StrCat("the last commit failed: ", state.lastCommit.message()));
  const int64_t free = blobs.freeBytes();
  if (free < blobs.reserveBytes())
    return absl::UnavailableError(
        absl::StrCat("the disk has ", free, " bytes free, and ", blobs.reserveBytes(), " are to be kept"));
  return absl::OkStatus();
}

}  // namespace hone::server
