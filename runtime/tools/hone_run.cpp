// hone-run: runs an artifact where there is nothing of hone but the runtime.
#include <iostream>
#include <string>
#include <vector>

#include "runtime/tools/run_tool.h"
#include "runtime/tools/standard_streams.h"

int main(int argc, char **argv) {
  hone::runtime::openStandardStreams();
  return hone::runtime::runTool("hone-run", std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
