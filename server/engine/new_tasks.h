// Tasks as drivers want them, with what the store needs to know of each. Pure functions.
#pragma once

#include <vector>

#include "server/kinds/kinds.h"
#include "server/store/store.h"

namespace hone::server {

/// Tasks of one job that have not ended.
inline constexpr size_t kMostTasks = 4096;

/// \p spec is of a kind that \p kinds knows.
NewTask newTask(const Kinds &kinds, const v1::TaskSpec &spec);
std::vector<NewTask> newTasks(const Kinds &kinds, const std::vector<v1::TaskSpec> &specs);

/// How a job of \p kind begins: its tasks, and its driver's memo.
struct Beginning {
  std::vector<NewTask> tasks;
  std::string memo;
};
Beginning beginningOf(const Kinds &kinds, const JobKind &kind, const v1::JobSpec &spec);

}  // namespace hone::server
