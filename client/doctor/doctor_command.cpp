// hone doctor: what is wrong, and what to do about it.
#include <algorithm>
#include <cstdio>

#include "absl/status/status.h"
#include "client/command_line.h"
#include "client/commands.h"
#include "client/doctor/findings.h"
#include "client/exit_code.h"
#include "client/failure.h"
#include "client/listing.h"

namespace hone::client {

namespace {

const char *nameOf(Health health) {
  return health == Health::Good ? "ok" : health == Health::Warning ? "warning" : "broken";
}

void checkEndpoint(const ServerFlags &flags, Findings &findings) {
  auto endpoint = chooseEndpoint(flags);
  if (!endpoint.ok()) {
    findings.push_back({Health::Broken, "server", std::string(endpoint.status().message()),
                        "name a server that there is, or none to use this machine alone"});
    return;
  }
  const bool isPrivate = endpoint->isPrivate();
  Interrupts interrupts;
  auto connection = Connection::open(*std::move(endpoint), interrupts);
  if (!connection.ok()) {
    findings.push_back({Health::Broken, "server", std::string(connection.status().message()),
                        isPrivate ? "mend what the sentence names; the log beside the data has more"
                                  : "start hone-server there, forward its port with ssh -L, or name another server"});
    return;
  }
  checkServer(**connection, findings);
  checkWorkers(**connection, findings);
}

void print(const Findings &findings, const std::string &format) {
  if (format == "json") {
    Listing listing;
    for (const Finding &finding : findings)
      listing.json.push_back({{"health", nameOf(finding.health)},
                              {"check", finding.check},
                              {"found", finding.found},
                              {"fix", finding.fix.empty() ? Json() : Json(finding.fix)}});
    print(listing, format);
    return;
  }
  for (const Finding &finding : findings) {
    printf("%-8s %-9s %s\n", nameOf(finding.health), finding.check.c_str(), finding.found.c_str());
    if (!finding.fix.empty()) printf("%-8s %-9s   fix: %s\n", "", "", finding.fix.c_str());
  }
}

}  // namespace

int doctorCommand(const Invocation &invocation) {
  CommandLine line{"look at this machine and the server: what is wrong, and what to do about it", "hone doctor"};
  ServerFlags flags;
  std::string format;
  declareServerFlags(line, flags);
  declareFormat(line, format);
  if (const auto code = line.read(invocation.arguments)) return *code;
  Findings findings;
  const auto endpoint = chooseEndpoint(flags);
  checkMachine(!endpoint.ok() || endpoint->isPrivate(), findings);
  checkPrivate(findings);
  checkEndpoint(flags, findings);
  print(findings, format);
  const auto broken = std::count_if(findings.begin(), findings.end(),
                                    [](const Finding &finding) { return finding.health == Health::Broken; });
  if (broken == 0) return static_cast<int>(ExitCode::Done);
  return report(absl::UnavailableError(std::to_string(broken) + " of " + std::to_string(findings.size()) +
                                       " findings are broken; each names its fix"));
}

}  // namespace hone::client
