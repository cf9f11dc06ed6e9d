// hone-server: the coordinator, and what its operator does to its data folder.
#include "server/program.h"

int main(int argc, char **argv) { return hone::server::runProgram(argc, argv, hone::server::serviceKinds()); }
