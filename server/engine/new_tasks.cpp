#include "server/engine/new_tasks.h"

#include <cassert>
#include <utility>

namespace hone::server {

NewTask newTask(const Kinds &kinds, const v1::TaskSpec &spec) {
  const TaskKind *kind = kinds.find(spec);
  assert(kind != nullptr && "a driver asks for kinds of its own table");
  NewTask task;
  task.kind = kind->name;
  task.spec = spec;
  if (kind->key != nullptr) task.key = kind->key(spec);
  if (kind->items != nullptr) task.items = kind->items(spec);
  // The result of a task with items is not one message that another task could be given.
  if (kind->specification != nullptr && task.items == 0) task.cacheKey = kind->specification(spec);
  return task;
}

std::vector<NewTask> newTasks(const Kinds &kinds, const std::vector<v1::TaskSpec> &specs) {
  std::vector<NewTask> tasks;
  for (const v1::TaskSpec &spec : specs) tasks.push_back(newTask(kinds, spec));
  return tasks;
}

Beginning beginningOf(const Kinds &kinds, const JobKind &kind, const v1::JobSpec &spec) {
  if (kind.task != nullptr) {
    NewTask task = newTask(kinds, taskOf(spec));
    task.spec.reset();  // the store has it, as the job's
    return {{std::move(task)}, ""};
  }
  Step step = kind.begin(spec);
  return {newTasks(kinds, step.tasks), std::move(step.memo)};
}

}  // namespace hone::server
