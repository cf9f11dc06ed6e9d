// hone-server as it is, that takes probe jobs, too.
#include "server/program.h"
#include "tests/server/probe/probe.h"

int main(int argc, char **argv) {
  return hone::server::runProgram(argc, argv, hone::server::testing::kindsWithProbe());
}
