// hone run: the runtime's tool, in this process.
#include <iostream>

#include "client/commands.h"
#include "runtime/tools/run_tool.h"

namespace hone::client {

int runCommand(const Invocation &invocation) {
  return runtime::runTool("hone run", invocation.arguments, std::cout, std::cerr);
}

}  // namespace hone::client
