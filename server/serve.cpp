#include "server/serve.h"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/stubs/logging.h"
#include "server/admin/admin_server.h"
#include "server/admin/metrics.h"
#include "server/engine_log.h"
#include "server/local_worker.h"
#include "server/rpc/address.h"
#include "server/rpc/rpc_server.h"
#include "server/store/data_lock.h"
#include "server/store/sqlite_store.h"
#include "server/tracker/tracker.h"
#include "text/printable.h"

namespace hone::server {

namespace {

constexpr absl::Duration kCloseGrace = absl::Seconds(5);
constexpr timespec kPoll = {0, 100'000'000};
constexpr int kInterrupted = 130;
constexpr char kLocalWorker[] = "local";  // the private coordinator's, and the key of its device

std::string userName() {
  const passwd *entry = getpwuid(getuid());
  return entry != nullptr ? std::string(entry->pw_name) : absl::StrCat("uid-", getuid());
}

// Blocked in every thread that is started from now on; taken in by this one.
sigset_t takeSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// The file appears whole or not at all: whoever waits for it reads it at once.
absl::Status writePortFile(const std::string &path, const std::string &text) {
  if (path.empty()) return absl::OkStatus();
  // Without the file's own name, which may be as long as a name can be.
  const std::filesystem::path aside =
      std::filesystem::path(path).replace_filename(absl::StrCat(".hone-server-", getpid()));
  std::ofstream file(aside);
  file << text << "\n";
  file.close();
  if (!file || rename(aside.c_str(), path.c_str()) != 0)
    return absl::UnavailableError(absl::StrCat("cannot write '", path, "': ", strerror(errno)));
  return absl::OkStatus();
}

Log::Level levelOf(const std::string &name) {
  if (name == "debug") return Log::Level::Debug;
  if (name == "warning") return Log::Level::Warning;
  return name == "error" ? Log::Level::Error : Log::Level::Info;
}

// Declared in the order in which the parts need each other; they end in the opposite one.
class Coordinator {
 public:
  Coordinator(Settings settings, const Kinds &kinds)
      : settings_(std::move(settings)), kinds_(kinds), signals_(takeSignals()) {}

  absl::Status start();
  int run();

 private:
  absl::Status checkPlaces();
  absl::Status openData();
  absl::Status startServices();
  absl::Status startAdmin();
  absl::Status startTracker();
  /// Of the private coordinator: whoever asks for its worker before that has attached waits for it.
  absl::Status announceWorker();
  absl::Status startWorker();
  absl::Status tell();
  /// A signal that has come, or 0. Waits a moment for one.
  int nextSignal() const { return std::max(0, sigtimedwait(&signals_, nullptr, &kPoll)); }
  void drain();
  [[noreturn]] void endNow(int signal) const;

  Settings settings_;
  const Kinds &kinds_;
  const sigset_t signals_;
  SystemClock clock_;
  std::unique_ptr<Failpoints> failpoints_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<DataLock> lock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<BlobFolder> blobs_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<EngineLog> observer_;
  std::atomic<bool> isIdle_{false};
  std::unique_ptr<Engine> engine_;
  std::atomic<bool> stopAsked_{false}, stopNow_{false};
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<TvmTracker> tracker_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<LocalWorker> worker_;
};

// Before anything is touched: what will be refused is refused at once.
absl::Status Coordinator::checkPlaces() {
  if (settings_.data.empty()) settings_.data = defaultDataFolder(settings_.isPrivate);
  if (!text::isUtf8(settings_.data))
    return absl::InvalidArgumentError(absl::StrCat("the data folder '", text::asUtf8(settings_.data),
                                                   "' has a name that is not UTF-8, which messages with its paths have "
                                                   "to be; set XDG_DATA_HOME or --data to another"));
  if (settings_.isPrivate) {
    if (settings_.socket.empty()) return absl::InvalidArgumentError("--private needs --socket");
    settings_.listen = {absl::StrCat("unix:", settings_.socket)};
  }
  for (const std::string &text : settings_.listen) {
    const auto address = listenAddress(text);
    if (!address.ok()) return address.status();
    if (absl::Status status = probeAddress(*address); !status.ok()) return status;
  }
  if (!settings_.admin.empty()) {
    auto address = listenAddress(settings_.admin);
    if (!address.ok()) return address.status();
    if (address->isUnix()) return absl::InvalidArgumentError("--admin is no HOST:PORT");
  }
  return absl::OkStatus();
}

absl::Status Coordinator::openData() {
  auto lock = DataLock::take(settings_.data);
  if (!lock.ok()) return lock.status();
  lock_ = std::make_unique<DataLock>(*std::move(lock));
  auto store = openSqliteStore({.folder = settings_.data}, *failpoints_);
  if (!store.ok()) return store.status();
  store_ = *std::move(store);
  if (settings_.diskReserve < 0) {
    std::error_code error;
    const auto disk = std::filesystem::space(settings_.data, error);
    settings_.diskReserve = defaultDiskReserve(settings_.isPrivate, error ? 0 : static_cast<int64_t>(disk.capacity));
  }
  auto blobs = BlobFolder::open({.root = settings_.data, .reserveBytes = settings_.diskReserve}, *failpoints_);
  if (!blobs.ok()) return blobs.status();
  blobs_ = *std::move(blobs);
  return absl::OkStatus();
}

absl::Status Coordinator::announceWorker() {
  if (!settings_.isPrivate) return absl::OkStatus();
  const auto known = store_->workers();
  if (!known.ok()) return known.status();
  const auto before =
      std::find_if(known->begin(), known->end(), [](const WorkerRow &worker) { return worker.name == kLocalWorker; });
  WorkerRow worker = before != known->end() ? *before : WorkerRow();
  worker.name = worker.key = kLocalWorker;
  worker.version = HONE_VERSION;
  worker.roles = {v1::ROLE_BUILDER, v1::ROLE_DEVICE};
  worker.seenMicros = clock_.wallMicros();
  absl::Status status = store_->begin();
  if (status.ok()) status = store_->putWorker(worker);
  return status.ok() ? store_->commit() : status;
}

absl::Status Coordinator::startServices() {
  metrics_ = Metrics::make();
  observer_ = std::make_unique<EngineLog>(*log_, *metrics_);
  std::random_device random;
  const auto newSeed = [&random] { return (uint64_t{random()} << 32) | random(); };
  auto engine = Engine::start({.store = store_.get(),
                               .blobs = blobs_.get(),
                               .kinds = &kinds_,
                               .clock = &clock_,
                               .failpoints = failpoints_.get(),
                               .observer = observer_.get(),
                               .seed = newSeed()},
                              settings_.policy);
  if (!engine.ok()) return engine.status();
  engine_ = *std::move(engine);
  RpcOptions options;
  options.addresses = settings_.listen;
  options.privateUser = settings_.isPrivate ? userName() : "";
  options.programs = settings_.programs;
  options.limits = settings_.limits;
  options.policy = settings_.policy;
  options.seed = newSeed();
  options.stop = [this](bool now) {
    if (now) stopNow_ = true;
    stopAsked_ = true;
  };
  auto rpc = RpcServer::start(std::move(options), {.engine = engine_.get(),
                                                   .store = store_.get(),
                                                   .blobs = blobs_.get(),
                                                   .kinds = &kinds_,
                                                   .clock = &clock_,
                                                   .log = log_.get(),
                                                   .traffic = metrics_.get(),
                                                   .failpoints = failpoints_.get()});
  if (!rpc.ok()) return rpc.status();
  rpc_ = *std::move(rpc);
  return absl::OkStatus();
}

absl::Status Coordinator::startAdmin() {
  if (settings_.admin.empty()) return absl::OkStatus();
  const auto address = listenAddress(settings_.admin);
  if (!address.ok()) return address.status();
  const Metrics::Sources sources{engine_.get(), blobs_.get()};
  auto admin = AdminServer::start(address->host, address->port,
                                  {.metrics = [this, sources] { return metrics_->page(sources); },
                                   .ready = [this] { return checkReady(*engine_, *blobs_); }});
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  Address chosen = *address;
  chosen.port = static_cast<uint16_t>(admin_->port());
  log_->info("admin pages", {{"address", chosen.text()}});
  return writePortFile(settings_.adminPortFile, chosen.text());
}

absl::Status Coordinator::startTracker() {
  if (settings_.tvmTrackerPort < 0) return absl::OkStatus();
  TvmTracker::Options options;
  options.port = static_cast<int>(settings_.tvmTrackerPort);
  auto tracker = TvmTracker::start(
      options, {.clock = &clock_,
                .fleet =
                    [this](v1::ListWorkersRequest request, Callback<v1::ListWorkersResponse> done) {
                      engine_->listWorkers(std::move(request), std::move(done));
                    },
                .log = [this](std::string_view line) { log_->info("tvm tracker", {{"message", std::string(line)}}); }});
  if (!tracker.ok()) return tracker.status();
  tracker_ = *std::move(tracker);
  const std::string address = absl::StrCat(options.host, ":", tracker_->port());
  log_->info("tvm tracker", {{"address", address}});
  return writePortFile(settings_.tvmTrackerPortFile, address);
}

absl::Status Coordinator::startWorker() {
  constexpr uint64_t kLongestFile = uint64_t{64} << 30;
  const auto memory = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (!settings_.isPrivate) return absl::OkStatus();
  const auto program = findWorkerProgram();
  if (!program.ok()) return program.status();
  worker_ = std::make_unique<LocalWorker>(
      std::vector<std::string>{
          program->string(), "--server", settings_.listen[0], "--name", kLocalWorker, "--roles", "builder,device",
          "--key", kLocalWorker, "--data", absl::StrCat(settings_.data, "/worker"), "--log-format", settings_.logFormat,
          // All work is this user's, as are the files that it could reach; and one large model
          // may have all of the machine.
          "--allow-weak-sandbox", "--child-memory", absl::StrCat(memory), "--child-disk", absl::StrCat(kLongestFile)},
      clock_, *log_);
  worker_->supervise();
  return absl::OkStatus();
}

// Whoever started us, that we serve.
absl::Status Coordinator::tell() {
  for (const Address &address : rpc_->addresses())
    log_->info("serving", {{"address", address.text()}, {"data", settings_.data}, {"version", HONE_VERSION}});
  if (absl::Status status = writePortFile(settings_.portFile, rpc_->addresses()[0].text()); !status.ok()) return status;
  if (settings_.readyDescriptor < 0) return absl::OkStatus();
  const auto descriptor = static_cast<int>(settings_.readyDescriptor);
  constexpr std::string_view kReady = "ready\n";
  if (write(descriptor, kReady.data(), kReady.size()) != static_cast<ssize_t>(kReady.size()))
    return absl::UnavailableError(absl::StrCat("cannot write to the descriptor ", descriptor, " of --ready-fd"));
  close(descriptor);
  return absl::OkStatus();
}

absl::Status Coordinator::start() {
  // A hostile client would fill the log with what protobuf thinks of its bytes.
  google::protobuf::SetLogHandler(nullptr);
  if (absl::Status status = checkPlaces(); !status.ok()) return status;
  auto log = Log::open(settings_.logFile, levelOf(settings_.logLevel),
                       settings_.logFormat == "json" ? Log::Format::Json : Log::Format::Text);
  if (!log.ok()) return log.status();
  log_ = *std::move(log);
  const char *failpoint = getenv("HONE_FAILPOINT");
  failpoints_ = std::make_unique<Failpoints>(failpoint != nullptr ? failpoint : "");
  for (absl::Status (Coordinator::*step)() :
       {&Coordinator::openData, &Coordinator::announceWorker, &Coordinator::startServices, &Coordinator::startAdmin,
        &Coordinator::startTracker, &Coordinator::startWorker, &Coordinator::tell})
    if (absl::Status status = (this->*step)(); !status.ok()) return status;
  return absl::OkStatus();
}

int Coordinator::run() {
  const bool endsWhenIdle = settings_.isPrivate;
  for (;;) {
    if (const int signal = nextSignal(); signal > 0) {
      log_->info("ending", {{"signal", strsignal(signal)}});
      break;
    }
    if (stopAsked_) {
      log_->info("ending", {{"reason", "a client asked for it"}});
      break;
    }
    if (worker_ != nullptr) worker_->supervise();
    if (!endsWhenIdle || rpc_->idle() < settings_.idle) continue;
    const EngineState state = engine_->state();
    if (state.pending + state.leased > 0) continue;
    log_->info("ending", {{"reason", "idle"}});
    break;
  }
  if (!stopNow_) drain();
  rpc_->close(kCloseGrace);
  log_->info("ended", {});
  return 0;
}

void Coordinator::drain() {
  rpc_->setServing(false);
  engine_->drain([this] { isIdle_ = true; });
  const absl::Duration end = clock_.monotonic() + settings_.drainTimeout;
  while (!isIdle_ && !stopNow_ && clock_.monotonic() < end) {
    if (const int signal = nextSignal(); signal > 0) endNow(signal);
    if (worker_ != nullptr) worker_->supervise();
  }
  const EngineState state = engine_->state();
  log_->info("drained", {{"leases_left", absl::StrCat(state.leased)}, {"pending", absl::StrCat(state.pending)}});
}

// What is on the disk is all that counts, and it is whole at any instant. The kernel ends the worker with us.
void Coordinator::endNow(int signal) const {
  log_->warning("ended at once", {{"signal", strsignal(signal)}});
  _exit(kInterrupted);
}

}  // namespace

absl::StatusOr<int> serve(Settings settings, const Kinds &kinds) {
  Coordinator coordinator(std::move(settings), kinds);
  if (absl::Status status = coordinator.start(); !status.ok()) return status;
  return coordinator.run();
}

}  // namespace hone::server
