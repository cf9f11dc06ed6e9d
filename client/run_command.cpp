// hone run: the runtime's tool, in this process; or, with a tracker or key, on a device of a coordinator.
#include <functional>
#include <iostream>

#include "client/commands.h"
#include "client/failure.h"
#include "client/quiet_cores.h"
#include "client/run_remote.h"
#include "runtime/tools/run_tool.h"

namespace hone::client {

int runCommand(const Invocation &invocation) {
  auto remote = splitRunArguments(invocation.arguments);
  if (!remote.ok()) return report(remote.status());
  if (remote->isRemote && !remote->isHelp) return report(runRemotely(*remote));
  QuietCores quiet;
  const int code = runtime::runTool("hone run", remote->local, std::cout, std::cerr, std::ref(quiet));
  if (remote->isHelp) std::cout << remoteRunHelp();
  return code;
}

}  // namespace hone::client
