// The commands of `hone`. Each takes the arguments after its own name (and the whole command line for reproducers),
// prints its errors and returns the exit code.
#pragma once

#include <string>
#include <vector>

namespace hone::client {

struct Invocation {
  std::vector<std::string> arguments;    ///< after the command's name
  std::vector<std::string> commandLine;  ///< all of it
};

int benchCommand(const Invocation &invocation);
int compileCommand(const Invocation &invocation);
int contextCommand(const Invocation &invocation);
int devicesCommand(const Invocation &invocation);
int doctorCommand(const Invocation &invocation);
int inspectCommand(const Invocation &invocation);
int jobsCommand(const Invocation &invocation);
int runCommand(const Invocation &invocation);
int sampleCommand(const Invocation &invocation);
int serverCommand(const Invocation &invocation);
int testModelCommand(const Invocation &invocation);

}  // namespace hone::client
