#include "client/service/target.h"

#include <google/protobuf/util/message_differencer.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/input_file.h"
#include "client/output_file.h"
#include "client/programs.h"
#include "client/request.h"
#include "client/service/digest.h"
#include "client/service/fleet_list.h"
#include "client/service/folders.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

// What the answer depends on: the CPU (as the first one's paragraph in /proc/cpuinfo has it, without what fluctuates),
// how many of them we may use, and the program that answers.
std::string machine(const fs::path &worker) {
  std::string identity;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();)
    if (!line.starts_with("cpu MHz") && !line.starts_with("bogomips")) absl::StrAppend(&identity, line, "\n");
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  absl::StrAppend(&identity, CPU_COUNT(&allowed), " ", readWholeFile("/sys/fs/cgroup/cpu.max").value_or(""), "\n");
  struct stat status{};
  if (stat(worker.c_str(), &status) == 0)
    absl::StrAppend(&identity, worker.string(), " ", status.st_ino, " ", status.st_size, " ", status.st_mtim.tv_sec,
                    ".", status.st_mtim.tv_nsec, "\n");
  return absl::StrCat(identity, HONE_VERSION, "\n");
}

}  // namespace

absl::StatusOr<v1::TargetDescription> describeTarget(const std::string &text) {
  auto worker = findProgram("hone-worker");
  if (!worker.ok()) return worker.status();
  auto cache = cacheFolder();
  const fs::path path =
      cache.ok() ? *cache / "targets" / sha256Hex(absl::StrCat(machine(*worker), text)).substr(0, 32) : fs::path();
  v1::TargetDescription target;
  if (!path.empty())
    if (const std::string known = readWholeFile(path).value_or(""); !known.empty() && target.ParseFromString(known))
      return target;
  Request request{{}, {}, "", {}};
  request.work.mutable_describe_target()->set_target(text);
  auto result = ask(std::move(request));
  if (!result.ok()) return result.status();
  target = result->target_description();
  // Not to be able to remember it costs time only.
  if (!path.empty() && makeFolder(path.parent_path()).ok())
    writeWholeFile(path, target.SerializeAsString()).IgnoreError();
  return target;
}

absl::StatusOr<v1::TargetDescription> targetOfKey(Connection &connection, const std::string &key) {
  auto fleet = listFleet(connection, "");
  if (!fleet.ok()) return fleet.status();
  const v1::Worker *first = nullptr;
  for (const v1::Worker &worker : fleet->workers) {
    if (worker.key() != key || !isDevice(worker) || worker.state() == v1::WORKER_GONE) continue;
    if (first == nullptr) first = &worker;
    if (!google::protobuf::util::MessageDifferencer::Equals(first->target(), worker.target()))
      return absl::InvalidArgumentError(absl::StrCat(
          "the devices of key '", key, "' differ: '", first->name(), "' is ", shortText(first->target()), ", '",
          worker.name(), "' is ", shortText(worker.target()), "; name the --target instead of --rpc-key"));
  }
  if (first != nullptr) return first->target();
  return absl::NotFoundError(absl::StrCat("no device has the key '", key, "'; ", namesOfKeys(*fleet)));
}

std::string shortText(const v1::TargetDescription &target) {
  return absl::StrCat("llvm -mtriple=", target.triple(), " -mcpu=", target.cpu(), " -num-cores=", target.cores());
}

}  // namespace hone::client
