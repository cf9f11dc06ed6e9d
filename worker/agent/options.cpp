#include "worker/agent/options.h"

#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/name.h"
#include "common/user_folder.h"
#include "worker/agent/channel.h"
#include "worker/agent/describe.h"

namespace hone::worker {

namespace {

// A slot with less would fail models that are not large.
constexpr uint64_t kLeastSlotBytes = uint64_t{2} << 30;

int32_t cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  return 1;
}

std::string hostName() {
  char text[256] = {};
  return gethostname(text, sizeof text - 1) == 0 && text[0] != '\0' ? asName(text) : "worker";
}

// Everything there can be fetched again: a cache. Whatever it is, nobody else can have made it.
absl::StatusOr<std::string> defaultData(const std::string &name) {
  const std::string folder = absl::StrCat("worker-", name);
  if (const char *cache = getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return absl::StrCat(cache, "/hone/", folder);
  if (const auto home = homeFolder(); home.ok()) return absl::StrCat(home->string(), "/.cache/hone/", folder);
  const auto temporary = temporaryFolderOfUser();
  if (!temporary.ok())
    return absl::UnavailableError(
        absl::StrCat("there is no home folder, and ", temporary.status().message(), ", or name a folder with --data"));
  return absl::StrCat(temporary->string(), "/", folder);
}

absl::Status checkWord(const char *flag, const std::string &word) {
  return checkName(absl::StrCat(flag, " '", word, "'"), word);
}

absl::StatusOr<std::vector<v1::Role>> readRoles(const std::string &text, bool hasCompiler) {
  std::vector<v1::Role> roles;
  for (const absl::string_view word : absl::StrSplit(text, ',')) {
    if (word != "builder" && word != "device")
      return absl::InvalidArgumentError(absl::StrCat("unknown role '", word, "'; roles are builder, device"));
    const v1::Role role = word == "builder" ? v1::ROLE_BUILDER : v1::ROLE_DEVICE;
    if (role == v1::ROLE_BUILDER && !hasCompiler)
      return absl::InvalidArgumentError(
          "this hone-worker was built without the compiler and cannot be a builder; give --roles device");
    if (std::find(roles.begin(), roles.end(), role) == roles.end()) roles.push_back(role);
  }
  return roles;
}

absl::Status complete(AgentOptions &options, const std::string &roles, bool hasCompiler) {
  if (options.server.empty())
    return absl::InvalidArgumentError("expected --server ADDRESS (or HONE_SERVER), the coordinator to work for");
  auto address = readAddress(options.server);
  if (!address.ok()) return address.status();
  options.server = address->text();
  if (options.name.empty()) options.name = hostName();
  absl::Status status = checkWord("--name", options.name);
  if (!options.key.empty()) status.Update(checkWord("--key", options.key));
  if (!status.ok()) return status;
  auto read = readRoles(roles.empty() ? (hasCompiler ? "builder,device" : "device") : roles, hasCompiler);
  if (!read.ok()) return read.status();
  options.roles = *std::move(read);
  const bool isDevice = std::find(options.roles.begin(), options.roles.end(), v1::ROLE_DEVICE) != options.roles.end();
  if (isDevice && options.key.empty())
    return absl::InvalidArgumentError(
        "a device needs --key KEY, the name of its kind by which people ask for it; or give --roles builder");
  const bool isBuilder = std::find(options.roles.begin(), options.roles.end(), v1::ROLE_BUILDER) != options.roles.end();
  if (options.slots == 0)
    options.slots = static_cast<int32_t>(std::clamp<uint64_t>(physicalBytes() / kLeastSlotBytes, 1, cores()));
  if (options.data.empty()) {
    auto data = defaultData(options.name);
    if (!data.ok()) return data.status();
    options.data = *std::move(data);
  }
  options.pieces = (isBuilder ? options.slots : 0) + (isDevice ? 1 : 0);
  if (options.childMemoryBytes == 0) options.childMemoryBytes = physicalBytes() / static_cast<uint64_t>(options.pieces);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AgentOptions> readOptions(int argc, char **argv, bool hasCompiler) {
  AgentOptions options;
  std::string roles;
  std::string format = "text";
  CLI::App app("hone-worker: takes work from a coordinator (hone-server), each piece in a process of its own.");
  app.add_option("--server", options.server, "the coordinator: HOST[:PORT] (port 9190) or unix:/path")
      ->envname("HONE_SERVER");
  app.add_option("--roles", roles, hasCompiler ? "builder, device or both (default: builder,device)" : "device");
  app.add_option("--key", options.key, "the kind of device that this is, as people ask for it: rpi4");
  app.add_option("--name", options.name, "unique among the workers, the same after a restart (default: the host's)");
  app.add_option("--slots", options.slots, "compilations at once (default: one per CPU and 2 GiB of memory)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--data", options.data, "folder for fetched blobs and for work (default: ~/.cache/hone/worker-NAME)");
  app.add_option("--cache-bytes", options.cacheBytes, "most that fetched blobs may take (default: 10GiB)")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--child-memory", options.childMemoryBytes,
                 "most memory of one piece of work (default: the machine's, divided by all that may be done at once)")
      ->transform(CLI::AsSizeValue(false));
  app.add_option(
         "--child-disk", options.childDiskBytes,
         "most that one piece of work may put into its folder, and the longest file that it may write (default: "
         "a share of what is free at the start)")
      ->transform(CLI::AsSizeValue(false));
  app.add_flag("--allow-weak-sandbox", options.allowsWeakSandbox,
               "work even if this machine cannot confine it: only for work of people whom you trust");
  app.add_option("--quiet-lock", options.quietLock,
                 "file in which all who measure and build on this machine mark their cores (default: "
                 "/run/hone-worker/cores, else /tmp/hone-UID/cores)");
  app.add_option("--log-format", format, "text or json")->check(CLI::IsMember({"text", "json"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &) {
    options.help = app.help();
    return options;
  } catch (const CLI::ParseError &error) {
    return absl::InvalidArgumentError(error.what());
  }
  options.logFormat = format == "json" ? Log::Format::Json : Log::Format::Text;
  if (absl::Status status = complete(options, roles, hasCompiler); !status.ok()) return status;
  return options;
}

}  // namespace hone::worker
