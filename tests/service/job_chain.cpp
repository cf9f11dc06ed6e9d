#include "tests/service/job_chain.h"

#include <iterator>
#include <random>

#include "tests/service/models.h"

namespace hone::test {

namespace {

using nlohmann::json;

// Models below this number are those that all clients compile, about the same time: work that is done once.
constexpr uint32_t kOwnModels = 1000;
constexpr uint32_t kManyModels = 1000000;
constexpr int64_t kChainsPerSharedModel = 3;
constexpr size_t kLargeBlobBytes = size_t{3} << 20;

enum class Turn : uint8_t { Plain, Shared, Garbage, Cancelled, LargeBlob };

// In turn, so that also a short stream has some of each.
constexpr Turn kTurns[] = {Turn::Plain,  Turn::Shared, Turn::Garbage,   Turn::Plain, Turn::LargeBlob,
                           Turn::Shared, Turn::Plain,  Turn::Cancelled, Turn::Plain, Turn::Plain};

struct Plan {
  Turn turn = Turn::Plain;
  uint32_t model = 0;
  int optLevel = 3;
  bool alsoRun = false;
  uint64_t number = 0;  ///< seeds what else there is
};

Plan planOf(uint64_t seed, int64_t index) {
  std::mt19937_64 random(seed * 1000003 + static_cast<uint64_t>(index));
  random.discard(4);
  Plan plan;
  plan.turn = kTurns[(seed + static_cast<uint64_t>(index)) % std::size(kTurns)];
  plan.model = kOwnModels + static_cast<uint32_t>(random() % kManyModels);
  plan.optLevel = static_cast<int>(random() % 4);
  plan.alsoRun = random() % 100 < 60;
  plan.number = random();
  if (plan.turn == Turn::Shared) {
    plan.model = static_cast<uint32_t>(index / kChainsPerSharedModel) % kOwnModels;
    plan.optLevel = 3;
  }
  return plan;
}

v1::SubmitRequest compileRequest(const ChainSettings &settings, const Plan &plan, const std::string &requestId,
                                 const v1::Digest &model) {
  v1::SubmitRequest request;
  request.set_request_id(requestId);
  v1::CompileJob &compile = *request.mutable_spec()->mutable_compile();
  *compile.mutable_model() = model;
  compile.mutable_options()->set_opt_level(plan.optLevel);
  *compile.mutable_options()->mutable_target_description() = settings.target;
  request.set_priority(static_cast<int32_t>(plan.number % 3));
  request.set_label(requestId);
  return request;
}

v1::SubmitRequest runRequest(const ChainSettings &settings, const Plan &plan, const std::string &requestId,
                             const v1::Digest &artifact) {
  v1::SubmitRequest request;
  request.set_request_id(requestId);
  v1::RunJob &run = *request.mutable_spec()->mutable_run();
  *run.mutable_artifact() = artifact;
  run.mutable_options()->set_seed(plan.number % 4);
  run.mutable_options()->set_threads(1);
  run.set_key(settings.key);
  return request;
}

void compileAndRun(ServiceClient &client, const ChainSettings &settings, const Plan &plan, const std::string &id) {
  const bool isGarbage = plan.turn == Turn::Garbage;
  const std::string model = isGarbage ? randomBytes(plan.number, 300) : tinyModel(plan.model);
  if (!client.provide(model, id + "-m")) return;
  const bool isToCancel = plan.turn == Turn::Cancelled;
  json about{{"kind", "compile"}, {"expect", isGarbage ? "refused" : isToCancel ? "any" : "success"}};
  if (!isGarbage) about.update({{"model", plan.model}, {"opt", plan.optLevel}});
  const v1::Digest digest = digestOf(model);
  auto job = client.submit(compileRequest(settings, plan, id + "-c", digest), about);
  if (!job.has_value()) return;
  if (isToCancel && !client.cancel(job->id())) return;
  job = client.watch(job->id());
  if (!job.has_value() || job->state() != v1::JOB_SUCCEEDED) return;
  if (!client.download(job->result().artifact()).has_value() || !plan.alsoRun) return;
  const v1::Digest artifact = job->result().artifact();
  job = client.submit(
      runRequest(settings, plan, id + "-r", artifact),
      {{"kind", "run"}, {"expect", "success"}, {"artifact", artifact.sha256()}, {"fill_seed", plan.number % 4}});
  if (!job.has_value()) return;
  job = client.watch(job->id());
  if (job.has_value() && job->state() == v1::JOB_SUCCEEDED) client.download(job->result().outputs());
}

}  // namespace

void runChain(ServiceClient &client, History &history, const ChainSettings &settings, int64_t index) {
  history.write({{"type", "begin"}, {"index", index}});
  const Plan plan = planOf(settings.seed, index);
  const std::string id = settings.name + "-" + std::to_string(index);
  if (plan.turn == Turn::LargeBlob) {
    const std::string bytes = randomBytes(plan.number, kLargeBlobBytes / 8 + plan.number % kLargeBlobBytes);
    if (client.provide(bytes, id + "-b")) client.download(digestOf(bytes));
  }
  compileAndRun(client, settings, plan, id);
  if (!client.gaveUp()) history.write({{"type", "done"}, {"index", index}});
}

}  // namespace hone::test
