// One Work done in this process. Kinds of work are rows of a table, so that a build without the compiler has a shorter
// one. Functions without state: what a work leaves for the next one is the caller's.
#pragma once

#include <any>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "hone/v1/work.pb.h"

namespace hone::worker {

using ReportProgress = std::function<void(const v1::Progress &)>;

/// What the works of a lease leave for the next one (a mapped library, a pool of threads), in whatever type their kind
/// likes; empty at first. It ends with the process, which serves one lease.
using Kept = std::any;

struct Kind {
  v1::Work::KindCase kind;
  absl::Status (*run)(const v1::Work &work, const ReportProgress &progress, Kept &kept, v1::Result &result);
};

/// run, bench, and the target as the runtime sees it: all that a light device worker does.
std::vector<Kind> deviceKinds();

/// compile, sample, inspect, and the target as the compiler sees it. Only in builds with the compiler.
std::vector<Kind> builderKinds();

/// Does \p work; \p progress is called from one thread at a time. Never throws: what goes wrong is in the result.
v1::Result doWork(const v1::Work &work, const std::vector<Kind> &kinds, const ReportProgress &progress, Kept &kept);

}  // namespace hone::worker
