// The entries of the tables in kinds.cpp: each is defined in the file of its kind.
#pragma once

#include "server/kinds/kinds.h"

namespace hone::server {

extern const TaskKind kCompileTask;
extern const JobKind kCompileJob;
extern const TaskKind kRunTask;
extern const JobKind kRunJob;
extern const TaskKind kBenchTask;
extern const JobKind kBenchJob;

}  // namespace hone::server
