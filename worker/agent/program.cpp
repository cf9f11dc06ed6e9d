#include "worker/agent/program.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <utility>

#include "abi/hone_abi.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "proto/api_version.h"
#include "worker/agent/agent.h"
#include "worker/agent/channel.h"
#include "worker/agent/data_folder.h"
#include "worker/agent/describe.h"
#include "worker/agent/options.h"
#include "worker/kinds/kinds.h"

namespace hone::worker {

namespace {

constexpr int kWrongUsage = 2;
constexpr int kUnavailable = 5;

int fail(int code, const absl::Status &status) {
  fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return code;
}

absl::Duration monotonicNow() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

// Before any thread: all inherit the mask, and the signals wait to be read.
Descriptor watchSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return Descriptor(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

bool isBuilder(const AgentOptions &options) {
  return std::find(options.roles.begin(), options.roles.end(), v1::ROLE_BUILDER) != options.roles.end();
}

v1::Hello makeHello(const AgentOptions &options, WorkKinds kinds, v1::TargetDescription target, uint64_t instance) {
  v1::Hello hello;
  hello.set_name(options.name);
  hello.set_key(options.key);
  for (const v1::Role role : options.roles) hello.add_roles(role);
  hello.set_builder_slots(isBuilder(options) ? options.slots : 0);
  *hello.mutable_target() = std::move(target);
  hello.set_memory_bytes(static_cast<int64_t>(physicalBytes()));
  hello.set_api_version(proto::kApiVersion);
  hello.set_oldest_api_version(proto::kOldestApiVersion);
  hello.set_instance(absl::StrCat(absl::Hex(instance, absl::kZeroPad16)));
  for (const WorkKind *kind : kinds) {
    if (std::find(options.roles.begin(), options.roles.end(), kind->role) == options.roles.end()) continue;
    v1::KindVersion &known = *hello.add_kinds();
    known.set_kind(kind->name);
    known.set_version(kind->version);
  }
  hello.set_abi_version(HONE_ABI_VERSION);
  hello.set_version(HONE_VERSION);
  if (isBuilder(options)) hello.set_build_id(buildId());
  return hello;
}

// Of what is free now, with a part for fetched blobs; a board's card is not to be useless either.
uint64_t shareOfDisk(const std::string &folder, int32_t pieces) {
  constexpr uint64_t kLeast = uint64_t{1} << 30;
  std::error_code error;
  const uint64_t available = std::filesystem::space(folder, error).available;
  return error ? kLeast : std::max(kLeast, available / (static_cast<uint64_t>(pieces) + 1));
}

/// \p channel is the caller's, so that it outlives all that uses it.
int serve(const AgentOptions &options, WorkKinds kinds, const DataFolder &data, int signals,
          std::shared_ptr<grpc::Channel> &channel) {
  const Log log(options.logFormat);
  std::random_device entropy;
  const auto seed = [&entropy] { return (uint64_t{entropy()} << 32) | entropy(); };
  std::error_code error;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  if (error) return fail(kUnavailable, absl::UnavailableError("cannot find this program: /proc is not mounted"));
  QuietLock quiet(options.quietLock.empty() ? coreLockPath() : std::filesystem::path(options.quietLock));
  if (!quiet.state().ok())
    log.warn("measurements cannot keep builders still", {{"reason", std::string(quiet.state().message())}});
  const uint64_t disk = options.childDiskBytes > 0 ? options.childDiskBytes : shareOfDisk(data.work(), options.pieces);
  ChildPool children({.path = self,
                      .folders = data.work(),
                      .isStrict = !options.allowsWeakSandbox,
                      .memoryBytes = options.childMemoryBytes,
                      .diskBytes = disk},
                     quiet, log);
  const char *failpoint = getenv("HONE_FAILPOINT");
  Failpoints failpoints(failpoint == nullptr ? "" : failpoint);
  Cancellation never;
  auto target = describeTarget(children, log, never);
  if (!target.ok()) return fail(kUnavailable, target.status());
  channel = makeChannel(options.server);
  BlobCache cache(data.blobs(), static_cast<int64_t>(options.cacheBytes));
  Blobs blobs(channel, cache, {options.name, data.work(), seed(), &failpoints});
  const LeaseRunner runner({kinds, &blobs, &children, &quiet, &log, options.childMemoryBytes, disk, &failpoints});
  const v1::Hello hello = makeHello(options, kinds, *std::move(target), seed());
  log.info("starting", {{"name", hello.name()},
                        {"key", hello.key()},
                        {"server", options.server},
                        {"version", hello.version()},
                        {"build", hello.build_id()},
                        {"slots", absl::StrCat(hello.builder_slots())},
                        {"target", absl::StrCat(hello.target().triple(), " ", hello.target().cpu())}});
  Agent agent({kinds, channel, &blobs, &children, &runner, &log, monotonicNow, seed(), signals, &failpoints}, hello);
  const int code = agent.run();
  log.info("ending", {{"code", absl::StrCat(code)}});
  return code;
}

// A model may keep its data in hundreds of files, which are all open on their way to a child.
void allowOpenFiles() {
  rlimit limits{};
  if (getrlimit(RLIMIT_NOFILE, &limits) != 0) return;
  limits.rlim_cur = limits.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limits);
}

}  // namespace

int runAgent(int argc, char **argv, WorkKinds kinds, bool hasBuilder) {
  const auto options = readOptions(argc, argv, hasBuilder);
  if (!options.ok()) return fail(kWrongUsage, options.status());
  if (!options->help.empty()) {
    fputs(options->help.c_str(), stdout);
    return 0;
  }
  allowOpenFiles();
  std::shared_ptr<grpc::Channel> channel;
  int code = kUnavailable;
  {
    const Descriptor signals = watchSignals();
    const auto data = DataFolder::open(options->data);
    if (!data.ok()) return fail(kUnavailable, data.status());
    code = serve(*options, kinds, *data, signals.get(), channel);
  }
  if (channel == nullptr) return code;
  // Nothing of ours is left to end. gRPC 1.51 now and then aborts while it takes down the last channel of a process
  // (its completion queue's thread drops a reference that is gone already), so that is left to the kernel.
  fflush(nullptr);
  _exit(code);
}

}  // namespace hone::worker
