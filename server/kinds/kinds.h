// What the coordinator knows of each kind of work, as two tables: kinds of jobs, which people submit, and kinds of
// tasks, which workers do. Nobody else in the server asks what a job or a task is. A kind is added by a file that
// defines its entries, and by its lines in the tables of kinds.cpp.
//
// Everything here is data and pure functions. Thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "hone/v1/fleet.pb.h"
#include "hone/v1/jobs.pb.h"
#include "hone/v1/tasks.pb.h"

namespace hone::server {

/// A kind of task. Where a function may be null, the comment says what that means.
struct TaskKind {
  v1::TaskSpec::KindCase which;
  const char *name;  ///< of the field in TaskSpec; in Hello.kinds, in the database, in listings
  int32_t version;   ///< of its messages: a worker needs at least this one
  v1::Role role;     ///< who does it

  /// Of the devices that may do it; null: builders do it, and it has no key.
  std::string (*key)(const v1::TaskSpec &);
  /// The blobs that it reads, each once.
  std::vector<v1::Digest> (*blobs)(const v1::TaskSpec &);
  /// What equal work has in common (specificationKey() in engine/cache_key.h); null or an empty text: its result is
  /// given to nobody else.
  std::string (*specification)(const v1::TaskSpec &);
  /// How many items it has; null: none.
  int32_t (*items)(const v1::TaskSpec &);
  /// What a result lacks that says DONE and is kept for equal work: "artifact"; null or an empty text: nothing.
  std::string (*missing)(const v1::TaskResult &);
  /// The blobs that only other tasks of the job need, and that end with it; null: none.
  std::vector<v1::Digest> (*scratch)(const v1::TaskResult &);
};

/// What a driver decides: how a job goes on.
struct Step {
  std::vector<v1::TaskSpec> tasks;   ///< new ones
  std::optional<v1::JobResult> end;  ///< the job ends with it, and its other tasks are cancelled
  std::string memo;                  ///< what the next call is to know
};

/// A task that has ended, with everything that came of it.
struct EndedTask {
  v1::TaskSpec spec;
  v1::TaskResult result;
  std::vector<v1::ItemResult> items;  ///< by number
};

/// A kind of job. Its functions are called for specifications of its kind only.
struct JobKind {
  v1::JobSpec::KindCase which;
  const char *name;  ///< of the field in JobSpec

  /// INVALID_ARGUMENT with the field, its value and what is allowed.
  absl::Status (*check)(const v1::JobSpec &);
  /// What listings show; null: all of it.
  void (*shorten)(v1::JobSpec &);
  /// The kind of its one task, whose specification is the job's own and whose result is the job's; null: the job has a
  /// driver.
  const TaskKind *task;

  // The driver: how the job begins, and how it goes on when one of its tasks has ended. Pure functions, called within
  // the transaction that they decide about.
  Step (*begin)(const v1::JobSpec &);
  Step (*advance)(const v1::JobSpec &, const std::string &memo, const EndedTask &);
};

class Kinds {
 public:
  Kinds(std::span<const JobKind *const> jobs, std::span<const TaskKind *const> tasks) : jobs_(jobs), tasks_(tasks) {}

  /// Null: a kind that this coordinator does not know.
  const JobKind *find(const v1::JobSpec &spec) const;
  const JobKind *findJob(std::string_view name) const;
  const TaskKind *find(const v1::TaskSpec &spec) const;
  const TaskKind *findTask(std::string_view name) const;

  /// The kinds that \p hello says its worker can do; of one that does not say, those of the first version.
  std::vector<const TaskKind *> of(const v1::Hello &hello) const;

 private:
  std::span<const JobKind *const> jobs_;
  std::span<const TaskKind *const> tasks_;
};

/// What people can ask of a coordinator.
const Kinds &serviceKinds();

/// The request as a whole, its specification by the kind's own check. INVALID_ARGUMENT with the field, its value and
/// what is allowed.
absl::Status checkSubmit(const v1::SubmitRequest &request, const Kinds &kinds, int64_t mostSeconds);

/// The specification of the one task of a job whose kind has no driver.
v1::TaskSpec taskOf(const v1::JobSpec &spec);
/// How a job ends whose one task has ended so.
v1::JobResult resultOf(const v1::TaskResult &result);
/// The blobs that a result names.
std::vector<v1::Digest> blobsOf(const v1::TaskResult &result);

}  // namespace hone::server
