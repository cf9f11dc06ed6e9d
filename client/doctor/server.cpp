// What `hone doctor` finds at a coordinator.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/doctor/findings.h"
#include "client/listing.h"
#include "client/service/fleet_list.h"

namespace hone::client {

namespace {

constexpr double kClockSeconds = 5;
constexpr double kLongWaitSeconds = 600;

void checkClock(const v1::Capabilities &server, Findings &findings) {
  const int64_t now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const double ahead = static_cast<double>(server.now_micros() - now) / 1e6;
  const std::string text = absl::StrFormat("the server's clock is %.1f s %s this machine's", std::abs(ahead),
                                           ahead < 0 ? "behind" : "ahead of");
  if (std::abs(ahead) > kClockSeconds)
    findings.push_back({Health::Warning, "clock", text,
                        "let both keep time (systemd-timesyncd, chrony); times in listings mislead until then"});
  else
    findings.push_back({Health::Good, "clock", text, ""});
}

void checkDisk(const v1::Capabilities &server, Findings &findings) {
  const int64_t left = server.disk().free_bytes();
  const int64_t reserve = server.disk().reserve_bytes();
  const std::string text =
      absl::StrCat("the server's disk has ", megabytes(left), " left; uploads are refused below ", megabytes(reserve));
  if (left <= reserve)
    findings.push_back({Health::Broken, "disk", text,
                        "make room on the server's data disk, shorten its retention, or lower its disk-reserve "
                        "(HONE_SERVER_DISK_RESERVE when it starts)"});
  else if (left < 2 * reserve)
    findings.push_back({Health::Warning, "disk", text, "make room on the server's data disk soon"});
  else
    findings.push_back({Health::Good, "disk", text, ""});
}

struct KeyHealth {
  int ready = 0;
  std::vector<std::string> away;  // "a (quarantined: …)"
};

void checkKey(const std::string &what, const KeyHealth &health, const Endpoint &endpoint, Findings &findings) {
  const std::string ready = absl::StrCat(what, ": ", health.ready, " ready");
  if (health.away.empty()) {
    findings.push_back({Health::Good, "workers", ready, ""});
    return;
  }
  std::string text = absl::StrCat(ready, ", ", health.away.size(), " not:");
  for (const std::string &worker : health.away) absl::StrAppend(&text, " ", worker);
  findings.push_back({health.ready > 0 ? Health::Warning : Health::Broken, "workers", text,
                      absl::StrCat("start hone-worker where it is gone; `hone devices undrain NAME", endpoint.flags,
                                   "` lets one work again that is drained or in quarantine")});
}

void checkQueues(const FleetList &fleet, Findings &findings) {
  for (const v1::KeyQueue &queue : fleet.queues) {
    if (queue.pending() == 0 || queue.oldest_seconds() < kLongWaitSeconds) continue;
    const std::string what = queue.key().empty() ? "builders" : absl::StrCat("key ", queue.key());
    findings.push_back(
        {Health::Warning, "queue",
         absl::StrCat(what, ": ", queue.pending(), " wait, the first for ", durationText(queue.oldest_seconds())),
         "attach more workers of that kind"});
  }
}

// The private server may have been started for this very question: its worker gets a moment to attach.
absl::StatusOr<FleetList> settledFleet(Connection &connection) {
  constexpr int kAttempts = 100;
  constexpr std::chrono::milliseconds kPause{100};
  for (int attempt = 0;; ++attempt) {
    auto fleet = listFleet(connection, "");
    const bool isSettled = !fleet.ok() || !connection.endpoint().isPrivate() ||
                           std::any_of(fleet->workers.begin(), fleet->workers.end(),
                                       [](const v1::Worker &worker) { return worker.state() == v1::WORKER_READY; });
    if (isSettled || attempt >= kAttempts || !connection.interrupts().sleep(kPause)) return fleet;
  }
}

std::string reasonAway(const v1::Worker &worker) {
  const char *state = worker.state() == v1::WORKER_GONE       ? "gone"
                      : worker.state() == v1::WORKER_DRAINING ? "draining"
                                                              : "in quarantine";
  return absl::StrCat(worker.name(), " (", state, worker.reason().empty() ? "" : ": ", worker.reason(), ")");
}

}  // namespace

void checkServer(const Connection &connection, Findings &findings) {
  const v1::Capabilities &server = connection.capabilities();
  findings.push_back({Health::Good, "server",
                      absl::StrCat(connection.endpoint().name(), " answers, and sees you as ", server.user()), ""});
  if (server.version() == HONE_VERSION)
    findings.push_back({Health::Good, "version", absl::StrCat("both are hone ", HONE_VERSION), ""});
  else
    findings.push_back({Health::Warning, "version",
                        absl::StrCat("the server is hone ", server.version(), ", this is hone ", HONE_VERSION),
                        "they understand each other; install the same version to have the same features"});
  checkClock(server, findings);
  checkDisk(server, findings);
  const v1::Quota &quota = server.quota();
  findings.push_back({Health::Good, "quota",
                      absl::StrCat("you may store ", megabytes(quota.max_blob_bytes()), ", run ",
                                   quota.max_running_jobs(), " jobs at once and queue ", quota.max_queued_jobs()),
                      ""});
}

void checkWorkers(Connection &connection, Findings &findings) {
  auto fleet = settledFleet(connection);
  if (!fleet.ok()) {
    findings.push_back({Health::Broken, "workers", std::string(fleet.status().message()), "see the server's log"});
    return;
  }
  std::map<std::string, KeyHealth> kinds;
  for (const v1::Worker &worker : fleet->workers) {
    std::vector<std::string> names;
    if (isBuilder(worker)) names.emplace_back("builders");
    if (isDevice(worker)) names.push_back(absl::StrCat("devices of key ", worker.key()));
    for (const std::string &name : names) {
      if (worker.state() == v1::WORKER_READY)
        ++kinds[name].ready;
      else
        kinds[name].away.push_back(reasonAway(worker));
    }
  }
  if (!kinds.contains("builders"))
    findings.push_back({Health::Broken, "workers", "no builder has ever attached: nothing can be compiled",
                        "start hone-worker with --roles builder"});
  for (const auto &[name, health] : kinds) checkKey(name, health, connection.endpoint(), findings);
  checkQueues(*fleet, findings);
}

}  // namespace hone::client
