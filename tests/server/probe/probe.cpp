#include "tests/server/probe/probe.h"

#include <algorithm>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/kinds/entries.h"

namespace hone::server::testing {
namespace {

/// The seed of one task: of its round, which begins with the sum of the rounds before.
uint64_t seedOf(const v1::ProbeJob &job, int32_t round, int64_t sum, int32_t task) {
  return (job.seed() * 31 + static_cast<uint64_t>(round)) * 31 + static_cast<uint64_t>(sum) * 17 +
         static_cast<uint64_t>(task);
}

/// What the driver knows between two calls.
struct Fold {
  int32_t round = 0;
  int32_t left = 0;    ///< tasks of this round
  int64_t before = 0;  ///< the sum with which the round began
  int64_t sum = 0;

  std::string text() const { return absl::StrCat(round, " ", left, " ", before, " ", sum); }
  static Fold read(const std::string &memo) {
    const std::vector<std::string> parts = absl::StrSplit(memo, ' ');
    Fold fold;
    const bool isRead = parts.size() == 4 && absl::SimpleAtoi(parts[0], &fold.round) &&
                        absl::SimpleAtoi(parts[1], &fold.left) && absl::SimpleAtoi(parts[2], &fold.before) &&
                        absl::SimpleAtoi(parts[3], &fold.sum);
    return isRead ? fold : Fold();
  }
};

Step fanOut(const v1::ProbeJob &job, Fold fold) {
  Step step;
  fold.left = job.tasks();
  fold.before = fold.sum;
  for (int32_t task = 0; task < job.tasks(); ++task) {
    v1::ProbeTask &probe = *step.tasks.emplace_back().mutable_probe();
    probe.set_seed(seedOf(job, fold.round, fold.before, task));
    probe.set_items(job.items());
  }
  step.memo = fold.text();
  return step;
}

Step begin(const v1::JobSpec &spec) { return fanOut(spec.probe(), Fold()); }

Step advance(const v1::JobSpec &spec, const std::string &memo, const EndedTask &ended) {
  Step step;
  if (ended.result.result().outcome() != v1::Result::DONE) {
    *step.end.emplace().mutable_result() = ended.result.result();
    return step;
  }
  Fold fold = Fold::read(memo);
  int64_t number = ended.spec.probe().items() == 0 ? ended.result.probe_number() : 0;
  for (const v1::ItemResult &item : ended.items) number += item.probe_number();
  fold.sum = (fold.sum + number) % test::kProbePrime;
  if (--fold.left == 0) {
    ++fold.round;
    if (fold.round < spec.probe().rounds()) return fanOut(spec.probe(), fold);
    step.end.emplace().mutable_result()->set_outcome(v1::Result::DONE);
    step.end->set_probe_sum(fold.sum);
  }
  step.memo = fold.text();
  return step;
}

absl::Status check(const v1::JobSpec &spec) {
  const v1::ProbeJob &probe = spec.probe();
  if (probe.tasks() > 0 && probe.rounds() > 0 && probe.items() >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError("a probe job has tasks and rounds");
}

std::vector<v1::Digest> noBlobs(const v1::TaskSpec &) { return {}; }
int32_t items(const v1::TaskSpec &spec) { return spec.probe().items(); }

constexpr TaskKind kProbeTask = {.which = v1::TaskSpec::kProbe,
                                 .name = "probe",
                                 .version = 1,
                                 .role = v1::ROLE_BUILDER,
                                 .key = nullptr,
                                 .blobs = noBlobs,
                                 .specification = nullptr,
                                 .items = items,
                                 .missing = nullptr,
                                 .scratch = nullptr};

constexpr JobKind kProbeJob = {.which = v1::JobSpec::kProbe,
                               .name = "probe",
                               .check = check,
                               .shorten = nullptr,
                               .task = nullptr,
                               .begin = begin,
                               .advance = advance};

constexpr const JobKind *kJobs[] = {&kCompileJob, &kRunJob, &kProbeJob};
constexpr const TaskKind *kTasks[] = {&kCompileTask, &kRunTask, &kProbeTask};

}  // namespace

const Kinds &kindsWithProbe() {
  static const Kinds kinds(kJobs, kTasks);
  return kinds;
}

int64_t probeSum(const v1::ProbeJob &job) {
  int64_t sum = 0;
  for (int32_t round = 0; round < job.rounds(); ++round) {
    const int64_t before = sum;
    for (int32_t task = 0; task < job.tasks(); ++task) {
      const uint64_t seed = seedOf(job, round, before, task);
      int64_t number = 0;
      for (int32_t item = 0; item < std::max(1, job.items()); ++item) number += probeNumber(seed, item);
      sum = (sum + number) % test::kProbePrime;
    }
  }
  return sum;
}

}  // namespace hone::server::testing
