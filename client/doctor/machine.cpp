// What `hone doctor` finds on this machine.
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/doctor/findings.h"
#include "client/listing.h"
#include "client/programs.h"
#include "client/service/config.h"
#include "client/service/folders.h"
#include "client/service/private_server.h"

namespace hone::client {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kLittleSpace = int64_t{2} << 30;

void checkFolder(const char *what, const char *variable, const absl::StatusOr<fs::path> &folder, Findings &findings) {
  const std::string fix = absl::StrCat("set ", variable, " to a folder that you can write");
  if (!folder.ok()) {
    findings.push_back({Health::Broken, "folders", std::string(folder.status().message()), fix});
    return;
  }
  if (absl::Status made = makeFolder(*folder); !made.ok()) {
    findings.push_back({Health::Broken, "folders", std::string(made.message()), fix});
    return;
  }
  if (access(folder->c_str(), W_OK | X_OK) != 0) {
    findings.push_back({Health::Broken, "folders",
                        absl::StrCat("the ", what, " folder ", folder->string(), " cannot be written"), fix});
    return;
  }
  struct statvfs space{};
  const int64_t left = statvfs(folder->c_str(), &space) == 0
                           ? static_cast<int64_t>(space.f_bavail) * static_cast<int64_t>(space.f_frsize)
                           : kLittleSpace;
  if (left < kLittleSpace)
    findings.push_back({Health::Warning, "folders",
                        absl::StrCat("the ", what, " folder ", folder->string(), " has ", megabytes(left), " left"),
                        "make room there"});
  else
    findings.push_back(
        {Health::Good, "folders", absl::StrCat("the ", what, " folder ", folder->string(), " is writable"), ""});
}

void checkProgram(const std::string &name, Health missing, Findings &findings) {
  if (auto program = findProgram(name); program.ok())
    findings.push_back({Health::Good, "programs", absl::StrCat(name, " is ", program->string()), ""});
  else
    findings.push_back({missing, "programs", std::string(program.status().message()),
                        absl::StrCat("install ", name, " of hone ", HONE_VERSION, " beside hone")});
}

}  // namespace

void checkMachine(bool worksHere, Findings &findings) {
  checkFolder("config", "XDG_CONFIG_HOME", configFolder(), findings);
  checkFolder("cache", "XDG_CACHE_HOME", cacheFolder(), findings);
  checkFolder("data", "XDG_DATA_HOME", dataFolder(), findings);
  checkFolder("state", "XDG_STATE_HOME", stateFolder(), findings);
  const Health missing = worksHere ? Health::Broken : Health::Warning;
  checkProgram("hone-worker", missing, findings);
  checkProgram("hone-server", missing, findings);
  if (auto config = loadConfig(); !config.ok())
    findings.push_back({Health::Broken, "contexts", std::string(config.status().message()),
                        "mend that file, or remove it and add the contexts again"});
  else
    findings.push_back({Health::Good, "contexts",
                        absl::StrCat(config->contexts.size(),
                                     " contexts, current: ", config->current.empty() ? kPrivateName : config->current),
                        ""});
}

void checkPrivate(Findings &findings) {
  auto paths = privatePaths();
  if (!paths.ok()) {
    findings.push_back({Health::Broken, "private", std::string(paths.status().message()),
                        "set HOME or XDG_DATA_HOME to a folder of yours"});
    return;
  }
  const std::string state = isAnswering(paths->socket) ? "runs" : "does not run; it starts when it is needed";
  findings.push_back(
      {Health::Good, "private", absl::StrCat("the private server (socket ", paths->socket.string(), ") ", state), ""});
}

}  // namespace hone::client
