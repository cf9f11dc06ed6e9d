// The flags of `hone compile`, and the message that they are. Values; functions without state.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/service/endpoint.h"
#include "client/service/job_run.h"
#include "hone/v1/work.pb.h"

namespace hone::client {

class CommandLine;

struct CompileFlags {
  std::string model;
  std::string target = "llvm";
  std::map<std::string, std::string> targetKeys;
  std::string inputShapes;
  std::vector<std::string> bind;  ///< NAME=VALUE or NAME=FILE.npy
  std::string output = "module.tar";
  std::string outputFormat = "so";
  std::string modelFormat;
  std::string dumpCode;
  std::string schedules;
  std::string disabledPasses;
  std::string disabledAlgorithms;
  std::string printAfter;
  std::string stopAfter;
  std::string moduleName = "default";
  int optLevel = 3;
  int threads = 0;
  int verbosity = 0;
  bool printPassTimes = false;
  bool checkIndices = false;
  std::string key;  ///< of the devices to compile for; empty: target is looked at
  bool noCache = false;
  ServerFlags server;
  JobFlags job;
};

void declareCompileFlags(CommandLine &line, CompileFlags &flags);

/// The files that the command reads.
std::vector<std::string> inputPaths(const CompileFlags &flags);
/// The files that it writes.
std::vector<std::string> outputPaths(const CompileFlags &flags);

/// Everything but the target's description and the files. INVALID_ARGUMENT for values without meaning.
absl::StatusOr<v1::Compile> compileMessage(const CompileFlags &flags);

}  // namespace hone::client
